"""Another master key: every key is re-encrypted while others claim and sign, whatever stops it and wherever."""

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from asyncpg import CheckViolationError

from gateway import assembly
from gateway.audit import log as audit
from gateway.cli.operate import master_keys, operations
from gateway.config import Config, from_environment
from gateway.custody import rotation, wallet_keys
from gateway.errors import EncryptedKeyUnreadable, MasterKeyMissing, Misconfigured
from gateway.identity import wallet
from gateway.identity.wallet import Wallet
from gateway.keys import key_files
from gateway.keys.signer import Vault
from gateway.postgres.pool import Database, connect
from tests.factory import NOW

pytestmark = pytest.mark.anyio

DIGEST = bytes(range(32))


@dataclass
class House:
    """A database, and the file with its master keys."""

    config: Config
    database: Database
    vault: Vault

    @property
    def file(self) -> Path:
        return self.config.master_key_file

    async def claim(self, *handles: str, vault: Vault | None = None) -> list[Wallet]:
        claimed = []
        for handle in handles:
            async with self.database.transaction() as connection:
                claimed.append((await wallet.claim(connection, vault or self.vault, handle, NOW))[0])
        return claimed

    async def signs(self, vault: Vault, people: list[Wallet]) -> list[bytes]:
        async with self.database.reading() as connection:
            return await wallet_keys.sign(connection, vault, [(one.address, DIGEST) for one in people])

    async def rotate(self) -> None:
        await master_keys.rotate(self.config, lambda _: None)

    async def starts_with(self, *keys: bytes) -> None:
        """Raises Misconfigured unless a gateway starts with this file."""
        text = "".join(f"{key.hex()}\n" for key in keys)
        self.file.write_text(text)
        await assembly.vault_of(self.config, self.database)

    def in_file(self) -> list[bytes]:
        return key_files.load_master_keys(self.file)

    async def masters(self) -> dict[int, int]:
        """How many keys are encrypted under each master key."""
        async with self.database.reading() as connection:
            rows = await connection.fetch(
                "SELECT master, count(*) FROM "
                "(SELECT master FROM encrypted_key UNION ALL SELECT master FROM checkpoint_key) AS key GROUP BY master"
            )
        return dict(rows)


@pytest.fixture
async def house(database_url: str, tmp_path: Path) -> AsyncIterator[House]:
    config = from_environment({"GATEWAY_HOME": str(tmp_path), "GATEWAY_DATABASE_URL": database_url})
    await operations.migrate(config)
    async with connect(database_url, connections=30) as database:
        yield House(config, database, await assembly.vault_of(config, database))


async def test_every_key_is_reencrypted_and_the_old_master_key_decrypts_none(house: House) -> None:
    people = await house.claim("alice", "bob", "carol")
    async with house.database.transaction() as connection:
        checkpoint_key = await wallet_keys.checkpoint_key(connection, house.vault, NOW)
    before, (old,) = await house.signs(house.vault, people), house.in_file()

    await house.rotate()

    assert await house.masters() == {2: 4}
    still, fresh = house.in_file()
    assert still == old != fresh
    assert await house.signs(Vault(fresh), people) == before
    async with house.database.reading() as connection:
        assert await wallet_keys.checkpoint_key(connection, Vault(fresh), NOW) == checkpoint_key
        rows = await connection.fetch("SELECT wallet_id, ciphertext FROM encrypted_key")
    for row in rows:
        with pytest.raises(EncryptedKeyUnreadable):
            Vault(old).unsafe_decrypt(row["wallet_id"], row["ciphertext"])


async def test_a_gateway_that_runs_meanwhile_reads_its_file_again_and_signs_and_claims_on(house: House) -> None:
    people = await house.claim("alice", "bob")
    before = await house.signs(house.vault, people)

    await house.rotate()

    assert await house.signs(house.vault, people) == before
    await house.claim("carol")
    assert await house.masters() == {2: 3}


async def test_a_machine_that_has_not_got_the_file_yet_waits_for_it_and_fails_no_payment(house: House) -> None:
    people = await house.claim("alice")
    elsewhere = Vault(*house.in_file())

    await house.rotate()

    for attempt in (house.signs(elsewhere, people), house.claim("bob", vault=elsewhere)):
        with pytest.raises(MasterKeyMissing, match="copy it from the machine where the key was rotated"):
            await attempt


async def test_a_key_can_be_on_every_machine_before_anything_is_encrypted_under_it(house: House) -> None:
    people = await house.claim("alice")
    added, twice = await master_keys.add(house.config), await master_keys.add(house.config)
    elsewhere = Vault(*house.in_file())
    shown = await master_keys.keys(house.config)

    await house.rotate()

    assert added == twice
    assert [(one["number"], one["state"], one["in_file"]) for one in shown] == [
        (None, "unused", True),
        (1, "encrypts", True),
    ]
    assert await house.signs(elsewhere, people) == await house.signs(house.vault, people)
    after = await master_keys.keys(house.config)
    assert [(one["number"], one["key"], one["state"]) for one in after] == [
        (2, added["key"], "encrypts"),
        (1, shown[1]["key"], "retired"),
    ]


async def test_stopped_half_way_both_keys_are_needed_and_the_next_run_goes_on(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = await house.claim("alice", "bob", "carol", "dave")
    before, (old,) = await house.signs(house.vault, people), house.in_file()
    monkeypatch.setattr(rotation, "_AT_ONCE", 1)

    def stop(reencrypted: int) -> None:
        if reencrypted == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await master_keys.rotate(house.config, stop)

    assert await house.masters() == {1: 2, 2: 2}
    assert await house.signs(house.vault, people) == before
    _, fresh = house.in_file()
    for half in ([old], [fresh]):
        with pytest.raises(Misconfigured, match="lacks the master key"):
            await house.starts_with(*half)
    with pytest.raises(Misconfigured, match="not the master key"):
        await house.starts_with(bytes(32))
    await house.starts_with(fresh, old)

    heard: list[int] = []
    done = await master_keys.rotate(house.config, heard.append)

    assert (heard, done["reencrypted"], done["number"]) == ([1, 2], 2, 2)
    assert await house.masters() == {2: 4}
    assert house.in_file() == [fresh, old]
    await house.starts_with(fresh)
    assert await house.signs(house.vault, people) == before


async def test_stopped_between_the_file_and_the_database_the_key_of_the_file_is_the_next(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.claim("alice")
    added: list[bytes] = []

    def add_and_stop(path: Path) -> bytes:
        added.append(really_add(path))
        raise KeyboardInterrupt

    really_add = key_files.add_master_key
    monkeypatch.setattr(key_files, "add_master_key", add_and_stop)
    with pytest.raises(KeyboardInterrupt):
        await house.rotate()
    assert await house.masters() == {1: 1}

    await house.rotate()  # it adds none: it would be stopped again

    assert house.in_file()[1:] == added
    assert await house.masters() == {2: 1}


async def test_of_two_who_rotate_at_once_one_begins_and_both_are_done_with_it(house: House) -> None:
    people = await house.claim(*(f"user_{n}" for n in range(40)))
    await asyncio.gather(house.rotate(), house.rotate())

    after = await master_keys.keys(house.config)
    assert [one["state"] for one in after] in (["encrypts", "retired"], ["encrypts", "retired", "retired"])
    assert await house.masters() == {after[0]["number"]: len(people)}


async def test_whoever_claims_while_it_is_rotated_is_under_the_newest_in_the_end(house: House) -> None:
    async def claims() -> None:
        for n in range(60):
            await house.claim(f"meanwhile_{n}")

    people = await house.claim(*(f"user_{n}" for n in range(60)))
    before = await house.signs(house.vault, people)

    await asyncio.gather(claims(), house.rotate(), claims_of(house, "other"))
    await house.rotate()

    assert await house.masters() == {3: 180}
    assert await house.signs(Vault(house.in_file()[-1]), people) == before
    assert [one["state"] for one in await master_keys.keys(house.config)] == ["encrypts", "retired", "retired"]


async def claims_of(house: House, name: str) -> None:
    await asyncio.gather(*(house.claim(f"{name}_{n}") for n in range(60)))


async def test_the_database_has_no_key_encrypted_under_a_retired_one(house: House) -> None:
    (alice,) = await house.claim("alice")
    await house.rotate()

    async with house.database.reading() as connection:
        with pytest.raises(CheckViolationError, match="under master key 1"):
            await connection.execute("UPDATE encrypted_key SET master = 1 WHERE wallet_id = $1", alice.id)
        with pytest.raises(CheckViolationError, match="under master key 7"):
            await connection.execute("UPDATE encrypted_key SET master = 7 WHERE wallet_id = $1", alice.id)


async def test_it_is_in_the_audit_log_by_its_fingerprint_alone(house: House) -> None:
    await house.rotate()
    async with house.database.reading() as connection:
        audit_events = await audit.read(connection, None, "master_key", None, 10)
    assert [(one.kind, one.facts["number"], one.by.kind) for one in audit_events] == [
        ("master_key.retired", 1, "command"),
        ("master_key.rotated", 2, "command"),
    ]
    assert not any(key.hex() in str(one.facts) for key in house.in_file() for one in audit_events)


async def test_the_file_stays_whose_it_is_and_keeps_what_was_in_it(house: House) -> None:
    text = "# of the first day\n" + house.file.read_text()
    house.file.write_text(text)
    if os.geteuid() == 0:
        os.chown(house.file, 1234, 5678)

    await house.rotate()

    there = house.file.stat()
    assert house.file.read_text().startswith(text)
    assert stat.S_IMODE(there.st_mode) == 0o600
    assert os.geteuid() != 0 or (there.st_uid, there.st_gid) == (1234, 5678)
    assert [one.name for one in house.file.parent.iterdir() if one.name.startswith(".")] == []


async def test_a_link_still_leads_to_the_file_and_words_of_others_stay(house: House, tmp_path: Path) -> None:
    kept = tmp_path / "elsewhere.key"
    house.file.rename(kept)
    kept.write_bytes("# clé maîtresse\n".encode() + kept.read_bytes())
    house.file.symlink_to(kept)

    await house.rotate()

    assert house.file.is_symlink()
    assert kept.read_bytes().startswith("# clé maîtresse\n".encode())
    assert len(house.in_file()) == 2
    await house.starts_with(house.in_file()[-1])


async def test_a_run_that_comes_late_encrypts_nothing_back_under_an_older_key(house: House) -> None:
    people = await house.claim("alice", "bob")
    await house.rotate()
    async with house.database.reading() as connection:
        second, _ = await rotation.master_keys(connection)
    await house.rotate()

    assert await rotation.reencrypt(house.database, house.vault, second, lambda _: None) == 0
    assert await house.masters() == {3: len(people)}


async def test_a_file_that_cannot_be_read_for_a_moment_takes_no_key_from_who_has_it(house: House) -> None:
    people = await house.claim("alice")
    stale = Vault(*house.in_file(), again=lambda: key_files.load_master_keys(house.file))
    before = await house.signs(stale, people)
    await house.claim("bob")
    whole = house.file.read_text()
    await house.rotate()
    rotated = house.file.read_text()
    house.file.write_text("")

    with suppress(MasterKeyMissing):
        await house.signs(stale, people)
    assert stale.unsafe_decrypt(people[0].id, stale.encrypt(people[0].id, DIGEST)) == DIGEST
    house.file.write_text(rotated)
    assert await house.signs(stale, people) == before
    assert rotated.startswith(whole)

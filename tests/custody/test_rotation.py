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
from gateway.audit.log import ANYONE
from gateway.cli.operate import master_keys, operations
from gateway.config.config import Config
from gateway.config.environment import from_environment
from gateway.custody import rotation, wallet_keys
from gateway.errors import Misconfigured
from gateway.identity import wallet
from gateway.identity.wallet import Wallet
from gateway.keys import key_files
from gateway.keys.errors import EncryptedKeyUnreadable, MasterKeyMissing
from gateway.keys.vault import Vault
from gateway.notifications import address
from gateway.notifications.channels.email import Email
from gateway.outbound.allowed import Allowed
from gateway.postgres.pool import Database, connect
from gateway.webhooks import endpoint, message
from tests.factory import NOW
from tests.notifications.mail_server import MailServer

pytestmark = pytest.mark.anyio

DIGEST = bytes(range(32))


@dataclass
class Setup:
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
                "(SELECT master FROM encrypted_key UNION ALL SELECT master FROM checkpoint_key UNION ALL "
                "SELECT master FROM webhook_secret UNION ALL SELECT master FROM notification_address) AS key "
                "GROUP BY master"
            )
        return dict(rows)


@pytest.fixture
async def setup(database_url: str, tmp_path: Path) -> AsyncIterator[Setup]:
    config = from_environment({"GATEWAY_HOME": str(tmp_path), "GATEWAY_DATABASE_URL": database_url})
    await operations.migrate(config)
    async with connect(database_url, connections=30) as database:
        yield Setup(config, database, await assembly.vault_of(config, database))


async def test_every_key_is_reencrypted_and_the_old_master_key_decrypts_none(setup: Setup) -> None:
    people = await setup.claim("alice", "bob", "carol")
    async with setup.database.transaction() as connection:
        checkpoint_key = await wallet_keys.checkpoint_key(connection, setup.vault, NOW)
    before, (old,) = await setup.signs(setup.vault, people), setup.in_file()

    await setup.rotate()

    assert await setup.masters() == {2: 4}
    still, fresh = setup.in_file()
    assert still == old != fresh
    assert await setup.signs(Vault(fresh), people) == before
    async with setup.database.reading() as connection:
        assert await wallet_keys.checkpoint_key(connection, Vault(fresh), NOW) == checkpoint_key
        rows = await connection.fetch("SELECT wallet_id, ciphertext FROM encrypted_key")
    for row in rows:
        with pytest.raises(EncryptedKeyUnreadable):
            Vault(old).unsafe_decrypt(row["wallet_id"], row["ciphertext"])


async def test_webhooks_are_signed_with_the_same_secrets_whatever_they_are_encrypted_under(setup: Setup) -> None:
    (alice,) = await setup.claim("alice")
    settings = endpoint.EndpointSettings("https://shop.example/", ["*"], "", enabled=True)
    async with setup.database.transaction() as connection:
        made, text = await endpoint.create(connection, setup.vault, Allowed(), alice.id, settings, ANYONE, NOW)

    (old,) = setup.in_file()
    await setup.rotate()

    assert await setup.masters() == {2: 2}
    async with setup.database.reading() as connection:
        secrets = (await endpoint.secrets(connection, Vault(setup.in_file()[1]), [made.id], NOW))[made.id]
        assert [message.secret_text(one) for one in secrets] == [text]
        with pytest.raises(MasterKeyMissing):
            await endpoint.secrets(connection, Vault(old), [made.id], NOW)


async def test_a_gateway_that_runs_meanwhile_reads_its_file_again_and_signs_and_claims_on(setup: Setup) -> None:
    people = await setup.claim("alice", "bob")
    before = await setup.signs(setup.vault, people)

    await setup.rotate()

    assert await setup.signs(setup.vault, people) == before
    await setup.claim("carol")
    assert await setup.masters() == {2: 3}


async def test_a_machine_that_has_not_got_the_file_yet_waits_for_it_and_fails_no_payment(setup: Setup) -> None:
    people = await setup.claim("alice")
    elsewhere = Vault(*setup.in_file())

    await setup.rotate()

    for attempt in (setup.signs(elsewhere, people), setup.claim("bob", vault=elsewhere)):
        with pytest.raises(MasterKeyMissing, match="copy it from the machine where the key was rotated"):
            await attempt


async def test_a_key_can_be_on_every_machine_before_anything_is_encrypted_under_it(setup: Setup) -> None:
    people = await setup.claim("alice")
    added, twice = await master_keys.add(setup.config), await master_keys.add(setup.config)
    elsewhere = Vault(*setup.in_file())
    shown = await master_keys.keys(setup.config)

    await setup.rotate()

    assert added == twice
    assert [(one["number"], one["state"], one["in_file"]) for one in shown] == [
        (None, "unused", True),
        (1, "encrypts", True),
    ]
    assert await setup.signs(elsewhere, people) == await setup.signs(setup.vault, people)
    after = await master_keys.keys(setup.config)
    assert [(one["number"], one["key"], one["state"]) for one in after] == [
        (2, added["key"], "encrypts"),
        (1, shown[1]["key"], "retired"),
    ]


async def test_stopped_half_way_both_keys_are_needed_and_the_next_run_goes_on(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = await setup.claim("alice", "bob", "carol", "dave")
    before, (old,) = await setup.signs(setup.vault, people), setup.in_file()
    monkeypatch.setattr(rotation, "_AT_ONCE", 1)

    def stop(reencrypted: int) -> None:
        if reencrypted == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await master_keys.rotate(setup.config, stop)

    assert await setup.masters() == {1: 2, 2: 2}
    assert await setup.signs(setup.vault, people) == before
    _, fresh = setup.in_file()
    for half in ([old], [fresh]):
        with pytest.raises(Misconfigured, match="lacks the master key"):
            await setup.starts_with(*half)
    with pytest.raises(Misconfigured, match="not the master key"):
        await setup.starts_with(bytes(32))
    await setup.starts_with(fresh, old)

    heard: list[int] = []
    done = await master_keys.rotate(setup.config, heard.append)

    assert (heard, done["reencrypted"], done["number"]) == ([1, 2], 2, 2)
    assert await setup.masters() == {2: 4}
    assert setup.in_file() == [fresh, old]
    await setup.starts_with(fresh)
    assert await setup.signs(setup.vault, people) == before


async def test_stopped_between_the_file_and_the_database_the_key_of_the_file_is_the_next(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    await setup.claim("alice")
    added: list[bytes] = []

    def add_and_stop(path: Path) -> bytes:
        added.append(really_add(path))
        raise KeyboardInterrupt

    really_add = key_files.add_master_key
    monkeypatch.setattr(key_files, "add_master_key", add_and_stop)
    with pytest.raises(KeyboardInterrupt):
        await setup.rotate()
    assert await setup.masters() == {1: 1}

    await setup.rotate()  # it adds none: it would be stopped again

    assert setup.in_file()[1:] == added
    assert await setup.masters() == {2: 1}


async def test_of_two_who_rotate_at_once_one_begins_and_both_are_done_with_it(setup: Setup) -> None:
    people = await setup.claim(*(f"user_{n}" for n in range(40)))
    await asyncio.gather(setup.rotate(), setup.rotate())

    after = await master_keys.keys(setup.config)
    assert [one["state"] for one in after] in (["encrypts", "retired"], ["encrypts", "retired", "retired"])
    assert await setup.masters() == {after[0]["number"]: len(people)}


async def test_whoever_claims_while_it_is_rotated_is_under_the_newest_in_the_end(setup: Setup) -> None:
    async def claims() -> None:
        for n in range(60):
            await setup.claim(f"meanwhile_{n}")

    people = await setup.claim(*(f"user_{n}" for n in range(60)))
    before = await setup.signs(setup.vault, people)

    await asyncio.gather(claims(), setup.rotate(), claims_of(setup, "other"))
    await setup.rotate()

    assert await setup.masters() == {3: 180}
    assert await setup.signs(Vault(setup.in_file()[-1]), people) == before
    assert [one["state"] for one in await master_keys.keys(setup.config)] == ["encrypts", "retired", "retired"]


async def claims_of(setup: Setup, name: str) -> None:
    await asyncio.gather(*(setup.claim(f"{name}_{n}") for n in range(60)))


async def test_the_database_has_no_key_encrypted_under_a_retired_one(setup: Setup) -> None:
    (alice,) = await setup.claim("alice")
    await setup.rotate()

    async with setup.database.reading() as connection:
        with pytest.raises(CheckViolationError, match="under master key 1"):
            await connection.execute("UPDATE encrypted_key SET master = 1 WHERE wallet_id = $1", alice.id)
        with pytest.raises(CheckViolationError, match="under master key 7"):
            await connection.execute("UPDATE encrypted_key SET master = 7 WHERE wallet_id = $1", alice.id)


async def test_it_is_in_the_audit_log_by_its_fingerprint_alone(setup: Setup) -> None:
    await setup.rotate()
    async with setup.database.reading() as connection:
        audit_events = await audit.read(connection, None, "master_key", None, 10)
    assert [(one.kind, one.details["number"], one.by.kind) for one in audit_events] == [
        ("master_key.retired", 1, "command"),
        ("master_key.rotated", 2, "command"),
    ]
    assert not any(key.hex() in str(one.details) for key in setup.in_file() for one in audit_events)


async def test_the_file_stays_whose_it_is_and_keeps_what_was_in_it(setup: Setup) -> None:
    text = "# of the first day\n" + setup.file.read_text()
    setup.file.write_text(text)
    if os.geteuid() == 0:
        os.chown(setup.file, 1234, 5678)

    await setup.rotate()

    there = setup.file.stat()
    assert setup.file.read_text().startswith(text)
    assert stat.S_IMODE(there.st_mode) == 0o600
    assert os.geteuid() != 0 or (there.st_uid, there.st_gid) == (1234, 5678)
    assert [one.name for one in setup.file.parent.iterdir() if one.name.startswith(".")] == []


async def test_a_link_still_leads_to_the_file_and_words_of_others_stay(setup: Setup, tmp_path: Path) -> None:
    kept = tmp_path / "elsewhere.key"
    setup.file.rename(kept)
    kept.write_bytes("# clé maîtresse\n".encode() + kept.read_bytes())
    setup.file.symlink_to(kept)

    await setup.rotate()

    assert setup.file.is_symlink()
    assert kept.read_bytes().startswith("# clé maîtresse\n".encode())
    assert len(setup.in_file()) == 2
    await setup.starts_with(setup.in_file()[-1])


async def test_a_run_that_comes_late_encrypts_nothing_back_under_an_older_key(setup: Setup) -> None:
    people = await setup.claim("alice", "bob")
    await setup.rotate()
    async with setup.database.reading() as connection:
        second, _ = await rotation.master_keys(connection)
    await setup.rotate()

    assert await rotation.reencrypt(setup.database, setup.vault, second, lambda _: None) == 0
    assert await setup.masters() == {3: len(people)}


async def test_a_file_that_cannot_be_read_for_a_moment_takes_no_key_from_who_has_it(setup: Setup) -> None:
    people = await setup.claim("alice")
    stale = Vault(*setup.in_file(), reload=lambda: key_files.load_master_keys(setup.file))
    before = await setup.signs(stale, people)
    await setup.claim("bob")
    whole = setup.file.read_text()
    await setup.rotate()
    rotated = setup.file.read_text()
    setup.file.write_text("")

    with suppress(MasterKeyMissing):
        await setup.signs(stale, people)
    assert stale.unsafe_decrypt(people[0].id, stale.encrypt(people[0].id, DIGEST)) == DIGEST
    setup.file.write_text(rotated)
    assert await setup.signs(stale, people) == before
    assert rotated.startswith(whole)


async def test_notices_go_to_the_same_addresses_whatever_they_are_encrypted_under(setup: Setup) -> None:
    (alice,) = await setup.claim("alice")
    channel, settings = Email(MailServer().server()), address.NewAddress("alice@example.com", "en", "UTC")
    async with setup.database.transaction() as connection:
        added = await address.add(connection, setup.vault, channel, alice.id, settings, ANYONE, NOW)

    (old,) = setup.in_file()
    await setup.rotate()

    assert await setup.masters() == {2: 2}
    async with setup.database.reading() as connection:
        assert await address.addresses(connection, Vault(setup.in_file()[1]), alice.id) == [added]
        with pytest.raises(MasterKeyMissing):
            await address.addresses(connection, Vault(old), alice.id)

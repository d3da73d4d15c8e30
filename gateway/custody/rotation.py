"""Rotate the master key: re-encrypt every key under a new one while the gateway runs.

    in the file   gateways and workers may have read it; no key is encrypted under it
    current       the newest that the database knows: new keys are encrypted under it
    in use        no longer the newest; some keys are still encrypted under it
    retired       no key is encrypted under it, and the database refuses to encrypt one under it

Each encrypted key names its master key, so several master keys work side by side. A process that meets one it does not
have reads its file again. Keys are re-encrypted in batches, one transaction each: a run that is stopped keeps its
finished batches, and the next run continues.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.keys.vault import Vault, fingerprint
from gateway.postgres.pool import Connection, Database, Record, Statements

sql = Statements(__package__, "rotation.sql")

#: The most keys that are re-encrypted in one transaction.
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class MasterKey:
    """A master key. `in_use`: some keys are encrypted under it. New keys are encrypted under the newest."""

    number: int
    check_value: bytes
    made_at: datetime
    retired_at: datetime | None
    in_use: bool

    @property
    def fingerprint(self) -> str:
        """The short form that is shown to people."""
        return fingerprint(self.check_value)


async def master_keys(connection: Connection) -> list[MasterKey]:
    """Return all master keys that this database has known, newest first."""
    return [_master_key(row) for row in await connection.fetch(sql.master_keys)]


async def add(connection: Connection, number: int, check_value: bytes, now: datetime) -> None:
    """Add a master key, under which new keys are encrypted. Does nothing if there is one of that number."""
    await connection.execute(sql.add_master_key, number, check_value, now)


async def lock(connection: Connection) -> list[MasterKey]:
    """Lock the list of master keys against other rotations until the transaction ends, and return it."""
    await connection.execute(sql.lock_rotation)
    return await master_keys(connection)


async def begin(connection: Connection, fresh: Callable[[list[MasterKey]], bytes], by: By, now: datetime) -> MasterKey:
    """Return the master key that all keys are to be encrypted under. If the previous rotation is unfinished (an older
    key is not retired), that is its key; otherwise a new one. `fresh` returns the new one's check value, given the
    known keys.
    """
    known = await lock(connection)
    newest, *before = known
    if any(one.retired_at is None for one in before):
        return newest
    check_value = fresh(known)
    await add(connection, newest.number + 1, check_value, now)
    details = {"number": newest.number + 1, "fingerprint": fingerprint(check_value)}
    await audit.append(connection, [AuditEvent("master_key.rotated", None, by, None, details)], now)
    return MasterKey(newest.number + 1, check_value, now, None, in_use=False)


async def reencrypt(database: Database, vault: Vault, newest: MasterKey, progress: Callable[[int], None]) -> int:
    """Re-encrypt every key that is not under the newest master key. Returns how many; calls `progress` after each full
    batch.

    Raises EncryptedKeyUnreadable and MasterKeyMissing.
    """
    done = 0
    for old, reencrypt_them in (
        (sql.old_keys, sql.reencrypt),
        (sql.old_webhook_secrets, sql.reencrypt_webhook_secrets),
        (sql.old_notification_addresses, sql.reencrypt_notification_addresses),
    ):
        after = UUID(int=0)
        while True:
            async with database.transaction() as connection:
                rows = await connection.fetch(old, after, newest.number, _AT_ONCE)
                await connection.execute(reencrypt_them, *_reencrypted(vault, rows, newest))
            if not rows:
                break
            done, after = done + len(rows), rows[-1]["id"]
            if len(rows) == _AT_ONCE:
                progress(done)
    async with database.transaction() as connection:
        rows = await connection.fetch(sql.old_checkpoint_keys, newest.number)
        await connection.execute(sql.reencrypt_checkpoint_keys, *_reencrypted(vault, rows, newest))
    return done + len(rows)


async def retire(connection: Connection, newest: MasterKey, by: By, now: datetime) -> list[int]:
    """Retire the older master keys that no key is encrypted under any more. Returns their numbers."""
    old = await connection.fetch(sql.old_master_keys, newest.number)
    retired = await connection.fetch(sql.retire_master_keys, [row["number"] for row in old], now)
    details = [{"number": row["number"], "fingerprint": fingerprint(row["check_value"])} for row in retired]
    await audit.append(connection, [AuditEvent("master_key.retired", None, by, None, one) for one in details], now)
    return sorted(row["number"] for row in retired)


def _reencrypted(vault: Vault, rows: list[Record], newest: MasterKey) -> tuple[list[UUID], list[bytes], int]:
    secrets = [(row["id"], vault.unsafe_decrypt(row["id"], row["ciphertext"], row["under"])) for row in rows]
    return [id for id, _ in secrets], [vault.encrypt(*one, newest.check_value) for one in secrets], newest.number


def _master_key(row: Record) -> MasterKey:
    return MasterKey(row["number"], row["check_value"], row["made_at"], row["retired_at"], row["in_use"])

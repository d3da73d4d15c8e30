"""Sign for custodial wallets: decrypt the payer's key, sign, discard it. Also the keys of checkpoints, which are
stored in the same way: encrypted under the master key.
"""

import secrets
from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from gateway.audit.checkpoint import CheckpointKey
from gateway.custody import rotation
from gateway.errors import Misconfigured
from gateway.identity.wallet import master_key
from gateway.ids import new_id
from gateway.keys.errors import MasterKeyMissing
from gateway.keys.vault import Vault
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "wallet_keys.sql")


async def add_master_key(connection: Connection, check_value: bytes, now: datetime) -> None:
    """Register the first master key. Does nothing if there is one."""
    await rotation.add(connection, 1, check_value, now)


async def has_master_key(connection: Connection) -> bool:
    """Return whether this database has a master key."""
    return bool(await rotation.master_keys(connection))


async def check_master_keys(connection: Connection, check_values: Collection[bytes]) -> None:
    """Raise Misconfigured unless these master keys decrypt every key here, and the newest is among them."""
    there = await rotation.master_keys(connection)
    if not there:
        raise Misconfigured("this database has no master key yet: run 'gateway migrate'")
    newest, *_ = there
    lacking = [one for one in there if (one.in_use or one is newest) and one.check_value not in check_values]
    if lacking and not any(one.check_value in check_values for one in there):
        raise Misconfigured(
            "this is not the master key that the wallets' keys are encrypted under: put the right one where "
            "GATEWAY_MASTER_KEY_FILE says"
        )
    if lacking:
        missing = MasterKeyMissing(" and ".join(one.fingerprint for one in lacking))
        raise Misconfigured(str(missing))


async def check_root_key(connection: Connection, check_value: bytes) -> None:
    """Raise Misconfigured unless this is the root key that new wallets' keys are derived from."""
    there = await connection.fetchval(sql.root_key)
    if there is None:
        raise Misconfigured("this database has no root key yet: run 'gateway migrate'")
    if there != check_value:
        raise Misconfigured(
            "this is not the root key that this database's wallets are derived from: put the right one, from the copy "
            "that was made with it, where GATEWAY_ROOT_KEY_FILE says"
        )


async def add_root_key(connection: Connection, check_value: bytes, now: datetime) -> None:
    """Register the root key that new wallets' keys are derived from. Does nothing if there is one."""
    await connection.execute(sql.add_root_key, check_value, now)


async def has_root_key(connection: Connection) -> bool:
    """Return whether this database has a root key."""
    return await connection.fetchval(sql.root_key) is not None


async def sign(connection: Connection, vault: Vault, digests: Sequence[tuple[str, bytes]]) -> list[bytes]:
    """Return a signature (65 bytes: r, s, v) for each (address, digest), in order. Every address is a custodial
    wallet's.
    """
    rows = await connection.fetch(sql.encrypted_keys, list({address for address, _ in digests}))
    keys = {row["address"]: row for row in rows}
    return [
        vault.sign(row["wallet_id"], address, row["ciphertext"], digest, row["under"])
        for address, digest in digests
        for row in [keys[address]]
    ]


async def checkpoint_key(connection: Connection, vault: Vault, now: datetime) -> CheckpointKey:
    """Return the key of new checkpoints. The first call creates it; concurrent calls create one."""
    row = await connection.fetchrow(sql.checkpoint_key)
    if row is None:
        id = new_id(now)
        master, under = await master_key(connection)
        await connection.execute(
            sql.add_checkpoint_key, id, vault.encrypt(id, secrets.token_bytes(32), under), master, now
        )
        row = await connection.fetchrow(sql.checkpoint_key)
        assert row is not None
    return CheckpointKey(row["id"], vault.unsafe_decrypt(row["id"], row["ciphertext"], row["under"]))


async def checkpoint_keys(connection: Connection, vault: Vault) -> dict[UUID, bytes]:
    """Return every key of checkpoints, by id. Raises EncryptedKeyUnreadable."""
    rows = await connection.fetch(sql.checkpoint_keys)
    return {row["id"]: vault.unsafe_decrypt(row["id"], row["ciphertext"], row["under"]) for row in rows}

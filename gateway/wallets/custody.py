"""Signing for custodial wallets: open the sealed key of each payer, sign, forget it. And the keys of the audit log's
seals, which lie in the database as the wallets' do: sealed under the master key.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from gateway.audit.seal import SealKey
from gateway.chain.signer import Vault
from gateway.errors import Misconfigured
from gateway.ids import new_id
from gateway.postgres import Connection
from gateway.wallets.wallet import sql


async def has_master_key(connection: Connection) -> bool:
    """Whether this database's keys are sealed under a master key already."""
    return await connection.fetchval(sql.master_key) is not None


async def hold_to(connection: Connection, check_value: bytes, first: bool = False) -> None:
    """Raises Misconfigured unless this is the master key that the wallets' keys are sealed under.

    `first`: where there is none yet, this is it.
    """
    if first:
        await connection.execute(sql.remember_master_key, check_value)
    if await connection.fetchval(sql.master_key) != check_value:
        raise Misconfigured(
            "this is not the master key that the wallets' keys are sealed under: put the right one where "
            "GATEWAY_MASTER_KEY_FILE says, or run 'gateway migrate' if this database is new"
        )


async def sign(connection: Connection, vault: Vault, digests: Sequence[tuple[str, bytes]]) -> list[bytes]:
    """A signature (65 bytes: r, s, v) for each (address, digest), in order; every address is a custodial wallet's."""
    rows = await connection.fetch(sql.sealed_keys, list({address for address, _ in digests}))
    keys: dict[str, tuple[UUID, bytes]] = {row["address"]: (row["wallet_id"], row["sealed"]) for row in rows}
    return [vault.sign(id, address, sealed, digest) for address, digest in digests for id, sealed in [keys[address]]]


async def seal_key(connection: Connection, vault: Vault, now: datetime) -> SealKey:
    """The key to seal the logs with; made the first time that somebody asks, once however many do."""
    row = await connection.fetchrow(sql.seal_key)
    if row is None:
        id = new_id(now)
        await connection.execute(sql.add_seal_key, id, vault.seal(id, secrets.token_bytes(32)), now)
        row = await connection.fetchrow(sql.seal_key)
        assert row is not None
    return SealKey(row["id"], vault.unsafe_open(row["id"], row["sealed"]))


async def seal_keys(connection: Connection, vault: Vault) -> dict[UUID, bytes]:
    """Every key that the logs were ever sealed with, by id. Raises SealedKeyUnreadable."""
    return {row["id"]: vault.unsafe_open(row["id"], row["sealed"]) for row in await connection.fetch(sql.seal_keys)}

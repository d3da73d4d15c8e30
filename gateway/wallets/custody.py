"""Signing for custodial wallets: open the sealed key of each payer, sign, forget it."""

from collections.abc import Sequence
from uuid import UUID

from gateway.chain.signer import Vault
from gateway.postgres import Connection
from gateway.wallets.wallet import sql


async def sign(connection: Connection, vault: Vault, digests: Sequence[tuple[str, bytes]]) -> list[bytes]:
    """A signature (65 bytes: r, s, v) for each (address, digest), in order; every address is a custodial wallet's."""
    rows = await connection.fetch(sql.sealed_keys, list({address for address, _ in digests}))
    keys: dict[str, tuple[UUID, bytes]] = {row["address"]: (row["wallet_id"], row["sealed"]) for row in rows}
    return [vault.sign(*keys[address], digest) for address, digest in digests]

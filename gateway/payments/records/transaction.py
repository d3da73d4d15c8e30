"""A chain transaction and the payments that it carries."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from gateway.ids import PaymentId
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "transaction.sql")


@dataclass(frozen=True, slots=True)
class Sent:
    """A chain transaction that a relayer of the gateway sent, and its payments that are not final yet."""

    relayer: str
    nonce: int
    kind: str
    state: str
    under_way: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class FinalBlock:
    """A final block of a chain (its EIP-155 id)."""

    chain_id: int
    number: int


async def sent(connection: Connection, hash_: bytes) -> Sent | None:
    """The chain transaction with this hash, of any attempt; None if the gateway did not send it."""
    row = await connection.fetchrow(sql.transaction_of_hash, hash_)
    if row is None:
        return None
    under_way = await connection.fetch(sql.payments_under_way, row["id"], row["asset"])
    return Sent(row["relayer"], row["nonce"], row["kind"], row["state"], [one["id"] for one in under_way])


async def settled_in(connection: Connection, chain_id: int, block: int, hash_: bytes) -> list[UUID]:
    """The payments, conversions and sweeps (at most a hundred) that a chain transaction settled in a final block."""
    return [row["subject"] for row in await connection.fetch(sql.subjects_of_transaction, chain_id, block, hash_)]


async def final_block_of(connection: Connection, payment: PaymentId) -> FinalBlock | None:
    """The final block that settled a payment; None before that, and for a payment on the ledger rail."""
    row = await connection.fetchrow(sql.final_block_of, payment)
    return None if row is None else FinalBlock(row["chain_id"], row["block_number"])

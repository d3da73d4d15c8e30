"""Authorizations: the signed EIP-3009 messages that let tokens move, from their queue to their end.

    unsigned, until its payer has signed it; if the gateway signs it, it begins as
    │
    queued ──batch──> submitted ──final log──> settled
      │  ^                │ │
      │  └─ its batch ────┘ ├── final log ──> skipped   the contract says why, and will not settle it later
      │     reverted        │
      └─────────────────────┴── final time ─> expired   valid_before has passed at a final block, and the contract
                                                        says that it was not used

A nonce is assigned and stored before anything is signed, so the contract itself refuses a second settlement. The nonces
of an address are 0, 1, 2, … without a gap, because the contract stores them as bits of a word and charges for new
words. For an address whose owner has the key they begin at another number, and skip the nonces that the owner uses
without the gateway.

A mint has no signature: it has a single-use reference in place of the nonce, and the zero address as `from`. The
contract knows no `valid_before` of a mint, so the gateway enforces it: after that time the mint is put into no batch,
and it expires when no stored transaction can carry it into a block any more.

Lock order: rows of `authorization_nonce` by (asset, address); rows of `token_authorization` by id.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from eth_hash.auto import keccak
from msgspec import Struct

from gateway.address import ZERO, to_bytes
from gateway.chain.errors import NodeRefused, NodeUnavailable
from gateway.chain.node import Node
from gateway.chain.token.contract import Contract, authorization_state_data, minted_data
from gateway.chain.token.eip3009 import Authorization, By, Key, Kind
from gateway.chain.token.failure import Failure
from gateway.postgres.errors import Contended
from gateway.postgres.pool import Connection, Record, Statements

sql = Statements(__package__, "authorization.sql")

State = Literal["unsigned", "queued", "submitted", "settled", "skipped", "expired"]

#: The states of authorizations that have not ended.
OPEN: tuple[State, ...] = ("unsigned", "queued", "submitted")


@dataclass(frozen=True, slots=True)
class Order:
    """A request to the queue. A mint has a `reference`, which is not zero and used once; the others are assigned a
    nonce. `value` is in units, `valid_before` in Unix seconds. Unless signed `by` the gateway, it waits for its
    signature.
    """

    id: UUID
    kind: Kind
    asset: str
    from_address: str
    to_address: str
    value: int
    valid_before: int
    reference: int | None = None
    by: By = "gateway"


class Tracked(Struct, frozen=True):
    """An authorization and its state."""

    authorization: Authorization
    state: State
    transaction_id: UUID | None

    @property
    def id(self) -> UUID:
        return self.authorization.id


async def enqueue(connection: Connection, orders: Sequence[Order], now: datetime) -> None:
    """Assign each order its nonce and queue it, or let it wait for its signature.

    A mint whose reference was used before breaks the constraint `token_authorization_used_once`. The transaction ends
    with Contended if the payer's wallet has changed its address in the meantime: a retry uses the new one. Sweeps must
    be alone in the list: they are from such addresses.
    """
    for order in orders:
        assert (order.kind == "mint") == (order.reference is not None)
        assert order.reference is None or order.reference > 0
    sweeps = any(order.kind == "sweep" for order in orders)
    assert not sweeps or all(order.kind == "sweep" for order in orders)
    await connection.execute(
        sql.enqueue,
        now,
        [order.id for order in orders],
        [order.kind for order in orders],
        [order.asset for order in orders],
        [ZERO if order.kind == "mint" else order.from_address for order in orders],
        [order.to_address for order in orders],
        [order.value for order in orders],
        [order.reference for order in orders],
        [order.valid_before for order in orders],
        [order.by for order in orders],
    )


async def enqueue_signed(connection: Connection, one: Authorization, now: datetime) -> bool:
    """Queue an authorization that its owner has signed, with a nonce of their own. Returns False if the nonce is used
    already.
    """
    row = await connection.fetchval(
        sql.enqueue_signed,
        *(one.id, one.kind, one.asset, one.from_address, one.to_address, one.value, one.nonce, one.valid_after),
        *(one.valid_before, now, one.by, one.signature),
    )
    return row is not None


async def nonces_given_out(connection: Connection, asset: str, address: str) -> int:
    """Return the next nonce of the address, and lock it: until the caller commits nobody else assigns a nonce or closes
    the address. Raises Contended if it was closed in the meantime.
    """
    given_out = await connection.fetchval(sql.lock_nonces, asset, address)
    if given_out is None:
        raise Contended
    return int(given_out)


async def begin_nonces(connection: Connection, payers: Collection[tuple[str, str]]) -> None:
    """Choose the first nonce of each (asset, address) that has none yet, at the start of a word of 256 in the contract.
    The owner of an address may have used other nonces, such as 0: the first nonce is far from those, and the same each
    time.
    """
    firsts = [int.from_bytes(keccak(asset.encode() + to_bytes(address)), "big") >> 8 << 8 for asset, address in payers]
    await connection.execute(
        sql.begin_nonces, [asset for asset, _ in payers], [address for _, address in payers], firsts
    )


async def skip_nonces(connection: Connection, keys: Collection[Key]) -> None:
    """Skip the nonces that owners have used without the gateway."""
    if keys:
        await connection.execute(sql.skip_nonces, *(list(column) for column in zip(*keys, strict=True)))


async def close_nonces(connection: Connection, assets: Sequence[str], address: str) -> None:
    """Stop assigning nonces of an address. Waits for transactions that are assigning one."""
    await connection.execute(sql.close_nonces, list(assets), address)


async def count_open(connection: Connection, assets: Sequence[str], addresses: Sequence[str]) -> int:
    """Return how many authorizations from these addresses, and mints to them, have not ended."""
    return int(await connection.fetchval(sql.count_open, list(assets), list(addresses)))


async def reopen_nonces(connection: Connection, assets: Sequence[str], address: str) -> None:
    """Assign nonces of an address again that was closed before."""
    await connection.execute(sql.reopen_nonces, list(assets), address)


async def one(connection: Connection, id: UUID, for_update: bool = False) -> Tracked:
    """Return an authorization by its id."""
    row = await connection.fetchrow(sql.by_id_for_update if for_update else sql.by_id, id)
    assert row is not None
    return Tracked(from_row(row), row["state"], row["transaction_id"])


async def sign(connection: Connection, id: UUID, signature: bytes) -> None:
    """Queue an authorization with the signature that it waited for. The caller has locked its row."""
    await connection.execute(sql.sign, id, signature)


async def find(connection: Connection, keys: Iterable[Key], for_update: bool = False) -> dict[Key, Tracked]:
    """Return the stored authorizations among these keys. `for_update`: locked in id order."""
    wanted = list(keys)
    if not wanted:
        return {}
    rows = await connection.fetch(
        sql.find_for_update if for_update else sql.find,
        [key[0] for key in wanted],
        [key[1] for key in wanted],
        [key[2] for key in wanted],
    )
    found = [Tracked(from_row(row), row["state"], row["transaction_id"]) for row in rows]
    return {tracked.authorization.key: tracked for tracked in found}


async def sent_as(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return the hash of the chain transaction that carries, or last carried, each of these authorizations. Those that
    were never sent are left out.
    """
    rows = await connection.fetch(sql.sent_as, list(ids)) if ids else []
    return {row["authorization_id"]: row["tx_hash"] for row in rows}


async def settle(connection: Connection, ids: Sequence[UUID]) -> None:
    """Mark these authorizations as settled by a final log. Those that have ended stay as they are."""
    if ids:
        await connection.execute(sql.settle, list(ids))


async def finish(
    connection: Connection,
    ids: Sequence[UUID],
    state: Literal["skipped", "expired"],
    reasons: Sequence[Failure],
) -> list[UUID]:
    """End these authorizations without a settlement. Returns those that had not ended; an end is final."""
    assert len(reasons) == len(ids)
    if not ids:
        return []
    return [row["id"] for row in await connection.fetch(sql.finish, list(ids), state, list(reasons))]


async def requeue(connection: Connection, transaction_ids: Iterable[UUID]) -> list[UUID]:
    """Queue what finally reverted transactions carried again: a revert uses no nonce. Returns their ids."""
    reverted = list(transaction_ids)
    return [row["id"] for row in await connection.fetch(sql.requeue, reverted)] if reverted else []


async def overdue(
    connection: Connection, assets: Collection[str], timestamp: int, limit: int = 500
) -> list[Authorization]:
    """Return the authorizations that no block after a final block of this time can settle, in the order of their
    expiry. They have expired if the contract confirms it: see `used`, then `lock_overdue`. Flagged ones are left out.
    """
    return [from_row(row) for row in await connection.fetch(sql.overdue, list(assets), timestamp, limit)]


async def used(
    node: Node, contracts: Mapping[str, Contract], asked: Sequence[Authorization], at: int
) -> dict[UUID, bool]:
    """Return whether the contract has used the nonce of each of these, which have expired at block `at`, as of that
    block. Network only.

    If the node has pruned the state of that block, the newest is used: nothing that has expired is used after it.
    """
    calls = [
        (
            contracts[one.asset].address,
            minted_data(one.nonce) if one.kind == "mint" else authorization_state_data(one.from_address, one.nonce),
        )
        for one in asked
    ]
    if not calls:
        return {}
    try:
        answers = await node.calls(calls, at)
    except NodeRefused:
        _, answers = await node.calls_from(calls, at)
    if any(len(answer) != 32 for answer in answers):
        raise NodeUnavailable(f"it has no contract at block {at} where one was")
    return {one.id: any(answer) for one, answer in zip(asked, answers, strict=True)}


async def lock_overdue(connection: Connection, ids: Iterable[UUID], timestamp: int) -> list[Authorization]:
    """Lock those of these that are still overdue. One that another transaction has locked is left for later."""
    return [from_row(row) for row in await connection.fetch(sql.lock_overdue, list(ids), timestamp)]


async def flag(connection: Connection, ids: Sequence[UUID], reason: str) -> None:
    """Flag these with a reason that an operator has to investigate. They stay open; a log can still settle them."""
    await connection.execute(sql.flag, list(ids), reason)


async def freeze(connection: Connection, ids: Sequence[UUID]) -> None:
    """Freeze these authorizations, which are locked: they are put into no batch and do not expire until they are
    released.
    """
    if ids:
        await connection.execute(sql.freeze, list(ids))


async def release(connection: Connection, asset: str, valid_before: int) -> int:
    """Release what was frozen of the asset. Returns how many. An unsigned one is valid until `valid_before`, in Unix
    seconds, if that is later; a signed one keeps its time.
    """
    return len(await connection.fetch(sql.release, asset, valid_before))


def from_row(row: Record) -> Authorization:
    return Authorization(
        id=row["id"],
        kind=row["kind"],
        asset=row["asset"],
        from_address=row["from_address"],
        to_address=row["to_address"],
        value=row["value"],
        nonce=row["nonce"],
        valid_before=row["valid_before"],
        signature=row["signature"],
        by=row["signed_by"],
        valid_after=row["valid_after"],
    )

"""Authorizations: the signed EIP-3009 messages that let tokens move, from their queue to their end.

    unsigned, until its payer has signed it; where the gateway signs it, it begins as
    │
    queued ──batch──> submitted ──final log──> settled
      │  ^                │ │
      │  └─ its batch ────┘ ├── final log ──> skipped   the contract says why, and will not settle it later
      │     reverted        │
      └─────────────────────┴── final time ─> expired   valid_before has passed at a final block, and the contract
                                                        says that it was not used

A nonce is given out and stored before anything is signed, so the contract itself refuses a second settlement. Nonces
of one address go 0, 1, 2, … without a gap, since the contract keeps them as bits of a word and charges for new words;
those of an address whose owner has the key begin elsewhere, and step over what they use by themselves.
A mint has no signature: its single-use reference stands in the place of the nonce, the zero address in that of `from`.
The contract knows no `valid_before` of it, so we keep it: after that time it is put into no batch, and it expires when
no stored transaction can carry it into a block any more.

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
from gateway.chain.token.message import Authorization, By, Key, Kind
from gateway.postgres.errors import Contended
from gateway.postgres.pool import Connection, Record, Statements

sql = Statements(__package__, "authorization.sql")

State = Literal["unsigned", "queued", "submitted", "settled", "skipped", "expired"]

#: The states of those that wait for their end.
OPEN: tuple[State, ...] = ("unsigned", "queued", "submitted")


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of the queue. `reference` is a mint's, not zero and used once; the others are given a nonce.

    `value` is in units, `valid_before` in Unix seconds. What is not signed `by` the gateway waits for its signature.
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
    """An authorization and where it is in its life."""

    authorization: Authorization
    state: State
    transaction_id: UUID | None

    @property
    def id(self) -> UUID:
        return self.authorization.id


async def enqueue(connection: Connection, orders: Sequence[Order], now: datetime) -> list[Authorization]:
    """Give each order its nonce and queue it, or let it wait for its signature. Returns them in order.

    A mint whose reference was used before breaks the constraint `token_authorization_used_once`. Raises Contended when
    a payer's address was left meanwhile: asked anew, it has another. Sweeps go by themselves: they are from such.
    """
    wanted: dict[tuple[str, str], int] = {}
    for order in orders:
        assert (order.kind == "mint") == (order.reference is not None)
        assert order.reference is None or order.reference > 0
        if order.kind != "mint":
            payer = (order.asset, order.from_address)
            wanted[payer] = wanted.get(payer, 0) + 1

    assets, addresses = [asset for asset, _ in wanted], [address for _, address in wanted]
    sweeps = any(order.kind == "sweep" for order in orders)
    assert not sweeps or all(order.kind == "sweep" for order in orders)
    rows = await connection.fetch(sql.take_nonces, assets, addresses, list(wanted.values()), sweeps) if wanted else []
    free = {(row["asset"], row["address"]): int(row["first"]) for row in rows}
    if len(free) < len(wanted):
        raise Contended

    authorizations = []
    for order in orders:
        if order.reference is not None:
            sender, nonce = ZERO, order.reference
        else:
            sender, nonce = order.from_address, free[order.asset, order.from_address]
            free[order.asset, order.from_address] += 1
        authorizations.append(
            Authorization(
                order.id,
                order.kind,
                order.asset,
                sender,
                order.to_address,
                order.value,
                nonce,
                order.valid_before,
                None,
                order.by,
            )
        )
    await connection.execute(
        sql.enqueue,
        [a.id for a in authorizations],
        [a.kind for a in authorizations],
        [a.asset for a in authorizations],
        [a.from_address for a in authorizations],
        [a.to_address for a in authorizations],
        [a.value for a in authorizations],
        [a.nonce for a in authorizations],
        [a.valid_before for a in authorizations],
        now,
        [a.by for a in authorizations],
    )
    return authorizations


async def present(connection: Connection, one: Authorization, now: datetime) -> bool:
    """Queue one that its owner has signed already, with a nonce of their own. False where it is used already."""
    row = await connection.fetchval(
        sql.present,
        *(one.id, one.kind, one.asset, one.from_address, one.to_address, one.value, one.nonce, one.valid_after),
        *(one.valid_before, now, one.by, one.signature),
    )
    return row is not None


async def nonces_given_out(connection: Connection, asset: str, address: str) -> int:
    """The next nonce that would be given out at the address; until the caller commits nobody gives out any, or leaves
    it. Raises Contended when it was left meanwhile.
    """
    given_out = await connection.fetchval(sql.hold_nonces, asset, address)
    if given_out is None:
        raise Contended
    return int(given_out)


async def begin_nonces(connection: Connection, payers: Collection[tuple[str, str]]) -> None:
    """Where (asset, address) has no nonces yet, begin them at a place of its own, 256 to a word of the contract's.

    An address of somebody's own may have used others, such as 0: the place is far from those, and the same each time.
    """
    firsts = [int.from_bytes(keccak(asset.encode() + to_bytes(address)), "big") >> 8 << 8 for asset, address in payers]
    await connection.execute(
        sql.begin_nonces, [asset for asset, _ in payers], [address for _, address in payers], firsts
    )


async def pass_over(connection: Connection, keys: Collection[Key]) -> None:
    """Hand out no nonce that one of these has used: their owners did, without us."""
    if keys:
        await connection.execute(sql.pass_over, *(list(column) for column in zip(*keys, strict=True)))


async def leave(connection: Connection, assets: Sequence[str], address: str) -> None:
    """Hand out no more nonces of an address: whoever was handing one out has ended when this returns."""
    await connection.execute(sql.close_nonces, list(assets), address)


async def count_open(connection: Connection, assets: Sequence[str], addresses: Sequence[str]) -> int:
    """How much of what these addresses give, or of what is minted to them, is still on its way."""
    return int(await connection.fetchval(sql.count_open, list(assets), list(addresses)))


async def come_back(connection: Connection, assets: Sequence[str], address: str) -> None:
    """Hand out nonces of an address again that was left before."""
    await connection.execute(sql.open_nonces, list(assets), address)


async def one(connection: Connection, id: UUID, for_update: bool = False) -> Tracked:
    """An authorization of ours, by its id."""
    row = await connection.fetchrow(sql.by_id_for_update if for_update else sql.by_id, id)
    assert row is not None
    return Tracked(from_row(row), row["state"], row["transaction_id"])


async def sign(connection: Connection, id: UUID, signature: bytes) -> None:
    """Queue an authorization with the signature that it waited for; its row is locked by the caller."""
    await connection.execute(sql.sign, id, signature)


async def find(connection: Connection, keys: Iterable[Key], for_update: bool = False) -> dict[Key, Tracked]:
    """Our authorizations among these; a key that is not ours is absent. `for_update`: locked in id order."""
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


async def settle(connection: Connection, ids: Sequence[UUID]) -> None:
    """Give these authorizations their end: a final log has settled them. What has an end already keeps it."""
    if ids:
        await connection.execute(sql.settle, list(ids))


async def finish(
    connection: Connection,
    ids: Sequence[UUID],
    state: Literal["skipped", "expired"],
    reasons: Sequence[str],
) -> list[UUID]:
    """Give these authorizations an end without a settlement. Returns those that had none yet; an end is for good."""
    assert len(reasons) == len(ids)
    if not ids:
        return []
    return [row["id"] for row in await connection.fetch(sql.finish, list(ids), state, list(reasons))]


async def requeue(connection: Connection, transaction_ids: Iterable[UUID]) -> list[UUID]:
    """Queue again what finally reverted transactions carried: a revert has spent no nonce. Returns their ids."""
    reverted = list(transaction_ids)
    return [row["id"] for row in await connection.fetch(sql.requeue, reverted)] if reverted else []


async def overdue(
    connection: Connection, assets: Collection[str], timestamp: int, limit: int = 500
) -> list[Authorization]:
    """Authorizations that no block after a final block of this time can settle, in the order in which their time ended.

    They have expired if the contract confirms it: see `used`, then `lock_overdue`. One in doubt is left out.
    """
    return [from_row(row) for row in await connection.fetch(sql.overdue, list(assets), timestamp, limit)]


async def used(
    node: Node, contracts: Mapping[str, Contract], asked: Sequence[Authorization], at: int
) -> dict[UUID, bool]:
    """Whether the contract has used each of these, which are over at block `at`, as of that block. Network only.

    A node that has forgotten the state of that block is asked for the newest: nothing that is over is used after it.
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
    """Those of these that are overdue still, locked; one that another transaction is busy with is left for later."""
    return [from_row(row) for row in await connection.fetch(sql.lock_overdue, list(ids), timestamp)]


async def doubt(connection: Connection, ids: Sequence[UUID], reason: str) -> None:
    """Leave these without an end, for a reason that somebody has to look at; a log of theirs still settles them."""
    await connection.execute(sql.doubt, list(ids), reason)


async def freeze(connection: Connection, ids: Sequence[UUID]) -> None:
    """Put these, which are locked, into no further batch, and let none of them expire, until they are released."""
    if ids:
        await connection.execute(sql.freeze, list(ids))


async def release(connection: Connection, asset: str, valid_before: int) -> int:
    """Let what was frozen of the asset go on; returns how many. What nobody has signed yet has until `valid_before`,
    in Unix seconds, if that is later; what somebody has, the time that they signed.
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

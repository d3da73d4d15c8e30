"""Sweeps: tokens at the address that a wallet was given first follow it to the address of its owner's own.

    queued ──settled on the chain──> settled
       │ ^
       v └─ after a while, to the address that is current then
    waiting   the contract has refused it (an account is frozen, say), or its time was over
    gone      it is not there any more: its owner, who can have that key too, has sent it elsewhere

In the book nothing changes: both addresses are one wallet's. What is on its way is set aside, since it cannot be paid
with: a payment from the current address that needed it would fail. So `available` is what lies at that address.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import UUID

from gateway.chain import authorization
from gateway.chain.authorization import Order
from gateway.ids import TransferId, WalletId, new_id
from gateway.ledger.transfer import Leg, Transfer
from gateway.money import Assets, Money
from gateway.payments import records
from gateway.payments.terms import Terms
from gateway.postgres import Connection, Record

#: A sweep that came to nothing is tried again after so long.
_AGAIN_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Sweep:
    """`id` is of its hold as well."""

    id: UUID
    wallet: WalletId
    amount: Money
    from_address: str
    state: Literal["queued", "waiting", "settled", "gone"]
    authorization_id: UUID
    failure: str | None


def sweep_of(wallet: WalletId, amount: Money, from_address: str, now: datetime) -> Sweep:
    """A new one."""
    return Sweep(new_id(now), wallet, amount, from_address, "queued", new_id(now), None)


def hold_of(one: Sweep, leg: Leg) -> Transfer:
    """What it sets aside. The tokens are where they are whatever was promised of them, so it is a fact."""
    return Transfer(TransferId(one.id), "sweep", one.id, (leg,), hold=True, fact=True)


async def start(
    connection: Connection, terms: Terms, sweeps: Sequence[Sweep], to: Sequence[str], now: datetime
) -> None:
    """Queue new sweeps, each to an address; their holds are written by the caller, before this."""
    if not sweeps:
        return
    await authorization.enqueue(connection, _orders(terms, sweeps, to, now), now)
    await connection.execute(
        records.sql.insert_sweeps,
        [one.id for one in sweeps],
        [one.wallet for one in sweeps],
        [one.amount.asset.code for one in sweeps],
        [one.from_address for one in sweeps],
        [one.amount.units for one in sweeps],
        [one.authorization_id for one in sweeps],
        now,
    )


async def update(connection: Connection, sweeps: Sequence[Sweep], now: datetime) -> None:
    """Write what became of these, whose authorizations are locked by the caller."""
    if sweeps:
        await connection.execute(
            records.sql.update_sweeps,
            [one.id for one in sweeps],
            [one.state for one in sweeps],
            [one.authorization_id for one in sweeps],
            [one.failure for one in sweeps],
            now,
        )


async def by_authorizations(connection: Connection, assets: Assets, ids: Sequence[UUID]) -> list[Sweep]:
    """The sweeps that these authorizations, locked by the caller, are for."""
    rows = await connection.fetch(records.sql.sweeps_of_authorizations, list(ids))
    return [_of_row(assets, row) for row in rows]


async def try_again(connection: Connection, terms: Terms, now: datetime, limit: int = 100) -> int:
    """Queue anew what has waited long enough, to where its wallet is now; returns how many."""
    rows = await connection.fetch(records.sql.waiting_sweeps, now - _AGAIN_AFTER, limit)
    again = [
        replace(_of_row(terms.assets, row), state="queued", authorization_id=new_id(now), failure=None) for row in rows
    ]
    if again:
        await authorization.enqueue(connection, _orders(terms, again, [row["to_address"] for row in rows], now), now)
        await update(connection, again, now)
    return len(again)


def _orders(terms: Terms, sweeps: Sequence[Sweep], to: Sequence[str], now: datetime) -> list[Order]:
    return [
        Order(
            id=one.authorization_id,
            kind="sweep",
            asset=one.amount.asset.code,
            from_address=one.from_address,
            to_address=address,
            value=one.amount.units,
            valid_before=int(now.timestamp()) + terms.authorization_seconds,
        )
        for one, address in zip(sweeps, to, strict=True)
    ]


def _of_row(assets: Assets, row: Record) -> Sweep:
    return Sweep(
        id=row["id"],
        wallet=WalletId(row["wallet_id"]),
        amount=Money(row["amount"], assets[row["asset"]]),
        from_address=row["from_address"],
        state=row["state"],
        authorization_id=row["authorization_id"],
        failure=row["failure"],
    )

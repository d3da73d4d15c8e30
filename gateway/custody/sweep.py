"""Sweeps: tokens at the address that a wallet was given first follow it to the address of its owner's own.

    queued ──settled on the chain──> settled
       │ ^
       v └─ after a while, to the address that is current then
    waiting   the contract has refused it (an account is frozen, say), or its time was over, or there is too little
    gone      not all of it is there any more: its owner, who can have that key too, has sent some elsewhere; what is
              left has another sweep

In the ledger nothing changes: both addresses are one wallet's. What is on its way is set aside, since it cannot be paid
with: a payment from the current address that needed it would fail. So `available` is what lies at that address.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from gateway.chain.node import Node
from gateway.chain.token import authorization
from gateway.chain.token.authorization import Order
from gateway.chain.watcher import balances, cursors
from gateway.ids import TransferId, WalletId, new_id
from gateway.ledger import account, ledger, transfer
from gateway.ledger.transfer import End, Leg, Transfer
from gateway.money import Assets, Money
from gateway.payments.model.settings import PaymentSettings
from gateway.payments.records import records
from gateway.postgres.pool import Connection, Database, Record

#: What the contract says where there is less than was to be brought.
TOO_LITTLE: Final = "insufficient_balance"

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


@dataclass(frozen=True, slots=True)
class NewSweep:
    """A sweep that begins, and the address that it brings its tokens to."""

    sweep: Sweep
    to_address: str


def hold_of(one: Sweep, leg: Leg) -> Transfer:
    """What it sets aside. The tokens are where they are whatever was promised of them, so it is unconditional."""
    return Transfer(TransferId(one.id), "sweep", one.id, (leg,), hold=True, unconditional=True)


async def start(connection: Connection, authorization_seconds: int, new: Sequence[NewSweep], now: datetime) -> None:
    """Queue new sweeps, good for so long; their holds are written by the caller, before this."""
    if not new:
        return
    await authorization.enqueue(connection, _orders(authorization_seconds, new, now), now)
    sweeps = [one.sweep for one in new]
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


async def bring(database: Database, node: Node, settings: PaymentSettings, now: datetime, limit: int = 100) -> int:
    """Queue failed sweeps again, to the current addresses of their wallets: after a while, or, if the balance was too
    low, with the balance that is left, which the chain is asked for before the transaction. Returns how many.

    Lock order: the cursor, so that no wallet binds an address meanwhile; the sweeps; accounts; nonces.
    """
    async with database.reading() as connection:
        rows = await connection.fetch(records.sql.waiting_sweeps, now - _AGAIN_AFTER, limit)
        if not rows:
            return 0
        cursor = await cursors.read(connection, settings.contract(settings.assets[rows[0]["asset"]]).chain_id)
    assert cursor is not None, "what comes to nothing was read from the chain"
    short = sorted({(row["asset"], row["from_address"]) for row in rows if row["failure"] == TOO_LITTLE})
    left = dict[tuple[str, str], int]()
    for code in {asset for asset, _ in short}:
        addresses = [address for asset, address in short if asset == code]
        units = await balances.read(node, settings.contracts[code], addresses, cursor.number)
        left |= {(code, address): one for address, one in zip(addresses, units, strict=True)}
    async with database.transaction() as connection:
        if not await cursors.stands(connection, cursor):
            return len(rows)
        rows = await connection.fetch(records.sql.waiting_sweeps, now - _AGAIN_AFTER, limit)
        for row in await connection.fetch(records.sql.swept_otherwise, [address for _, address in short]):
            pair = row["asset"], row["from_address"]
            if pair in left:
                left[pair] -= int(row["units"])
        await _try_again(connection, settings, [row for row in rows if row["failure"] != TOO_LITTLE], now)
        await _bring_what_is_left(
            connection, settings, [row for row in rows if row["failure"] == TOO_LITTLE], left, now
        )
    return len(rows)


async def _try_again(connection: Connection, settings: PaymentSettings, rows: Sequence[Record], now: datetime) -> None:
    again = [
        replace(_of_row(settings.assets, row), state="queued", authorization_id=new_id(now), failure=None)
        for row in rows
    ]
    if again:
        new = [NewSweep(one, row["to_address"]) for one, row in zip(again, rows, strict=True)]
        await authorization.enqueue(connection, _orders(settings.authorization_seconds, new, now), now)
        await update(connection, again, now)


async def _bring_what_is_left(
    connection: Connection,
    settings: PaymentSettings,
    rows: Sequence[Record],
    left: dict[tuple[str, str], int],
    now: datetime,
) -> None:
    """The owner has taken some of it away with the key that we both have: another sweep brings the rest, if any."""
    tokens = [settings.assets[row["asset"]] for row in rows]
    wanted = [(account.wallet(row["handle"], token), token) for row, token in zip(rows, tokens, strict=True)]
    ids = await ledger.accounts(
        connection, [*wanted, *((account.system_account("outside", token), token) for token in tokens)]
    )
    steps: list[Transfer | End] = []
    fresh: list[NewSweep] = []
    ended: list[Sweep] = []
    for row, (mine, token) in zip(rows, wanted, strict=True):
        one, pair = _of_row(settings.assets, row), (token.code, row["from_address"])
        ended.append(replace(one, state="gone"))
        steps.append(End(TransferId(one.id), transfer.Event.VOID))
        rest = min(left.get(pair, 0), one.amount.units)
        if rest > 0:
            left[pair] -= rest
            rest_of_it = sweep_of(one.wallet, Money(rest, token), one.from_address, now)
            fresh.append(NewSweep(rest_of_it, row["to_address"]))
            steps.append(hold_of(rest_of_it, Leg(ids[mine], ids[account.system_account("outside", token)], rest)))
    if steps:
        ledger.all_done(await ledger.write(connection, steps, now))
        await update(connection, ended, now)
        await start(connection, settings.authorization_seconds, fresh, now)


def _orders(authorization_seconds: int, new: Sequence[NewSweep], now: datetime) -> list[Order]:
    return [
        Order(
            id=one.sweep.authorization_id,
            kind="sweep",
            asset=one.sweep.amount.asset.code,
            from_address=one.sweep.from_address,
            to_address=one.to_address,
            value=one.sweep.amount.units,
            valid_before=int(now.timestamp()) + authorization_seconds,
        )
        for one in new
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

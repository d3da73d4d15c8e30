"""Sweeps: move tokens from the address that the gateway created for a wallet to the address that its owner has bound.

    queued ──settled on the chain──> settled
       │ ^
       v └─ retried after a while, to the wallet's current address
    waiting   the contract refused it (an account is frozen, say), it expired, or the balance was too low
    gone      part of the balance has left: the owner, who can export that key too, has sent some of it elsewhere;
              a new sweep moves the rest

The wallet's balance in the ledger does not change, because both addresses are the wallet's. The amount is on hold until
it has been swept: a payment from the current address that needed it would fail. So `available` is the balance of the
current address.
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

#: The contract's error if the balance is lower than the amount to sweep.
TOO_LITTLE: Final = "insufficient_balance"

#: How long after a failure a sweep is retried.
_RETRY_AFTER = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep. `id` is also the id of its hold."""

    id: UUID
    wallet: WalletId
    amount: Money
    from_address: str
    state: Literal["queued", "waiting", "settled", "gone"]
    authorization_id: UUID
    failure: str | None


def sweep_of(wallet: WalletId, amount: Money, from_address: str, now: datetime) -> Sweep:
    """Return a new sweep."""
    return Sweep(new_id(now), wallet, amount, from_address, "queued", new_id(now), None)


@dataclass(frozen=True, slots=True)
class NewSweep:
    """A new sweep, and the address that it moves its tokens to."""

    sweep: Sweep
    to_address: str


def hold_of(one: Sweep, leg: Leg) -> Transfer:
    """Return the hold of a sweep. It is unconditional: the tokens are at the old address, whatever the available
    balance.
    """
    return Transfer(TransferId(one.id), "sweep", one.id, (leg,), hold=True, unconditional=True)


async def start(connection: Connection, authorization_seconds: int, new: Sequence[NewSweep], now: datetime) -> None:
    """Queue new sweeps, valid for `authorization_seconds`. The caller has written their holds."""
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
    """Store the new state of these sweeps, whose authorizations the caller has locked."""
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
    """Return the sweeps of these authorizations, which the caller has locked."""
    rows = await connection.fetch(records.sql.sweeps_of_authorizations, list(ids))
    return [_of_row(assets, row) for row in rows]


async def retry(database: Database, node: Node, settings: PaymentSettings, now: datetime, limit: int = 100) -> int:
    """Queue failed sweeps again, to the current addresses of their wallets. Returns how many.

    Each is retried after a while. If the balance was too low, the remaining balance is swept; it is read from the chain
    before the transaction.

    Lock order: the cursor, so that no wallet binds an address in the meantime; the sweeps; accounts; nonces.
    """
    async with database.reading() as connection:
        rows = await connection.fetch(records.sql.waiting_sweeps, now - _RETRY_AFTER, limit)
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
        if not await cursors.lock_if_at(connection, cursor):
            return len(rows)
        rows = await connection.fetch(records.sql.waiting_sweeps, now - _RETRY_AFTER, limit)
        for row in await connection.fetch(records.sql.swept_otherwise, [address for _, address in short]):
            pair = row["asset"], row["from_address"]
            if pair in left:
                left[pair] -= int(row["units"])
        await _requeue(connection, settings, [row for row in rows if row["failure"] != TOO_LITTLE], now)
        await _sweep_remainder(connection, settings, [row for row in rows if row["failure"] == TOO_LITTLE], left, now)
    return len(rows)


async def _requeue(connection: Connection, settings: PaymentSettings, rows: Sequence[Record], now: datetime) -> None:
    again = [
        replace(_of_row(settings.assets, row), state="queued", authorization_id=new_id(now), failure=None)
        for row in rows
    ]
    if again:
        new = [NewSweep(one, row["to_address"]) for one, row in zip(again, rows, strict=True)]
        await authorization.enqueue(connection, _orders(settings.authorization_seconds, new, now), now)
        await update(connection, again, now)


async def _sweep_remainder(
    connection: Connection,
    settings: PaymentSettings,
    rows: Sequence[Record],
    left: dict[tuple[str, str], int],
    now: datetime,
) -> None:
    """Sweep the rest, if any, after the owner has moved part of the balance with the exported key."""
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

"""Continuous reconciliation: the lease of a run, and the differences that it finds, from suspected to confirmed.

    a block range is in the ledger ──> a worker takes the lease ──> compares, in no transaction ──> writes what differs
                                                                │
      seen once: suspected ── found again, a while later ──> confirmed: an event; withdrawals of its asset are frozen
              │                   └─ the ledger lacks a movement: it is posted, and the next run compares again
              └──────────── not found again ──────────────> forgotten: a node was behind

One worker runs at a time, over everything since the last run began, so that even a busy hour costs at most one run
after another. The lease is a row, which also says up to which block everything was compared. If a worker is killed,
another takes its lease after a while. A worker that was only slow finds that it has lost its lease, and writes nothing.

A run compares the wallets that the blocks since the last run have changed, the supply, the reserves and the bank. Once
a day it compares every wallet, which also finds changes without a log, such as a transfer whose log a node left out.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.audit import log as audit
from gateway.audit.log import WORKER, AuditEvent
from gateway.chain.errors import NodeUnavailable
from gateway.chain.node import Node
from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.events import log as events_log
from gateway.ids import WalletId
from gateway.money import Assets
from gateway.payments.checks import withdrawal_freeze
from gateway.payments.model.settings import PaymentSettings
from gateway.postgres.pool import Connection, Database, Statements
from gateway.reconciliation import reread, solvency
from gateway.reconciliation.solvency import Difference

sql = Statements(__package__, "monitor.sql")

log = logging.getLogger(__name__)

#: The differences with the bank, read in a snapshot.
Bank = Callable[[Connection, Assets], Awaitable[list[Difference]]]


@dataclass(frozen=True, slots=True)
class Schedule:
    """How often every wallet is compared, how old a suspicion is before it is compared again, and how long after its
    last renewal another worker may take the lease.
    """

    all_every: timedelta = timedelta(days=1)
    again_after: timedelta = timedelta(seconds=1)
    lease: timedelta = timedelta(seconds=30)


SCHEDULE = Schedule()


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A difference that one run has found and no second run has compared again."""

    id: int
    account: str

    @property
    def handle(self) -> str | None:
        """The handle of its wallet; None for a system account."""
        kind, _, rest = self.account.partition(":")
        return rest.partition(":")[0] if kind == "wallet" else None


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do run `number`, over the wallets that final blocks after `since` have changed and those that are
    suspected, or over every wallet.
    """

    chain_id: int
    number: int
    since: int
    every: bool
    suspicions: Sequence[Suspicion]

    @property
    def thorough(self) -> bool:
        """Whether all wallets are added up, which takes a while if there are many."""
        return self.every or bool(self.suspicions)


async def reconcile(
    database: Database, node: Node, settings: PaymentSettings, bank: Bank, schedule: Schedule, clock: Clock
) -> list[Difference]:
    """Do a run, if one is due and no other worker does it. Returns the differences that are now confirmed: this run
    found them, and so did one a while before.

    Raises what the node raises, after releasing the lease.
    """
    if not settings.contracts:
        return []
    async with database.reading() as connection:
        lease = await take(connection, next(iter(settings.contracts.values())).chain_id, schedule)
    if lease is None:
        return []
    try:
        to, wallets = await _scope(database, settings, lease)
        async with database.snapshot() as connection:
            found = await bank(connection, settings.assets)
            found += await solvency.ledger_differences(connection, settings, lease.thorough)
        async for batch in solvency.chain_differences(database, node, settings, wallets):
            found += batch
            async with database.one_statement() as connection:
                if not await renew(connection, lease):
                    return []
        found = solvency.distinct(found)
        if not await _reread(database, node, settings, lease, found, clock):
            return []
        async with database.transaction() as connection:
            return await end(connection, lease, to, found, schedule, clock())
    except GatewayError:
        async with database.one_statement() as connection:
            await release(connection, lease)
        raise


async def differences(connection: Connection) -> dict[str, tuple[int, int]]:
    """Return the number of open differences by asset: suspected, and confirmed."""
    rows = await connection.fetch(sql.differences)
    return {row["asset"]: (row["suspected"], row["confirmed"]) for row in rows}


async def _reread(
    database: Database, node: Node, settings: PaymentSettings, lease: Lease, found: Sequence[Difference], clock: Clock
) -> bool:
    """Before a difference is confirmed, search for movements that the ledger lacks. Returns False if it posted some, or
    if another worker has the lease by now: then the differences found by this run are no longer valid.
    """
    suspected = {one.account for one in lease.suspicions}
    again = [one for one in found if one.account in suspected and one.block is not None]
    try:
        async for posted in reread.search(database, node, settings, again, clock):
            async with database.one_statement() as connection:
                if not await renew(connection, lease):
                    return False
                if posted:
                    await release(connection, lease)
                    return False
    except NodeUnavailable as why:
        log.warning("the differences are confirmed without searching for missing entries: %s", why)
    return True


async def _scope(database: Database, settings: PaymentSettings, lease: Lease) -> tuple[int, list[WalletId] | None]:
    """Return the final block up to which the run compares, and the wallets; None means all."""
    to, wallets = await solvency.moved_wallets(database, settings, lease.since)
    if lease.every:
        return to, None
    handles = [one.handle for one in lease.suspicions if one.handle is not None]
    if handles:
        async with database.reading() as connection:
            rows = await connection.fetch(sql.wallets_of_handles, handles)
        wallets = sorted({*wallets, *(WalletId(row["id"]) for row in rows)})
    return to, wallets


async def take(connection: Connection, chain_id: int, schedule: Schedule) -> Lease | None:
    """Return the lease, if there is anything to compare and no other worker has it. Each write is a single
    statement.
    """
    await connection.execute(sql.begin_runs)
    row = await connection.fetchrow(sql.take_lease, chain_id, schedule.lease, schedule.all_every, schedule.again_after)
    if row is None:
        return None
    suspicions = [Suspicion(one["id"], one["account"]) for one in await connection.fetch(sql.suspicions)]
    return Lease(chain_id, row["run"], row["number"], row["every"], suspicions)


async def renew(connection: Connection, lease: Lease) -> bool:
    """Renew the lease. Returns False if another worker has it by now: then stop."""
    return await connection.fetchval(sql.renew_lease, lease.chain_id, lease.number) is not None


async def release(connection: Connection, lease: Lease) -> None:
    """Release the lease of a run that was not finished, so that another run can begin at once."""
    await connection.execute(sql.release_lease, lease.chain_id, lease.number)


async def end(
    connection: Connection, lease: Lease, to: int, found: Sequence[Difference], schedule: Schedule, now: datetime
) -> list[Difference]:
    """Write the differences that a run found, over a ledger that is read up to block `to`. Returns those that are now
    confirmed: each gets an event, and withdrawals of its asset are frozen. Writes nothing if another worker has the
    lease by now.
    """
    if await connection.fetchval(sql.end_run, lease.chain_id, lease.number, to, lease.every) is None:
        return []
    rows = await connection.fetch(
        sql.confirm,
        [one.account for one in found],
        [one.against for one in found],
        [one.block for one in found],
        [one.ledger.units for one in found],
        [one.other.units for one in found],
        schedule.again_after,
    )
    keys = {(row["account"], row["against"]) for row in rows}
    confirmed = [one for one in found if one.key in keys]
    await suspect(connection, found)
    await connection.execute(
        sql.forget,
        [one.id for one in lease.suspicions],
        [one.account for one in found],
        [one.against for one in found],
    )
    if confirmed:
        frozen = await withdrawal_freeze.freeze(connection, {one.asset.code for one in confirmed}, now)
        events = [events_log.Event("solvency.difference", None, None, _details(one)) for one in confirmed]
        events += [events_log.Event("withdrawals.frozen", None, None, {"asset": asset}) for asset in frozen]
        await events_log.append(connection, events, now)
        audit_events = [AuditEvent(one.kind, None, WORKER, None, one.payload) for one in events]
        await audit.append(connection, audit_events, now)
    return confirmed


async def suspect(connection: Connection, found: Sequence[Difference]) -> None:
    """Record suspected differences. Those that are recorded already stay as they are. A later run confirms or forgets
    them.
    """
    await connection.execute(
        sql.suspect,
        [one.account for one in found],
        [one.asset.code for one in found],
        [one.against for one in found],
        [one.block for one in found],
        [one.ledger.units for one in found],
        [one.other.units for one in found],
    )


async def reconciled_to(connection: Connection, chain_id: int) -> int | None:
    """Return the final block up to which the ledger was reconciled with the chain; None if it was not yet."""
    number: int | None = await connection.fetchval(sql.reconciled_to, chain_id)
    return number


def _details(one: Difference) -> dict[str, object]:
    return {
        "account": one.account,
        "asset": one.asset.code,
        "block": one.block,
        "amount": one.amount.amount,
        "ledger": one.ledger.amount,
        "other": one.other.amount,
        "against": one.against,
    }

"""Holding the book against the chain and the bank all the time: whose turn it is, and what became of what was found.

    a block range is in the book ──> somebody takes the turn ──> looks, without a transaction ──> writes what was found
                                                             │
      seen once: suspected ── found again, a while later ──> confirmed: an event, and withdrawals of it are frozen
              │                   └─ the book lacks something of it: that is posted, and all is looked at again
              └──────────── not found again ──────────────> forgotten: a node was behind

One worker looks at a time, and at all that came since the last look was begun, so that a busy hour costs a look after
the other and no more. The turn is a row. Who is killed while they look leaves it, and somebody takes it after a while;
up to which block all was looked at is in that row. Who was only slow finds that their turn is over, and what they found
is not written.

What the blocks since the last look have moved is looked at, and with it the supply, the reserves and the bank. Every
wallet is, once a day, which finds also what was never told us: a transfer whose log a node left out, say.
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

#: What does not agree at the bank, read in a snapshot.
Bank = Callable[[Connection, Assets], Awaitable[list[Difference]]]


@dataclass(frozen=True, slots=True)
class Pace:
    """How often every wallet is looked at, how old a suspicion is before it is looked at again, and after what time
    without a sign of life somebody else takes the turn.
    """

    all_every: timedelta = timedelta(days=1)
    again_after: timedelta = timedelta(seconds=1)
    turn: timedelta = timedelta(seconds=30)


PACE = Pace()


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What a look has found, and no second one has been made for."""

    id: int
    account: str

    @property
    def handle(self) -> str | None:
        """Whose wallet it is; None where it is a system account."""
        kind, _, rest = self.account.partition(":")
        return rest.partition(":")[0] if kind == "wallet" else None


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to look, at what final blocks after `since` have moved and at what is suspected, or at every wallet."""

    chain_id: int
    number: int
    since: int
    every: bool
    suspicions: Sequence[Suspicion]

    @property
    def thorough(self) -> bool:
        """Whether all wallets are added up, which takes a while where there are many."""
        return self.every or bool(self.suspicions)


async def look(
    database: Database, node: Node, settings: PaymentSettings, bank: Bank, pace: Pace, clock: Clock
) -> list[Difference]:
    """Look, if it is our turn. Returns what is confirmed now: it was seen by this look and by one a while before it.

    Raises what the node raises; the turn is free again then.
    """
    if not settings.contracts:
        return []
    async with database.reading() as connection:
        turn = await take(connection, next(iter(settings.contracts.values())).chain_id, pace)
    if turn is None:
        return []
    try:
        to, wallets = await _scope(database, settings, turn)
        async with database.snapshot() as connection:
            found = await bank(connection, settings.assets)
            found += await solvency.within(connection, settings, turn.thorough)
        async for part in solvency.parts(database, node, settings, wallets):
            found += part
            async with database.one_statement() as connection:
                if not await keep(connection, turn):
                    return []
        found = solvency.once(found)
        if not await _read_again(database, node, settings, turn, found, clock):
            return []
        async with database.transaction() as connection:
            return await end(connection, turn, to, found, pace, clock())
    except GatewayError:
        async with database.one_statement() as connection:
            await give_back(connection, turn)
        raise


async def _read_again(
    database: Database, node: Node, settings: PaymentSettings, turn: Turn, found: Sequence[Difference], clock: Clock
) -> bool:
    """Before something that is seen again is believed, search for what the book lacks of it. False when there was
    something, or the turn is somebody else's by now: then what was found says nothing any more.
    """
    suspected = {one.account for one in turn.suspicions}
    again = [one for one in found if one.account in suspected and one.block is not None]
    try:
        async for posted in reread.search(database, node, settings, again, clock):
            async with database.one_statement() as connection:
                if not await keep(connection, turn):
                    return False
                if posted:
                    await give_back(connection, turn)
                    return False
    except NodeUnavailable as why:
        log.warning("what differs is believed without a search for what the book lacks: %s", why)
    return True


async def _scope(database: Database, settings: PaymentSettings, turn: Turn) -> tuple[int, list[WalletId] | None]:
    """Up to which final block the look is, and at which wallets; None is all."""
    to, wallets = await solvency.moved(database, settings, turn.since)
    if turn.every:
        return to, None
    handles = [one.handle for one in turn.suspicions if one.handle is not None]
    if handles:
        async with database.reading() as connection:
            rows = await connection.fetch(sql.wallets_of_handles, handles)
        wallets = sorted({*wallets, *(WalletId(row["id"]) for row in rows)})
    return to, wallets


async def take(connection: Connection, chain_id: int, pace: Pace) -> Turn | None:
    """The turn, if there is anything to look at and nobody does. Its writes are one statement each."""
    await connection.execute(sql.begin_looks)
    row = await connection.fetchrow(sql.take_turn, chain_id, pace.turn, pace.all_every, pace.again_after)
    if row is None:
        return None
    suspicions = [Suspicion(one["id"], one["account"]) for one in await connection.fetch(sql.suspicions)]
    return Turn(chain_id, row["turn"], row["number"], row["every"], suspicions)


async def keep(connection: Connection, turn: Turn) -> bool:
    """Say that we are still looking. False when the turn is somebody else's by now: then stop."""
    return await connection.fetchval(sql.keep_turn, turn.chain_id, turn.number) is not None


async def give_back(connection: Connection, turn: Turn) -> None:
    """Let somebody begin another look at once: this one came to nothing."""
    await connection.execute(sql.give_turn_back, turn.chain_id, turn.number)


async def end(
    connection: Connection, turn: Turn, to: int, found: Sequence[Difference], pace: Pace, now: datetime
) -> list[Difference]:
    """Write what a look found, which had the book up to block `to` before it. Returns what is confirmed now: each has
    its event, and withdrawals of its asset are frozen. Nothing is written when the turn is somebody else's by now.
    """
    if await connection.fetchval(sql.end_turn, turn.chain_id, turn.number, to, turn.every) is None:
        return []
    rows = await connection.fetch(
        sql.confirm,
        [one.account for one in found],
        [one.against for one in found],
        [one.block for one in found],
        [one.book.units for one in found],
        [one.other.units for one in found],
        pace.again_after,
    )
    keys = {(row["account"], row["against"]) for row in rows}
    confirmed = [one for one in found if one.key in keys]
    await suspect(connection, found)
    await connection.execute(
        sql.forget,
        [one.id for one in turn.suspicions],
        [one.account for one in found],
        [one.against for one in found],
    )
    if confirmed:
        frozen = await withdrawal_freeze.freeze(connection, {one.asset.code for one in confirmed}, now)
        events = [events_log.Event("solvency.difference", None, None, _facts(one)) for one in confirmed]
        events += [events_log.Event("withdrawals.frozen", None, None, {"asset": asset}) for asset in frozen]
        await events_log.append(connection, events, now)
        audit_events = [AuditEvent(one.kind, None, WORKER, None, one.facts) for one in events]
        await audit.append(connection, audit_events, now)
    return confirmed


async def suspect(connection: Connection, found: Sequence[Difference]) -> None:
    """Note what was found; what is noted already stays as it is. A worker's look confirms it, or forgets it."""
    await connection.execute(
        sql.suspect,
        [one.account for one in found],
        [one.asset.code for one in found],
        [one.against for one in found],
        [one.block for one in found],
        [one.book.units for one in found],
        [one.other.units for one in found],
    )


async def looked_to(connection: Connection, chain_id: int) -> int | None:
    """The final block up to which the book was held against the chain; None where it was not yet."""
    number: int | None = await connection.fetchval(sql.looked_to, chain_id)
    return number


def _facts(one: Difference) -> dict[str, object]:
    return {
        "account": one.account,
        "asset": one.asset.code,
        "block": one.block,
        "amount": one.amount.amount,
        "book": one.book.amount,
        "other": one.other.amount,
        "against": one.against,
    }

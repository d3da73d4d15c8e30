"""Deliveries: an event for an endpoint, from the log until it is delivered or has failed.

    pending      waits to be sent or retried, or is being sent (it has a lease)
    delivered    the endpoint answered with a 2xx
    failed       it was tried ten times in three days, or the endpoint answered 410

`take_in` moves an endpoint's cursor over the log and queues the events that it subscribes to. `claim` gives a worker
deliveries of several endpoints under a lease: the first pending one of each object, so that an object's events arrive
in order while other objects do not wait. The outcome of an attempt (outcome.py) is written if the lease is still the
same. If it is not, two workers may have sent the same event: delivery is at least once.

A delivery that fails delays later events of its object at its endpoint, for three days at most. With `PENDING_MAX`
pending deliveries the endpoint's cursor stops. Nothing else waits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, cast
from uuid import UUID, uuid4

from gateway.errors import NotFound
from gateway.events import log
from gateway.events.log import LoggedEvent
from gateway.ids import WalletId
from gateway.postgres.pool import Connection, Record, Statements
from gateway.webhooks import endpoint, schedule
from gateway.webhooks.endpoint import TEST, Endpoint, fits
from gateway.webhooks.vocabulary import Outcome, State

sql = Statements(__package__, "delivery.sql")

#: The most deliveries of an endpoint that are pending: about a megabyte of rows for an endpoint that is away.
PENDING_MAX: Final = 1_000

#: The most deliveries to an endpoint that all workers together send at once.
AT_ONCE: Final = 16

#: The most events of an endpoint that are queued in one transaction, endpoints in one, and numbers of the log that are
#: looked through in one.
_EVENTS, _ENDPOINTS, _NUMBERS = 200, 20, 10_000

#: How long a worker has a delivery to itself: several times as long as sending may take (sender.py).
LEASE: Final = timedelta(seconds=60)

#: How long after it was queued a delivery that has ended is kept, and how many are deleted in one transaction.
KEPT: Final = timedelta(days=30)
FORGOTTEN_MAX: Final = 1_000

#: How many attempts of a delivery are listed.
_TRIES_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this worker may send until the lease expires."""

    endpoint: UUID
    wallet: WalletId
    url: str
    event: int
    lease: UUID
    failing: bool  #: The endpoint has failed several times in a row.

    @property
    def key(self) -> tuple[UUID, int]:
        return self.endpoint, self.event


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt and its outcome. `status` and `retry_after` are those of the answer, if there was one."""

    at: datetime
    milliseconds: int
    outcome: Outcome
    status: int | None = None
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event for an endpoint, with its newest attempts, oldest first. `next_at` is None once it has ended."""

    event: int
    kind: str
    event_at: datetime
    state: State
    next_at: datetime | None
    attempts: Sequence[Attempt]


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many endpoints there are in each state; since when a delivery is due at one that is not failing (None: no
    such delivery is pending); and the number of the event up to which the log was searched.
    """

    endpoints: dict[Literal["ok", "failing", "disabled"], int]
    due_since: datetime | None
    reached: int


async def backlog(connection: Connection) -> Backlog:
    """How much is left to send."""
    row = await connection.fetchrow(sql.backlog)
    assert row is not None
    endpoints: dict[Literal["ok", "failing", "disabled"], int] = {
        "ok": row["ok"],
        "failing": row["failing"],
        "disabled": row["disabled"],
    }
    return Backlog(endpoints, row["due_since"], row["reached"])


async def note_news(connection: Connection) -> bool:
    """Search the new events of all wallets, and mark the endpoints that have news. Returns whether there were any.

    One worker does it at a time. The position is stored, so that a worker that is killed skips none.
    """
    complete_to = await log.complete_to(connection)
    if await connection.fetchval(sql.position) >= complete_to:
        return False
    reached = await connection.fetchval(sql.lock_position)
    if reached is None or reached >= complete_to:
        return False
    if not await connection.fetchval(sql.any_endpoints):
        await connection.execute(sql.move_position, complete_to)
        return False
    to = min(complete_to, reached + _NUMBERS)
    await connection.execute(sql.mark_news, reached, to)
    await connection.execute(sql.move_position, to)
    return True


async def take_in(connection: Connection, now: datetime) -> bool:
    """Queue new events for some endpoints that have news, and move their cursors. Returns whether there were any."""
    rows = await connection.fetch(sql.with_news, *_room(), _ENDPOINTS)
    for row in rows:
        of = endpoint.from_row(row)
        page = await log.read(connection, of.wallet, row["reached"], min(_EVENTS, row["room"]))
        await _queue(connection, of, [one for one in page.events if _is_for(of, one)], now)
        reached = row["reached"] if page.reached is None else page.reached[0]
        await connection.execute(sql.advance, of.id, reached, page.more)
    return bool(rows)


async def anything(connection: Connection, now: datetime) -> bool:
    """Whether there is news or something due. Writes nothing, so that waiting costs little."""
    complete_to = await log.complete_to(connection)
    return bool(
        await connection.fetchval(sql.position) < complete_to
        or await connection.fetch(sql.with_news, *_room(), 1)
        or any([await connection.fetch(sql.due_endpoints, *_due(now, failing), 1) for failing in (False, True)])
    )


async def claim(connection: Connection, now: datetime, most: int, failing: bool) -> list[Claimed]:
    """Up to `most` deliveries of the endpoints whose turn it is: of those that have failed several times in a row, one
    each (`failing`), or of all others.
    """
    rows = {row["id"]: row for row in await connection.fetch(sql.due_endpoints, *_due(now, failing), most)}
    if not rows:
        return []
    lease, at_once = uuid4(), 1 if failing else AT_ONCE
    taken = await connection.fetch(sql.claim, list(rows), now, lease, now + LEASE, at_once, most)
    return [
        Claimed(of["id"], WalletId(of["wallet_id"]), of["url"], one["event"], lease, failing)
        for one in taken
        for of in (rows[one["endpoint_id"]],)
    ]


async def release(connection: Connection, claimed: Sequence[Claimed]) -> None:
    """Leave deliveries that were not tried to any worker."""
    for one in claimed:
        await connection.execute(sql.release, one.endpoint, one.event, one.lease)


async def deliver_again(connection: Connection, of: Endpoint, number: int, now: datetime) -> None:
    """Queue one event of the wallet once more, whatever became of it. Raises NotFound where there is no such event."""
    found = [event for _, event in await log.numbered(connection, [(of.wallet, number)])]
    if not found:
        raise NotFound("such event")
    await connection.execute(sql.retry_at_once, of.id, number, now)
    await _queue(connection, of, found, now)


async def deliveries(
    connection: Connection, of: Endpoint, state: State | None, before: int, limit: int
) -> list[Delivery]:
    """Deliveries to an endpoint, of events numbered below `before`, the newest event first."""
    rows = await connection.fetch(sql.deliveries, of.id, before, state, limit)
    tries: dict[int, list[Attempt]] = {}
    for row in await connection.fetch(sql.attempts, of.id, [row["event"] for row in rows], _TRIES_SHOWN):
        tries.setdefault(row["event"], []).append(
            Attempt(row["at"], row["milliseconds"], cast("Outcome", row["outcome"]), row["status"])
        )
    return [_delivery(row, tries.get(row["event"], [])) for row in rows]


async def forget(connection: Connection, now: datetime) -> int:
    """Delete old deliveries, the rest of deleted endpoints, and expired secrets, a part at a time. Returns how many
    deliveries.
    """
    await connection.execute(sql.forget_secrets, now)
    forgotten = await connection.fetch(sql.forget_deliveries, now - KEPT, FORGOTTEN_MAX)
    if not forgotten:
        await connection.execute(sql.forget_endpoints)
    return len(forgotten)


def _due(now: datetime, failing: bool) -> tuple[datetime, int, int, bool]:
    return now, schedule.FAILURES_IN_ROW, 1 if failing else AT_ONCE, failing


def _room() -> tuple[int, int]:
    """How much may be pending, and how much room there is to be before more is read."""
    return PENDING_MAX, min(_EVENTS, PENDING_MAX) // 4


def _is_for(of: Endpoint, event: LoggedEvent) -> bool:
    return event.subject == of.id if event.kind == TEST else fits(of.types, event.kind)


async def _queue(connection: Connection, of: Endpoint, events: Sequence[LoggedEvent], now: datetime) -> None:
    if events:
        await connection.execute(
            *(sql.queue, of.id, [event.number for event in events], [event.kind for event in events]),
            *([event.subject or of.wallet for event in events], [event.at for event in events], now),
        )


def _delivery(row: Record, attempts: Sequence[Attempt]) -> Delivery:
    next_at = row["next_at"] if row["state"] == "pending" else None
    return Delivery(row["event"], row["kind"], row["event_at"], row["state"], next_at, attempts)

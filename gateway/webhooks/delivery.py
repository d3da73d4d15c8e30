"""Deliveries: an event for an endpoint, from the log until it is delivered or has failed.

    pending      waits to be sent or retried, or is being sent (it has a lease)
    delivered    the endpoint answered with a 2xx
    failed       it was tried ten times in three days, or the endpoint answered 410

`take_in` searches the log and queues the events that endpoints subscribe to. `claim` gives a worker deliveries of
several endpoints under a lease: the first pending one of each object, so that an object's events arrive in order while
other objects do not wait. The outcome of an attempt (outcome.py) is written if the worker still has the lease. If not,
two workers may have sent the same event: delivery is at least once.

A delivery that fails delays later events of its object at its endpoint, for three days at most. With `PENDING_MAX`
pending deliveries the endpoint's cursor stops. Nothing else waits.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, cast
from uuid import UUID, uuid4

from gateway.errors import NotFound
from gateway.events import log
from gateway.ids import WalletId
from gateway.postgres.pool import Connection, Record, Statements
from gateway.webhooks import endpoint, schedule
from gateway.webhooks.endpoint import TEST, Endpoint, fits
from gateway.webhooks.vocabulary import Outcome, State

sql = Statements(__package__, "delivery.sql")

#: The most pending deliveries of an endpoint: about a megabyte of rows for an endpoint that is down.
PENDING_MAX: Final = 1_000

#: The most deliveries to an endpoint that all workers together send at once.
AT_ONCE: Final = 16

#: The most events of one endpoint that are queued in one transaction, the most endpoints in one, and the most event
#: numbers that are searched in one.
_EVENTS, _ENDPOINTS, _NUMBERS = 200, 20, 10_000

#: How long a worker's lease of a delivery lasts: several times as long as sending may take (sender.py).
LEASE: Final = timedelta(seconds=60)

#: How long after it was queued a delivery that has ended is kept, and how many are deleted in one transaction.
KEPT: Final = timedelta(days=30)
FORGOTTEN_MAX: Final = 1_000

#: How many attempts of a delivery are listed.
_TRIES_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class _EventKey:
    """The fields of an event that decide whether and in which order it is sent."""

    number: int
    kind: str
    subject: UUID | None
    at: datetime


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
    """How much there is left to send."""
    row = await connection.fetchrow(sql.backlog)
    assert row is not None
    endpoints: dict[Literal["ok", "failing", "disabled"], int] = {
        "ok": row["ok"],
        "failing": row["failing"],
        "disabled": row["disabled"],
    }
    return Backlog(endpoints, row["due_since"], row["reached"])


async def take_in(connection: Connection, now: datetime) -> bool:
    """Queue new events for the endpoints that subscribe to them. Returns whether there were any.

    The log is searched once for all endpoints, from a stored position. New events are queued at once for endpoints that
    have everything before. An endpoint that is behind, or has no room, is marked and catches up from its own cursor in
    batches. One worker at a time does all this, so a mark is not lost to another worker that has just finished catching
    up for that endpoint.
    """
    complete_to = await log.complete_to(connection)
    position = await connection.fetchrow(sql.lock_position)
    if position is None:
        return False
    searched, behind = False, position["has_behind"]
    if position["reached"] < complete_to:
        searched = position["has_endpoints"]
        to = min(complete_to, position["reached"] + _NUMBERS) if searched else complete_to
        found = await _search(connection, position["reached"], to) if searched else _Found([], [], [])
        await _queue(connection, found.queued, now, found.passed, to)
        if found.behind:
            await connection.execute(sql.mark, found.behind)
        behind = behind or bool(found.behind)
    return (behind and await _catch_up(connection, now)) or searched


@dataclass(frozen=True, slots=True)
class _Found:
    """The result of a search: events to queue, the endpoints that then have everything, and those that are behind."""

    queued: list[tuple[Endpoint, _EventKey]]
    passed: list[UUID]
    behind: list[UUID]


async def _search(connection: Connection, after: int, to: int) -> _Found:
    """Search the events numbered above `after` and up to `to`, for the endpoints that subscribe to them."""
    told: dict[UUID, list[_EventKey]] = {}
    for row in await connection.fetch(sql.news, after, to):
        told.setdefault(row["told"], []).append(_EventKey(row["number"], row["kind"], row["subject"], row["at"]))
    found = _Found([], [], [])
    for row in await connection.fetch(sql.endpoints_of, list(told), PENDING_MAX) if told else ():
        of = endpoint.from_row(row)
        events = [one for one in told[of.wallet] if one.number > row["reached"] and _is_for(of, one)]
        if row["has_news"] or of.disabled_by is not None or len(events) > min(_EVENTS, PENDING_MAX - row["pending"]):
            found.behind.append(of.id)
        else:
            found.passed.append(of.id)
            found.queued.extend((of, one) for one in events)
    return found


async def _catch_up(connection: Connection, now: datetime) -> bool:
    """Queue events for some endpoints that are behind, and move their cursors. Returns whether there were any."""
    rows = await connection.fetch(sql.with_news, *_room(), _ENDPOINTS)
    for row in rows:
        of = endpoint.from_row(row)
        page = await log.read(connection, of.wallet, row["reached"], min(_EVENTS, row["room"]))
        told = [_EventKey(one.number, one.kind, one.subject, one.at) for one in page.events]
        await _queue(connection, [(of, one) for one in told if _is_for(of, one)], now)
        reached = row["reached"] if page.reached is None else page.reached[0]
        await connection.execute(sql.advance, of.id, reached, page.more)
    return bool(rows)


async def anything(connection: Connection, now: datetime) -> bool:
    """Whether there are new events or due deliveries. Writes nothing, so that waiting costs little."""
    complete_to = await log.complete_to(connection)
    return bool(
        await connection.fetchval(sql.position) < complete_to
        or await connection.fetch(sql.with_news, *_room(), 1)
        or await connection.fetch(sql.due_endpoints, *_due(now), 1)
    )


async def claim(connection: Connection, now: datetime, maximum: int, failing_max: int) -> tuple[list[Claimed], bool]:
    """Up to `maximum` deliveries of the endpoints whose turn it is: first of those that are not failing, then up to
    `failing_max` of those that have failed several times in a row, one each. Also whether the limit was reached, so
    that more may be due.
    """
    rows = {row["id"]: row for row in await connection.fetch(sql.due_endpoints, *_due(now, failing_max > 0), maximum)}
    lease, claimed, full = uuid4(), list[Claimed](), False
    for failing in (False, True):
        free = min(maximum - len(claimed), failing_max) if failing else maximum
        of = [id for id, row in rows.items() if row["failing"] == failing]
        if not of or free <= 0:
            continue
        taken = await connection.fetch(sql.claim, of, now, lease, now + LEASE, 1 if failing else AT_ONCE, free)
        claimed += [_claimed(rows[one["endpoint_id"]], one["event"], lease) for one in taken]
        if not failing:
            each = Counter(one["endpoint_id"] for one in taken)
            full = len(taken) >= maximum or any(each[one["endpoint_id"]] >= one["room"] for one in taken)
    return claimed, full


async def release(connection: Connection, claimed: Sequence[Claimed]) -> None:
    """Release deliveries that were not tried, so that any worker can claim them."""
    for one in claimed:
        await connection.execute(sql.release, one.endpoint, one.event, one.lease)


async def deliver_again(connection: Connection, of: Endpoint, number: int, now: datetime) -> None:
    """Redeliver one event of the wallet, whatever its earlier outcome. Raises NotFound if there is no such event."""
    found = [event for _, event in await log.numbered(connection, [(of.wallet, number)])]
    if not found:
        raise NotFound("such event")
    await connection.execute(sql.retry_at_once, of.id, number, now)
    await _queue(connection, [(of, _EventKey(one.number, one.kind, one.subject, one.at)) for one in found], now)


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
    """Delete old deliveries, the rest of deleted endpoints, and expired secrets, in batches. Returns how many
    deliveries.
    """
    await connection.execute(sql.forget_secrets, now)
    forgotten = await connection.fetch(sql.forget_deliveries, now - KEPT, FORGOTTEN_MAX)
    if not forgotten:
        await connection.execute(sql.forget_endpoints)
    return len(forgotten)


def _due(now: datetime, failing: bool = True) -> tuple[datetime, int, int, bool]:
    return now, schedule.FAILURES_IN_ROW, AT_ONCE, failing


def _claimed(row: Record, event: int, lease: UUID) -> Claimed:
    return Claimed(row["id"], WalletId(row["wallet_id"]), row["url"], event, lease, row["failing"])


def _room() -> tuple[int, int]:
    """How many deliveries may be pending, and how much room is needed before more events are read."""
    return PENDING_MAX, min(_EVENTS, PENDING_MAX) // 4


def _is_for(of: Endpoint, event: _EventKey) -> bool:
    return event.subject == of.id if event.kind == TEST else fits(of.types, event.kind)


async def _queue(
    connection: Connection,
    queued: Sequence[tuple[Endpoint, _EventKey]],
    now: datetime,
    passed: Sequence[UUID] = (),
    searched_to: int | None = None,
) -> None:
    """Queue events for endpoints. With `searched_to`, record that the log was searched up to there, and that the
    `passed` endpoints have everything up to there.
    """
    if queued or searched_to is not None:
        await connection.execute(
            *(sql.queue, [of.id for of, _ in queued]),
            *([event.number for _, event in queued], [event.kind for _, event in queued]),
            *([event.subject or of.wallet for of, event in queued], [event.at for _, event in queued], now),
            *(list(passed), searched_to),
        )


def _delivery(row: Record, attempts: Sequence[Attempt]) -> Delivery:
    next_at = row["next_at"] if row["state"] == "pending" else None
    return Delivery(row["event"], row["kind"], row["event_at"], row["state"], next_at, attempts)

"""Deliveries: an event for an endpoint, from the log to its end.

    pending      it is to be sent, is being sent (it has a lease), or waits until it is tried again
    delivered    the endpoint answered with a 2xx
    failed       it was tried ten times in three days, or the endpoint answered 410

`take_in` moves an endpoint's cursor over the log and queues what fits. `claim` gives a worker deliveries of one
endpoint under a lease: the first pending one of each object, so that an object's events arrive in order, while other
objects do not wait. `record` writes what came of a try, if the lease is still the same; the same event sent twice by
two workers is possible then, and is what "at least once" means.

A delivery that fails holds back later events of its own object at its own endpoint for three days at the most, and
with `PENDING_MAX` such deliveries the endpoint's cursor stands still. Nothing else waits for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal, cast, get_args
from uuid import UUID, uuid4

from gateway.audit.log import WORKER
from gateway.errors import NotFound
from gateway.events import log
from gateway.events.log import LoggedEvent
from gateway.ids import WalletId
from gateway.postgres.pool import Connection, Record, Statements
from gateway.webhooks import endpoint, schedule
from gateway.webhooks.endpoint import TEST, Endpoint, fits

sql = Statements(__package__, "delivery.sql")

#: The most deliveries of an endpoint that are pending: about a megabyte of rows for an endpoint that is away.
PENDING_MAX: Final = 1_000

#: The most deliveries of an endpoint that are under way at all workers.
AT_ONCE: Final = 8

#: The most events of an endpoint that are queued in one transaction, endpoints in one, and numbers of the log that are
#: looked through in one.
_EVENTS, _ENDPOINTS, _NUMBERS = 200, 20, 10_000

#: How long a delivery is one worker's: several times what sending may take (sender.py).
LEASE: Final = timedelta(seconds=60)

#: How long deliveries that ended are listed, and how many are forgotten in one transaction.
KEPT: Final = timedelta(days=30)
FORGOTTEN_MAX: Final = 1_000

#: How many tries of a delivery are listed.
_TRIES_SHOWN: Final = 20

State = Literal["pending", "delivered", "failed"]

#: What a try can come to. `delivered` is the only success.
Outcome = Literal[
    "delivered",
    "http_status",
    "redirect",
    "gone",
    "too_many_requests",
    "timeout",
    "name_not_resolved",
    "address_refused",
    "connection_failed",
    "tls_failed",
    "connection_lost",
    "answer_unreadable",
]
OUTCOMES: Final = get_args(Outcome)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this worker may send until the lease runs out."""

    endpoint: UUID
    wallet: WalletId
    url: str
    event: int
    lease: UUID
    failing: bool  #: The endpoint has failed several times in a row.


@dataclass(frozen=True, slots=True)
class Attempt:
    """A try, and what came of it. `status` is the HTTP status, where there was an answer; `retry_after` what the answer
    asked for.
    """

    at: datetime
    milliseconds: int
    outcome: Outcome
    status: int | None = None
    retry_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event for an endpoint, with its newest tries, oldest first. `next_at` is None once it has ended."""

    event: int
    kind: str
    event_at: datetime
    state: State
    next_at: datetime | None
    attempts: Sequence[Attempt]


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many endpoints there are in each state; since when something is due for one that does not fail (None:
    nothing is pending for any); and the number of the event up to which the log was looked through.
    """

    endpoints: dict[Literal["ok", "failing", "disabled"], int]
    due_since: datetime | None
    reached: int


async def backlog(connection: Connection) -> Backlog:
    """What there is to be sent."""
    row = await connection.fetchrow(sql.backlog)
    assert row is not None
    endpoints: dict[Literal["ok", "failing", "disabled"], int] = {
        "ok": row["ok"],
        "failing": row["failing"],
        "disabled": row["disabled"],
    }
    return Backlog(endpoints, row["due_since"], row["reached"])


async def note_news(connection: Connection) -> bool:
    """Look through new events of the log, of all wallets, and note which endpoints have news. Whether there were any.

    One worker does it at a time; its position is kept, so that none is passed over whoever is killed.
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
    """Queue new events for some endpoints that have news, and move their cursors over them. Whether there were any."""
    rows = await connection.fetch(sql.with_news, PENDING_MAX, _ENDPOINTS)
    for row in rows:
        of = endpoint.from_row(row)
        page = await log.read(connection, of.wallet, row["reached"], min(_EVENTS, row["room"]))
        await _queue(connection, of, [one for one in page.events if _is_for(of, one)], now)
        reached = row["reached"] if page.reached is None else page.reached[0]
        await connection.execute(sql.advance, of.id, reached, page.more)
    return bool(rows)


async def claim(connection: Connection, now: datetime, most: int, failing: bool) -> list[Claimed] | None:
    """Up to `most` deliveries of the endpoint whose turn it is; None where no endpoint has any that is due. `failing`:
    it may be one that has failed several times in a row.
    """
    row = await connection.fetchrow(sql.due_endpoint, now, schedule.FAILURES_IN_ROW, AT_ONCE, failing)
    if row is None:
        return None
    lease = uuid4()
    taken = await connection.fetch(sql.claim, row["id"], now, lease, now + LEASE, row["at_once"], most)
    await connection.execute(sql.served, row["id"], now)
    return [
        Claimed(row["id"], WalletId(row["wallet_id"]), row["url"], one["event"], lease, row["failing"]) for one in taken
    ]


async def record(connection: Connection, tried: Claimed, attempt: Attempt, now: datetime) -> None:
    """Write what came of a try, and what follows: the delivery's end or its next try, and whether its endpoint is left
    alone for a while or disabled. The endpoint is locked, before the delivery, only where something is to be said of
    it: a success at one that does not fail waits for no other.
    """
    succeeded = attempt.outcome == "delivered"
    at = await connection.fetchrow(sql.standing, tried.endpoint)
    if at is not None and not (succeeded and at["failing_since"] is None):
        at = await connection.fetchrow(sql.lock_for_outcome, tried.endpoint)
    if at is None:
        return
    await connection.execute(
        *(sql.add_attempt, tried.endpoint, tried.event, attempt.at),
        *(attempt.milliseconds, attempt.outcome, attempt.status),
    )
    mine = await connection.fetchrow(sql.delivery_of_lease, tried.endpoint, tried.event, tried.lease)
    if mine is None:  # somebody else has it by now, or it was queued again
        return
    tries = mine["tries"] + 1
    if succeeded:
        await connection.execute(sql.end_try, tried.endpoint, tried.event, "delivered", tries, now)
        if at["failing_since"] is not None:
            await connection.execute(sql.endpoint_succeeded, tried.endpoint)
        return
    wait = None if attempt.outcome == "gone" else schedule.wait(tries, attempt.retry_after)
    state = "failed" if wait is None else "pending"
    await connection.execute(sql.end_try, tried.endpoint, tried.event, state, tries, now + (wait or timedelta()))
    failures, failing_since = at["failures"] + 1, at["failing_since"] or attempt.at
    resumes_at = now + max(schedule.pause(failures), _asked_of_all(attempt))
    await connection.execute(sql.endpoint_failed, tried.endpoint, failures, failing_since, resumes_at)
    if attempt.outcome == "gone":
        await endpoint.disable(connection, tried.endpoint, "gone", WORKER, now)
    elif wait is None:
        first_at = await connection.fetchval(sql.first_try, tried.endpoint, tried.event, mine["queued_at"])
        if failing_since <= first_at:  # nothing at all came through since
            await endpoint.disable(connection, tried.endpoint, "failing", WORKER, now)


async def release(connection: Connection, claimed: Claimed) -> None:
    """Leave a delivery that was not tried to any worker."""
    await connection.execute(sql.release, claimed.endpoint, claimed.event, claimed.lease)


async def deliver_again(connection: Connection, of: Endpoint, number: int, now: datetime) -> None:
    """Queue one event of the wallet once more, whatever became of it. Raises NotFound where there is no such event."""
    found = await log.numbered(connection, of.wallet, [number])
    if not found:
        raise NotFound("such event")
    await connection.execute(sql.retry_at_once, of.id, number, now)
    await _queue(connection, of, found, now)


async def deliveries(
    connection: Connection, of: Endpoint, state: State | None, before: int, limit: int
) -> list[Delivery]:
    """Deliveries of an endpoint of events numbered below `before`, the newest event first."""
    rows = await connection.fetch(sql.deliveries, of.id, before, state, limit)
    tries: dict[int, list[Attempt]] = {}
    for row in await connection.fetch(sql.attempts, of.id, [row["event"] for row in rows], _TRIES_SHOWN):
        tries.setdefault(row["event"], []).append(
            Attempt(row["at"], row["milliseconds"], cast("Outcome", row["outcome"]), row["status"])
        )
    return [_delivery(row, tries.get(row["event"], [])) for row in rows]


async def forget(connection: Connection, now: datetime) -> int:
    """Delete deliveries that ended long ago, what is left of deleted endpoints, and secrets that sign nothing any more;
    a part at a time. Returns how many deliveries.
    """
    await connection.execute(sql.forget_secrets, now)
    forgotten = await connection.fetch(sql.forget_deliveries, now - KEPT, FORGOTTEN_MAX)
    if not forgotten:
        await connection.execute(sql.forget_endpoints)
    return len(forgotten)


def _asked_of_all(attempt: Attempt) -> timedelta:
    """How long an endpoint that is asked too much wants to be left alone: by a 429 or a 503 with a `Retry-After`."""
    if attempt.status in (429, 503) and attempt.retry_after is not None:
        return attempt.retry_after
    return timedelta()


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

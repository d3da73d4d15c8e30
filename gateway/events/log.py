"""The event log: written in the transaction that the event reports, and read without gaps.

Numbers are assigned before a transaction commits, so 7 may be visible while 6 is still being written, by a transaction
that began earlier or later. A writer therefore announces the last number, before it gets numbers of its own, with an
advisory lock that ends with its transaction. A reader reads the last number first, then the announced ones, then the
events, and returns those up to the lowest of these numbers: no event can appear before them later. Writers do not wait
for each other, nor for readers.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec

from gateway.errors import InvalidRequest
from gateway.ids import WalletId
from gateway.postgres.pool import Connection, Record, Statements

sql = Statements(__package__, "log.sql")

#: Added to announced numbers, so that no other advisory lock is mistaken for one. Writers announce with
#: `announce_events` (schema/05_events.sql).
ANNOUNCED = 1 << 62

NO_SUCH_EVENT: Final = (
    "the log does not reach this event: the gateway was restored from an older backup, or this is another gateway; "
    "read from the beginning, or from an event that it has"
)

#: Greater than the number of every event.
END: Final = (1 << 62) - 1

#: How many events are examined for a page of those that match.
WALKED_MAX: Final = 1_000

#: Numbers and times increase together, except in overlapping transactions, which take less than this.
_APART: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Event:
    """An event to append. `wallet` is the wallet that it belongs to (None: the gateway), `other` a second wallet that
    it concerns; `payload` has plain JSON values without secrets.
    """

    kind: str
    wallet: WalletId | None
    subject: UUID | None
    payload: Mapping[str, object]
    other: WalletId | None = None


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event of the log, as one wallet sees it.

    `number` increases over all events; `sequence` numbers the wallet's events of the same object, from 1.
    """

    number: int
    kind: str
    subject: UUID | None
    payload: Mapping[str, Any]
    at: datetime
    sequence: int


@dataclass(frozen=True, slots=True)
class EventFilter:
    """A filter of events; None matches any. Times match from `since` on and before `until`."""

    kinds: Sequence[str] | None = None
    object: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


ANY: Final = EventFilter()


@dataclass(frozen=True, slots=True)
class Page:
    """Events in order. `reached` is the number and the time of the last event that was examined, or None: continuing
    from it misses no event and repeats none. `more`: there are more now.
    """

    events: list[LoggedEvent]
    reached: tuple[int, datetime] | None
    more: bool


async def append(connection: Connection, events: Sequence[Event], at: datetime) -> None:
    """Write the events, in order, as part of the caller's transaction."""
    if events:
        await connection.execute(
            sql.append,
            [event.kind for event in events],
            [event.wallet for event in events],
            [event.other for event in events],
            [event.subject for event in events],
            [msgspec.json.encode(event.payload).decode() for event in events],
            at,
        )


async def read(
    connection: Connection,
    wallet: WalletId,
    after: int = 0,
    limit: int = 50,
    before: int = END,
    where: EventFilter = ANY,
    newest_first: bool = False,
) -> Page:
    """Up to `limit` events of the wallet numbered above `after` and below `before`. A page examines a bounded number
    of events, so it may have fewer than `limit`, or none, while there are more.

    Call it outside a snapshot: it must see everything that was committed before it read how far the log is complete.
    Raises InvalidRequest for an `after` beyond the end of the log.
    """
    last_number, complete = await _reach(connection)
    if after > last_number:
        raise InvalidRequest("after", NO_SUCH_EVENT)
    before = min(before, complete + 1)
    if where.object is not None:
        rows = await connection.fetch(sql.of_object, wallet, where.object, after, before)
        return _of_object(rows, where, limit, newest_first)
    if where.since is not None:
        after = max(after, await connection.fetchval(sql.event_before, where.since - _APART))
    if where.until is not None:
        before = min(before, await connection.fetchval(sql.event_before, where.until + _APART) + 1)
    walk = limit if where == ANY else WALKED_MAX
    rows = await connection.fetch(
        sql.page, wallet, after, before, newest_first, walk, limit, where.kinds, where.since, where.until
    )
    events = [_event(row) for row in rows if row["id"] is not None]
    if len(events) == limit:
        return Page(events, _place(events), more=True)
    walked = rows[0]
    reached = None if walked["walked_to"] is None else (walked["walked_to"], walked["walked_at"])
    return Page(events, reached, more=walked["walked"] == walk)


async def first_of(connection: Connection, subject: UUID, kinds: Sequence[str]) -> LoggedEvent:
    """The first event of one of these kinds for this object, which must exist."""
    row = await connection.fetchrow(sql.first_of, subject, kinds)
    assert row is not None, f"{subject} has an event of {kinds}"
    return _event(row)


async def numbered(
    connection: Connection, asked: Collection[tuple[WalletId, int]]
) -> list[tuple[WalletId, LoggedEvent]]:
    """The events with these numbers, in order, each with a wallet that it concerns. An event that does not concern the
    given wallet is left out.
    """
    rows = await connection.fetch(sql.numbered, [wallet for wallet, _ in asked], [number for _, number in asked])
    return [(WalletId(row["told"]), _event(row)) for row in rows]


async def last(connection: Connection) -> int:
    """The number of the newest event."""
    return (await _reach(connection))[0]


async def complete_to(connection: Connection) -> int:
    """The number up to which no event can be added any more. Call it outside a snapshot, like `read`."""
    return (await _reach(connection))[1]


async def tail(
    connection: Connection, wallets: Collection[WalletId], after: int, up_to: int
) -> list[tuple[WalletId, LoggedEvent]]:
    """The events of these wallets numbered above `after` and up to `up_to`, in order, each with its wallet."""
    rows = await connection.fetch(sql.tail, list(wallets), after, up_to)
    return [(WalletId(row["wallet_id"]), _event(row)) for row in rows]


async def before(connection: Connection, since: datetime) -> int:
    """A number below that of every event made at this time or later, of any wallet."""
    near = await connection.fetchval(sql.event_before, since - _APART)
    first = await connection.fetchval(sql.first_since, near, since)
    return await complete_to(connection) if first is None else int(first) - 1


async def _reach(connection: Connection) -> tuple[int, int]:
    """The number of the newest event, and the number up to which the log is complete."""
    row = await connection.fetchrow(sql.complete_to, ANNOUNCED)
    assert row is not None
    return row["last"], row["complete_to"]


def _of_object(rows: Sequence[Record], where: EventFilter, limit: int, newest_first: bool) -> Page:
    """An object has few events: all are read at once, and filtered here."""
    fitting = [
        _event(row)
        for row in (reversed(rows) if newest_first else rows)
        if (where.kinds is None or row["kind"] in where.kinds)
        and (where.since is None or row["at"] >= where.since)
        and (where.until is None or row["at"] < where.until)
    ]
    events = fitting[:limit]
    return Page(events, _place(events), more=len(fitting) > limit)


def _place(events: Sequence[LoggedEvent]) -> tuple[int, datetime] | None:
    return (events[-1].number, events[-1].at) if events else None


def _event(row: Record) -> LoggedEvent:
    payload = msgspec.json.decode(row["payload"])
    return LoggedEvent(row["id"], row["kind"], row["subject"], payload, row["at"], max(row["logged"], 1))

"""The event log: appended in the transaction that makes the fact true, read without gaps.

Numbers are handed out before a transaction commits, so 7 may be there while 6 is still being written, by a transaction
that began earlier or later. A writer therefore announces, before it is given numbers, what the last one is, with an
advisory lock that ends when its transaction does. A reader looks at the last number first, then at what is announced,
then at the events, and shows those up to the least of the two: nothing will slip in front of them later. Writers do not
wait for each other, nor for readers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from gateway.ids import WalletId
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "log.sql")

#: What announced numbers are counted from, so that no other advisory lock is taken for one. The other writers,
#: pay_by_ledger and pay_on_chain (schema/), announce in the same way.
ANNOUNCED = 1 << 62


@dataclass(frozen=True, slots=True)
class Event:
    """A fact to append. `wallet` is whose it is (None: the gateway's), and `other` the second of two that it concerns;
    `facts` are plain JSON values, no secrets.
    """

    kind: str
    wallet: WalletId | None
    subject: UUID | None
    facts: Mapping[str, object]
    other: WalletId | None = None


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """An event of the log: its number, which only grows, and when it was made."""

    number: int
    kind: str
    subject: UUID | None
    facts: object
    at: datetime


async def append(connection: Connection, events: Sequence[Event], at: datetime) -> None:
    """Write the events, in order, as part of the caller's transaction."""
    if events:
        await connection.execute(sql.announce, ANNOUNCED)
        await connection.execute(
            sql.append,
            [event.kind for event in events],
            [event.wallet for event in events],
            [event.other for event in events],
            [event.subject for event in events],
            [msgspec.json.encode(event.facts).decode() for event in events],
            at,
        )


async def read(connection: Connection, wallet: WalletId, after: int, limit: int) -> list[LoggedEvent]:
    """Up to `limit` events of the wallet, oldest first, numbered above `after`; asking again misses none.

    Call it outside a snapshot: its second statement has to see what was committed before its first.
    """
    complete_to = await connection.fetchval(sql.complete_to, ANNOUNCED)
    rows = await connection.fetch(sql.page, wallet, after, limit, complete_to)
    return [
        LoggedEvent(row["id"], row["kind"], row["subject"], msgspec.json.decode(row["facts"]), row["at"])
        for row in rows
    ]

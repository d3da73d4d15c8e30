"""Spending that counts against limits over time: the day caps of API keys, the day of a wallet's policy, and mandates.

Every payment that counts against a limit has a row in `counted_payment`, and its units are added to the limit's
ten-minute bucket in `spending`. The sum since a time adds up whole buckets, and single payments in the bucket of that
time. It is exact, and reads at most the buckets of the window (144 a day) and the payments of one bucket, however long
the history is.

Invariants:
  - a bucket's amount is the sum of the payments counted in it;
  - units that are given back are subtracted from the bucket in which they were counted, in the same transaction.

A decision by these sums is made under a lock, so the decisions of one limit come one after the other (checks.py).
Buckets are locked after accounts, in the order of their keys. The worker deletes rows whose window is over; a mandate's
stay as long as its total counts them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from msgspec import Struct

from gateway.ids import PaymentId, first_id
from gateway.payments.checks.check import Locks
from gateway.payments.model.payment import Payment
from gateway.payments.model.proposed import Counter
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "spending.sql")

#: The length of a bucket: short, since a sum reads the payments of one, and not so short that a day has too many.
BUCKET: Final = timedelta(minutes=10)

#: The bucket of amounts that count without a time limit.
FOR_EVER: Final = datetime.fromtimestamp(0, UTC)

#: The scopes whose window is a day, how long their rows are kept, and the longest period of a mandate.
_DAYS, _KEEP_DAYS, _KEEP_PERIODS = ("cap", "policy"), timedelta(hours=25), timedelta(days=367)


class Counted(Struct, frozen=True):
    """Units that count against a limit; `source` is their payment or withdrawal."""

    counter: Counter
    source: UUID
    units: int


@dataclass(slots=True)
class Spent:
    """The spending that counts against one limit now: units by bucket. Pure."""

    buckets: dict[datetime, int] = field(default_factory=dict)

    @property
    def units(self) -> int:
        return sum(self.buckets.values())

    def add(self, units: int, at: datetime) -> None:
        bucket = bucket_of(at)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + units

    def room_at(self, asked: int, limit: int, window: timedelta) -> datetime | None:
        """The latest time at which there is room for this many units if nothing else is spent. None: never."""
        left = limit - self.units
        for bucket, units in sorted(self.buckets.items()):
            left += units
            if left >= asked:
                return bucket + BUCKET + window
        return None


def counted(counter: Counter, payment: Payment) -> Counted:
    """A payment as it counts when it is accepted: all of its amount."""
    return Counted(counter, payment.id, payment.amount.units)


def bucket_of(at: datetime) -> datetime:
    """The beginning of the bucket that a time lies in."""
    return at - (at - FOR_EVER) % BUCKET


async def spent(connection: Connection, since: Mapping[Counter, datetime | None]) -> dict[Counter, Spent]:
    """The spending that counts against each of these limits since a time; None: since the beginning."""
    counters = list(since)
    starts = [since[one] or FOR_EVER - BUCKET for one in counters]
    found = {one: Spent() for one in counters}
    if not counters:
        return found
    rows = await connection.fetch(sql.spent, *_keys(counters), starts, [bucket_of(start) for start in starts])
    for row in rows:
        found[counters[row["place"] - 1]].buckets[row["bucket"]] = int(row["amount"])
    return found


async def count(connection: Connection, counted: Sequence[Counted], at: datetime) -> None:
    """Count withdrawals as of that time. The caller has locked their limits. Payments are counted where they are
    accepted, by the same function (`count_spending` in schema/10_spending.sql).
    """
    if counted:
        await connection.execute(
            sql.count,
            *(at, bucket_of(at)),
            *_keys([one.counter for one in counted]),
            [one.source for one in counted],
            [one.units for one in counted],
        )


async def limits_of(connection: Connection, payments: Sequence[PaymentId]) -> Locks:
    """The limits that these payments count against, as the rows to lock, by kind."""
    if not payments:
        return {}
    row = await connection.fetchrow(sql.limits_of, payments)
    assert row is not None
    return {"api_keys": row["api_keys"] or (), "policies": row["policies"] or (), "mandates": row["mandates"] or ()}


async def give_back(connection: Connection, units: Mapping[UUID, int | None]) -> None:
    """Stop counting this many units of each payment; None: all that still count. Negative units count again.

    A returned part makes no room under a policy's day limit, which counts the requested amount.
    """
    if units:
        await connection.execute(sql.give_back, list(units), list(units.values()))


async def forget(connection: Connection, now: datetime, limit: int = 1000) -> int:
    """Delete up to `limit` rows of each kind that no limit reads any more; return how many."""
    deleted = 0
    for scope in _DAYS:
        deleted += await connection.fetchval(sql.forget_payments, scope, first_id(now - _KEEP_DAYS), limit)
        deleted += await connection.fetchval(sql.forget_buckets, scope, now - _KEEP_DAYS, limit)
    return deleted + int(await connection.fetchval(sql.forget_buckets, "mandate", now - _KEEP_PERIODS, limit))


def _keys(counters: Sequence[Counter]) -> tuple[list[str], list[UUID], list[int], list[str]]:
    """The columns that identify a counter."""
    return (
        [one.scope for one in counters],
        [one.id for one in counters],
        [one.number for one in counters],
        [one.asset for one in counters],
    )

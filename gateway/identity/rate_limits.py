"""Rate limits, counted in PostgreSQL for all gateways together.

Rare or expensive actions are counted one by one before they are done (`count`): claiming a handle, signing in. Frequent
ones are noted in the process (`note`), which writes its counts to the database every second and reads how much the
other processes have counted. So no payment waits for it, and nobody gets more than a second beyond the limit. Counts
below a hundredth of the limit are not written; otherwise every caller would cost the database a row.

Windows are fixed: the first action of a kind starts one, and a caller who exceeds the limit waits until it ends.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, ip_address
from typing import Final, Literal

from gateway.identity.errors import TooManyTries
from gateway.postgres.errors import Contended, DatabaseUnavailable
from gateway.postgres.pool import Database, Statements

sql = Statements(__package__, "rate_limits.sql")

#: The kinds of limits: claims of handles, sign-ins started or tried, handle look-ups, keys and handles that do not
#: exist, requests of a caller, and codes sent to people.
Kind = Literal["sign-ups", "sign-ins", "look-ups", "guesses", "requests", "codes"]

#: How often a process writes its counts.
_WRITE_EVERY: Final = timedelta(seconds=1)

#: The share of the limit from which a count is written; and how long smaller counts are remembered.
_WRITTEN_SHARE, _FORGET_AFTER = 100, timedelta(minutes=1)

#: How many times the limit of one address applies to all sign-ins to one handle: an attacker who wants to lock its
#: owner out needs as many addresses. Also how many times the codes for one wallet may be sent to one address.
HANDLE_TIMES: Final = 10


@dataclass(frozen=True, slots=True)
class Rate:
    """At most `maximum` actions in a window of this length."""

    maximum: int
    within: timedelta


@dataclass(frozen=True, slots=True)
class Rates:
    """The limits by kind: per address, but `requests` per caller."""

    sign_ups: Rate = Rate(600, timedelta(hours=1))
    tries: Rate = Rate(300, timedelta(minutes=1))
    requests: Rate = Rate(60_000, timedelta(minutes=1))
    codes: Rate = Rate(10, timedelta(hours=1))

    def of(self, kind: Kind, who: str) -> Rate:
        """Return the limit of an address, `@` and a handle, a caller, or a wallet's id."""
        if kind == "sign-ups":
            return self.sign_ups
        if kind == "requests":
            return self.requests
        if kind == "codes":
            return self.codes if who.startswith("wal_") else Rate(self.codes.maximum * HANDLE_TIMES, self.codes.within)
        return Rate(self.tries.maximum * HANDLE_TIMES, self.tries.within) if who.startswith("@") else self.tries


class Limits:
    """The limits in one process. It remembers who has exceeded a limit, so that refusing them costs no query."""

    def __init__(self, rates: Rates = Rates()) -> None:
        self.rates = rates
        self._over: dict[tuple[Kind, str], datetime] = {}
        self.refused: Counter[str] = Counter()  # How often `check` has refused, by kind.
        self._noted: Counter[tuple[Kind, str]] = Counter()
        self._frequent: set[tuple[Kind, str]] = set()
        self._written_at: datetime | None = None
        self._forgotten_at: datetime | None = None
        self._writing: asyncio.Task[None] | None = None  # the loop itself keeps only weak references to tasks

    def check(self, kind: Kind, who: str, now: datetime) -> None:
        """Raise TooManyTries if the limit is exceeded already."""
        if self.is_over(kind, who, now):
            self.refused[kind] += 1
            raise TooManyTries(kind, 1 + int((self._over[kind, who] - now).total_seconds()))

    def is_over(self, kind: Kind, who: str, now: datetime) -> bool:
        """Return whether `check` would raise."""
        until = self._over.get((kind, who))
        return until is not None and until > now

    @property
    def is_anybody_over(self) -> bool:
        """Whether anybody is over a limit, so that `is_over` has to be called."""
        return bool(self._over)

    def over(self, kinds: Collection[Kind], now: datetime) -> list[str]:
        """Return those who have exceeded the limit of one of these kinds; usually empty."""
        return [who for (kind, who), until in self._over.items() if until > now and kind in kinds]

    async def count(self, database: Database, kind: Kind, who: str, now: datetime) -> None:
        """Count one action. Raises TooManyTries if it exceeds the limit."""
        self.check(kind, who, now)
        if await self._add(database, {(kind, who): 1}, now):
            self.check(kind, who, now)

    def note(self, database: Database, kind: Kind, who: str, now: datetime, times: int = 1) -> None:
        """Note one or more actions, to be counted later."""
        one, maximum = (kind, who), self.rates.of(kind, who).maximum
        self._forgotten_at, self._written_at = self._forgotten_at or now, self._written_at or now
        if now - self._forgotten_at >= _FORGET_AFTER:
            self._noted, self._forgotten_at = (
                Counter({frequent: self._noted[frequent] for frequent in self._frequent}),
                now,
            )
        self._noted[one] += times
        if self._noted[one] * _WRITTEN_SHARE < maximum:
            return
        self._frequent.add(one)
        due = now - self._written_at >= _WRITE_EVERY or self._noted[one] >= maximum
        if due and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._write_noted(database, now))

    async def _write_noted(self, database: Database, now: datetime) -> None:
        """Write the noted counts. If the database is unavailable they are dropped: nothing else works then either."""
        noted = {one: self._noted.pop(one) for one in self._frequent}
        self._frequent, self._written_at = set(), now
        with suppress(DatabaseUnavailable, Contended):
            await self._add(database, noted, now)

    async def _add(self, database: Database, done: Mapping[tuple[Kind, str], int], now: datetime) -> bool:
        """Add the counts. Returns whether any exceeds its limit. Some windows that have ended are deleted."""
        rates = {one: self.rates.of(*one) for one in done}
        async with database.one_statement() as connection:
            rows = await connection.fetch(
                sql.count_tallies,
                *([kind for kind, _ in done], [who for _, who in done], list(done.values())),
                *([now + rate.within for rate in rates.values()], now),
            )
        over = {
            (row["kind"], row["who"]): row["ends_at"]
            for row in rows
            if row["count"] > rates[row["kind"], row["who"]].maximum
        }
        self._over = {one: until for one, until in self._over.items() if until > now} | over
        async with database.one_statement() as connection:
            await connection.execute(sql.forget_tallies, now)
        return bool(over)


def place_of(address: str | None) -> str:
    """Return what counts as one address: for IPv6 a /56 network, which one household may have (RFC 6177)."""
    try:
        at = ip_address(address or "")
    except ValueError:
        return "nowhere"
    if isinstance(at, IPv6Address):
        mapped = at.ipv4_mapped
        return str(mapped) if mapped else f"{IPv6Address(int(at) >> 72 << 72)}/56"
    return str(at)

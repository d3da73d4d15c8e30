"""How often somebody may do what costs others something, counted in PostgreSQL for all gateways together.

What is rare or dear is counted one by one before it is done (`count`): a handle claimed, somebody signing in. What is
frequent is noted in the process (`note`), which tells the database every second and hears how much the others have
seen: no payment waits for it, and nobody gets more than a second beyond what is due. Of whom there was less than a
hundredth of what they may, nobody is told: else every caller would cost the database a row.

Windows are fixed: the first of a kind begins one, and who has done too much in it waits for its end.
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

#: What is limited: handles claimed, sign-ins begun or tried, handles looked up, keys and names that there are not,
#: requests of a caller, and codes that are sent to people.
Kind = Literal["sign-ups", "sign-ins", "look-ups", "guesses", "requests", "codes"]

#: How often a process tells what it has noted.
_TELL_EVERY: Final = timedelta(seconds=1)

#: What is told, as a part of what may be; and how long less than that is kept in mind.
_LOUD, _QUIET_FOR = 100, timedelta(minutes=1)

#: So much more often may everybody together sign in to one handle than one address may: who wants to keep its owner
#: out needs as many. And so many more codes are sent for one address than for one wallet.
HANDLE_TIMES: Final = 10


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in a window of that length."""

    most: int
    within: timedelta


@dataclass(frozen=True, slots=True)
class Rates:
    """By kind; those of an address but for `requests`, which are a caller's."""

    sign_ups: Rate = Rate(600, timedelta(hours=1))
    tries: Rate = Rate(300, timedelta(minutes=1))
    requests: Rate = Rate(60_000, timedelta(minutes=1))
    codes: Rate = Rate(10, timedelta(hours=1))

    def of(self, kind: Kind, who: str) -> Rate:
        """That of somebody: an address, `@` and a handle, a caller, or a wallet's id."""
        if kind == "sign-ups":
            return self.sign_ups
        if kind == "requests":
            return self.requests
        if kind == "codes":
            return self.codes if who.startswith("wal_") else Rate(self.codes.most * HANDLE_TIMES, self.codes.within)
        return Rate(self.tries.most * HANDLE_TIMES, self.tries.within) if who.startswith("@") else self.tries


class Limits:
    """One a process. It remembers who has done too much, so that counting them costs the database nothing more."""

    def __init__(self, rates: Rates = Rates()) -> None:
        self.rates = rates
        self._over: dict[tuple[Kind, str], datetime] = {}
        self.refused: Counter[str] = Counter()  #: How often `check` has refused, by kind.
        self._noted: Counter[tuple[Kind, str]] = Counter()
        self._loud: set[tuple[Kind, str]] = set()
        self._told_at: datetime | None = None
        self._quiet_since: datetime | None = None
        self._telling: asyncio.Task[None] | None = None  # the loop itself keeps only weak references to tasks

    def check(self, kind: Kind, who: str, now: datetime) -> None:
        """Raises TooManyTries where they have done too much already."""
        if self.is_over(kind, who, now):
            self.refused[kind] += 1
            raise TooManyTries(kind, 1 + int((self._over[kind, who] - now).total_seconds()))

    def is_over(self, kind: Kind, who: str, now: datetime) -> bool:
        """Whether `check` would raise."""
        until = self._over.get((kind, who))
        return until is not None and until > now

    @property
    def is_anybody_over(self) -> bool:
        """Whether `is_over` has to be asked."""
        return bool(self._over)

    def over(self, kinds: Collection[Kind], now: datetime) -> list[str]:
        """Of whom `is_over` would say so, of one of these kinds: mostly nobody."""
        return [who for (kind, who), until in self._over.items() if until > now and kind in kinds]

    async def count(self, database: Database, kind: Kind, who: str, now: datetime) -> None:
        """They do it once more. Raises TooManyTries where that is once too often."""
        self.check(kind, who, now)
        if await self._tell(database, {(kind, who): 1}, now):
            self.check(kind, who, now)

    def note(self, database: Database, kind: Kind, who: str, now: datetime, times: int = 1) -> None:
        """They have done it once more, or so many times."""
        one, most = (kind, who), self.rates.of(kind, who).most
        self._quiet_since, self._told_at = self._quiet_since or now, self._told_at or now
        if now - self._quiet_since >= _QUIET_FOR:
            self._noted, self._quiet_since = Counter({loud: self._noted[loud] for loud in self._loud}), now
        self._noted[one] += times
        if self._noted[one] * _LOUD < most:
            return
        self._loud.add(one)
        due = now - self._told_at >= _TELL_EVERY or self._noted[one] >= most
        if due and (self._telling is None or self._telling.done()):
            self._telling = asyncio.create_task(self._tell_all(database, now))

    async def _tell_all(self, database: Database, now: datetime) -> None:
        """Where the database is away nothing is counted: nothing is done then, either."""
        noted = {one: self._noted.pop(one) for one in self._loud}
        self._loud, self._told_at = set(), now
        with suppress(DatabaseUnavailable, Contended):
            await self._tell(database, noted, now)

    async def _tell(self, database: Database, done: Mapping[tuple[Kind, str], int], now: datetime) -> bool:
        """Whether any of them has done too much with that. Windows that are over are forgotten, here and there."""
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
            if row["count"] > rates[row["kind"], row["who"]].most
        }
        self._over = {one: until for one, until in self._over.items() if until > now} | over
        async with database.one_statement() as connection:
            await connection.execute(sql.forget_tallies, now)
        return bool(over)


def place_of(address: str | None) -> str:
    """What counts as one address: for IPv6 a /56 network, since one household may have all of it (RFC 6177)."""
    try:
        at = ip_address(address or "")
    except ValueError:
        return "nowhere"
    if isinstance(at, IPv6Address):
        mapped = at.ipv4_mapped
        return str(mapped) if mapped else f"{IPv6Address(int(at) >> 72 << 72)}/56"
    return str(at)

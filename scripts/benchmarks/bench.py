"""A bench: the rig, the measurements in turns, and the ledgers that they run over."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from benchmarks import books, callers, town
from benchmarks.books import Checked
from benchmarks.callers import PLAIN, Caller
from benchmarks.compare import Row, number, ratio_error
from benchmarks.legs import Leg
from benchmarks.revision import Revision
from benchmarks.rig import Ledger, Rig

HANDLES = 10_000


@dataclass(frozen=True)
class Past:
    """The size of a ledger with a history: its handles and entries."""

    name: str
    handles: int
    entries: int

    def __str__(self) -> str:
        return f"{self.entries:,} entries, {self.handles:,} handles"


def past(name: str, payments: int) -> Past:
    """A ledger with so many payments, and a handle for every five of them; each has two entries, and so has a
    deposit.
    """
    handles = max(payments // 5, _FEWEST_HANDLES)
    return Past(name, handles, 2 * (payments + handles))


_FEWEST_HANDLES = 1_000

#: How exact a ratio is to be that is compared with something close to 1, and how many rounds that takes.
_RATIO_ERROR, _ROUNDS_MIN, _ROUNDS_MAX = 0.03, 11, 30

#: What the others are compared with.
SMALL = past("small", 10_000)


@dataclass
class Measured:
    """The result of one figure: its rows, the legs behind them, the ledgers' checks, and further values."""

    rows: list[Row] = field(default_factory=list)
    legs: list[Leg] = field(default_factory=list)
    checked: list[Checked] = field(default_factory=list)
    failures: int = 0  #: Requests that were not answered 201, those of the warm-ups too.
    faults: list[str] = field(default_factory=list)  #: Results of ledgers that are checked in another way.
    left_out: dict[str, str] = field(default_factory=dict)  #: Parts that could not be measured, and why.
    notes: dict[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        return {
            "rows": [row.plain() for row in self.rows],
            "legs": [asdict(leg) | {"rate": leg.rate} for leg in self.legs],
            "failures": self.failures,
            "books": [asdict(one) for one in self.checked],
            "faults": self.faults,
            "left_out": self.left_out,
            "notes": self.notes,
        }


@dataclass
class Bench:
    """The rig, and how long a leg and its warm-up are, and how often each is done. `quick`: a look, no result.
    `payments` are in the big ledger, `handles` in each of the others; `steps` are the calls of each step of
    lifecycle.py, for each second of a leg; `other` is the revision to compare with.
    """

    rig: Rig
    seconds: float
    warm_seconds: float
    rounds: int
    quick: bool
    payments: int = 5_000_000
    handles: int = HANDLES
    steps: int = 100
    other: Revision | None = None
    _towns: dict[str, Ledger] = field(default_factory=dict)
    _lived: dict[str, Ledger] = field(default_factory=dict)

    async def fresh(self, name: str, caller: Caller = PLAIN) -> Ledger:
        """A ledger of 10,000 handles with money, and nothing paid yet."""
        if PLAIN.name not in self._towns:
            self._towns[PLAIN.name] = await town.settle(self.rig, "town", self.handles)
        if caller.name not in self._towns:
            prepared = await self.rig.copy(self._towns[PLAIN.name], f"town_{caller.name}")
            async with self.rig.connected(prepared.name) as connection:
                await callers.prepare(connection, caller)
            self._towns[caller.name] = replace(prepared, caller=caller)
        await self.rig.drop_database(name)
        return await self.rig.copy(self._towns[caller.name], name)

    async def lived(self, measured: Measured, past: Past) -> Ledger:
        """A ledger with a history, made once and kept for all figures."""
        if past.name not in self._lived:
            started = time.monotonic()
            print(f"  loading {past} …", flush=True)
            ledger = await town.settle(self.rig, past.name, past.handles)
            settled = time.monotonic() - started
            lived = await town.live(self.rig, ledger, past.entries)
            async with self.rig.connected(ledger.name) as connection:
                size = await connection.fetchval("SELECT pg_database_size(current_database())") / 2**30
            print(f"  {settled:.0f} s for the handles, {lived:.0f} s for the payments, {size:.2f} GiB", flush=True)
            measured.notes[f"{past.name} ledger"] = {
                "handles": past.handles,
                "entries": past.entries,
                "GiB": size,
                "settled_seconds": settled,
                "lived_seconds": lived,
            }
            self._lived[past.name] = ledger
        return self._lived[past.name]

    @property
    def middle(self) -> Past:
        """A ledger with a tenth of the big one's payments."""
        return past("middle", max(self.payments // 10, 10_000))

    @property
    def big(self) -> Past:
        return past("big", self.payments)

    async def turns(self, measured: Measured, *sides: Callable[[float], Awaitable[Leg]]) -> list[list[Leg]]:
        """Each side in turn, warmed up and then measured, as many times as there are rounds: the legs of each side."""
        legs: list[list[Leg]] = [[] for _ in sides]
        for _ in range(self.rounds):
            for side, done in zip(sides, legs, strict=True):
                done.append(await self.turn(measured, side))
        return legs

    async def turns_for_a_ratio(
        self,
        measured: Measured,
        theirs: Callable[[float], Awaitable[Leg]],
        ours: Callable[[float], Awaitable[Leg]],
    ) -> list[list[Leg]]:
        """As `turns`, with as many more rounds as it takes until the median of the pairwise ratios of the rates has a
        standard error of less than `_RATIO_ERROR`, up to `_ROUNDS_MAX`: single rounds of two sides that do almost the
        same differ more than the two do.
        """
        legs: list[list[Leg]] = [[], []]
        while len(legs[0]) < (self.rounds if self.quick else _ROUNDS_MAX):
            for side, done in zip((theirs, ours), legs, strict=True):
                done.append(await self.turn(measured, side))
            rates = [[leg.rate for leg in done] for done in legs]
            error = ratio_error(rates[1], rates[0])
            if len(legs[0]) >= _ROUNDS_MIN and error is not None and error < _RATIO_ERROR:
                break
        return legs

    async def turn(self, measured: Measured, side: Callable[[float], Awaitable[Leg]]) -> Leg:
        """One side, warmed up and then measured."""
        measured.failures += (await side(self.warm_seconds)).failures
        leg = await side(self.seconds)
        measured.failures += leg.failures
        measured.legs.append(leg)
        print(told(leg), flush=True)
        return leg

    async def checks(self, measured: Measured, *of: Ledger) -> None:
        """Check the ledger. One without a history is dropped afterwards."""
        for ledger in of:
            started = time.monotonic()
            checked = await books.check(self.rig, ledger)
            print(f"  {checked} ({time.monotonic() - started:.0f} s)", flush=True)
            measured.checked.append(checked)
            if ledger.name not in self._lived:
                await self.rig.drop_database(ledger.name)
                for file in ledger.ids:
                    file.unlink()


def told(leg: Leg) -> str:
    """A leg in one line."""
    spent = f"gateway {leg.gateway_cpu_us:4.0f}, PostgreSQL {leg.postgres_cpu_us:4.0f}, wrk {leg.wrk_cpu_us:3.0f}"
    line = (
        f"  {leg.who:20} {leg.connections:>3} {number(leg.rate):>8}/s"
        f"  p50 {leg.p50_ms:7.2f} ms  p99 {leg.p99_ms:7.2f} ms  CPU µs each: {spent}"
    )
    if leg.failures:
        line += f"  {leg.failures} FAILURES ({leg.broken} broken; first refusal: {leg.first_refusal})"
    return line

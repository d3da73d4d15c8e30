"""A bench: the rig, what is measured with it in turns, and the books it is measured over."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from benchmarks import books, town
from benchmarks.books import Checked
from benchmarks.compare import Row, number
from benchmarks.rig import Book, Leg, Rig

HANDLES = 10_000


@dataclass(frozen=True)
class Past:
    """How many handles and entries a book has that something went on in before."""

    name: str
    handles: int
    entries: int

    def __str__(self) -> str:
        return f"{self.entries:,} entries, {self.handles:,} handles"


#: What such books are like; the two greater ones of a quick run have a tenth of it.
SMALL, MIDDLE, BIG = (
    Past("small", 1_000, 10_000),
    Past("middle", 100_000, 1_000_000),
    Past("big", 1_000_000, 10_000_000),
)


@dataclass
class Measured:
    """What one figure gave: its rows, every leg behind them, what was found in the books, and what else it says."""

    rows: list[Row] = field(default_factory=list)
    legs: list[Leg] = field(default_factory=list)
    checked: list[Checked] = field(default_factory=list)
    failures: int = 0  #: Requests that were not answered 201, those of the warm-ups too.
    notes: dict[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        return {
            "rows": [row.plain() for row in self.rows],
            "legs": [asdict(leg) | {"rate": leg.rate} for leg in self.legs],
            "failures": self.failures,
            "books": [asdict(one) for one in self.checked],
            "notes": self.notes,
        }


@dataclass
class Bench:
    """The rig, and how long a leg and its warm-up are, and how often each is done; `quick`, big books are smaller."""

    rig: Rig
    seconds: float
    warm_seconds: float
    rounds: int
    quick: bool
    _town: Book | None = None
    _lived: dict[str, Book] = field(default_factory=dict)

    async def fresh(self, name: str) -> Book:
        """A book of 10,000 handles with money, and nothing paid yet."""
        if self._town is None:
            self._town = await town.settle(self.rig, "town", HANDLES)
        await self.rig.drop_database(name)
        return await self.rig.copy(self._town, name)

    async def lived(self, measured: Measured, past: Past) -> Book:
        """A book with a past; made once, and then kept for all figures."""
        if past.name not in self._lived:
            begun = time.monotonic()
            print(f"  loading {past} …", flush=True)
            book = await town.settle(self.rig, past.name, past.handles)
            settled = time.monotonic() - begun
            lived = await town.live(self.rig, book, past.entries)
            async with self.rig.connected(book.name) as connection:
                size = await connection.fetchval("SELECT pg_database_size(current_database())") / 2**30
            print(f"  {settled:.0f} s for the handles, {lived:.0f} s for the payments, {size:.2f} GiB", flush=True)
            measured.notes[f"{past.name} book"] = {
                "handles": past.handles,
                "entries": past.entries,
                "GiB": size,
                "settled_seconds": settled,
                "lived_seconds": lived,
            }
            self._lived[past.name] = book
        return self._lived[past.name]

    def past(self, past: Past) -> Past:
        return replace(past, handles=past.handles // 10, entries=past.entries // 10) if self.quick else past

    async def turns(self, measured: Measured, *sides: Callable[[float], Awaitable[Leg]]) -> list[list[Leg]]:
        """Each side in turn, warmed up and then measured, as many times as there are rounds: the legs of each side."""
        legs: list[list[Leg]] = [[] for _ in sides]
        for _ in range(self.rounds):
            for side, done in zip(sides, legs, strict=True):
                done.append(await self.turn(measured, side))
        return legs

    async def turn(self, measured: Measured, side: Callable[[float], Awaitable[Leg]]) -> Leg:
        """One side, warmed up and then measured."""
        measured.failures += (await side(self.warm_seconds)).failures
        leg = await side(self.seconds)
        measured.failures += leg.failures
        measured.legs.append(leg)
        print(told(leg), flush=True)
        return leg

    async def checks(self, measured: Measured, *of: Book) -> None:
        """Check the books; those without a past are then of no more use."""
        for book in of:
            begun = time.monotonic()
            checked = await books.check(self.rig, book)
            print(f"  {checked} ({time.monotonic() - begun:.0f} s)", flush=True)
            measured.checked.append(checked)
            if book.name not in self._lived:
                await self.rig.drop_database(book.name)
                for file in book.ids:
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

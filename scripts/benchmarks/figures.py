"""What is measured: a function per name. Each prints its legs as they end, checks the books, and returns its rows."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from benchmarks import books, peer, town
from benchmarks.books import Checked
from benchmarks.compare import Row, Target, number
from benchmarks.rig import Book, Leg, Rig

HANDLES = 10_000


@dataclass
class Measured:
    """What one figure gave: its rows, every leg behind them, what was found in the books, and what else it says."""

    rows: list[Row] = field(default_factory=list)
    legs: list[Leg] = field(default_factory=list)
    checked: list[Checked] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        return {
            "rows": [row.plain() for row in self.rows],
            "legs": [asdict(leg) | {"rate": leg.rate} for leg in self.legs],
            "books": [asdict(one) for one in self.checked],
            "notes": self.notes,
        }


@dataclass
class Bench:
    """The rig, and how long a leg and its warm-up are, how often each is done, and how big the big book is."""

    rig: Rig
    seconds: float
    warm_seconds: float
    rounds: int
    _town: Book | None = None

    async def fresh(self, name: str) -> Book:
        """A book of 10,000 handles with money, and nothing paid yet."""
        if self._town is None:
            self._town = await town.settle(self.rig, "town", HANDLES)
        await self.rig.drop_database(name)
        return await self.rig.copy(self._town, name)

    async def turns(self, measured: Measured, *sides: Callable[[float], Awaitable[Leg]]) -> list[list[Leg]]:
        """Each side in turn, warmed up and then measured, as many times as there are rounds: the legs of each side."""
        legs: list[list[Leg]] = [[] for _ in sides]
        for _ in range(self.rounds):
            for side, done in zip(sides, legs, strict=True):
                await side(self.warm_seconds)
                leg = await side(self.seconds)
                done.append(leg)
                measured.legs.append(leg)
                print(_told(leg), flush=True)
        return legs

    async def checks(self, measured: Measured, *of: Book) -> None:
        for book in of:
            checked = await books.check(self.rig, book)
            print(f"  {checked}", flush=True)
            measured.checked.append(checked)
            await self.rig.drop_database(book.name)
            for file in book.ids:
                file.unlink()


async def single(bench: Bench) -> Measured:
    """Payments one by one, uniform over 10,000 handles, over an empty Litestar POST."""
    measured = Measured()
    rig, book = bench.rig, await bench.fresh("single")
    async with rig.serving(book) as gateway, rig.serving(book, "empty") as empty:
        for connections, aim in ((64, 0.7), (256, 1.0)):
            ours, theirs = await bench.turns(
                measured,
                partial(rig.load, "payments", [gateway], book, connections),
                partial(rig.load, "an empty POST", [empty], book, connections, kept=False),
            )
            what = f"{connections} connections"
            measured.rows.append(_rates("single", what, ours, theirs, "an empty POST", Target(at_least=aim)))
            slow = Target(below=1.5) if connections == 64 else None
            measured.rows.append(_p99s("single", f"p99, {what}", ours, theirs, "an empty POST", slow))
            measured.rows += _cpus("single", what, ours, theirs, "an empty POST")
    await bench.checks(measured, book)
    return measured


async def grouped(bench: Bench) -> Measured:
    """Payments that share commits, over one PostgreSQL transaction each through a pool of 16."""
    measured = Measured()
    rig, book, alone = bench.rig, await bench.fresh("grouped"), await bench.fresh("one_each")
    async with rig.serving(book) as gateway, rig.serving(alone, "one_each") as one_each:
        ours, theirs = await bench.turns(
            measured,
            partial(rig.load, "payments", [gateway], book, 64),
            partial(rig.load, "a transaction each", [one_each], alone, 64),
        )
    measured.rows.append(_rates("grouped", "64 connections", ours, theirs, "a transaction each", Target(at_least=3)))
    measured.rows.append(_p99s("grouped", "p99, 64 connections", ours, theirs, "a transaction each", None))
    measured.rows += _cpus("grouped", "64 connections", ours, theirs, "a transaction each")
    await bench.checks(measured, book, alone)
    return measured


async def hot(bench: Bench) -> Measured:
    """Everybody pays one handle, over payments between all."""
    measured = Measured()
    rig, book, uniform = bench.rig, await bench.fresh("hot"), await bench.fresh("uniform")
    async with rig.serving(book) as gateway, rig.serving(uniform) as other:
        ours, theirs = await bench.turns(
            measured,
            partial(rig.load, "all pay one", [gateway], book, 64, hot=True),
            partial(rig.load, "all pay all", [other], uniform, 64),
        )
    measured.rows.append(_rates("hot", "64 connections", ours, theirs, "all pay all", Target(at_least=0.85)))
    measured.rows += _cpus("hot", "64 connections", ours, theirs, "all pay all")
    await bench.checks(measured, book, uniform)
    return measured


async def bulk(bench: Bench) -> Measured:
    """A thousand payments a call, each on its own, over a one-call transfer function under pgbench."""
    measured = Measured()
    rig, book = bench.rig, await bench.fresh("bulk")
    await rig.drop_database(peer.DATABASE)
    await peer.create(rig)
    theirs: list[float] = []
    ours: dict[int, list[Leg]] = {1: [], 2: []}
    async with rig.serving(book) as gateway:
        for _ in range(bench.rounds):
            for clients, done in ours.items():
                who = f"bulk, {clients} at once"
                await rig.load(who, [gateway], book, clients, bench.warm_seconds, "bulk", clients)
                leg = await rig.load(who, [gateway], book, clients, bench.seconds, "bulk", clients)
                done.append(leg)
                measured.legs.append(leg)
                print(_told(leg), flush=True)
            await peer.transfers_per_second(rig, bench.warm_seconds)
            theirs.append(await peer.transfers_per_second(rig, bench.seconds))
            print(f"  {'pgbench, 16 clients':24} {number(theirs[-1]):>8}/s", flush=True)
    for clients, done in ours.items():
        rates = tuple(leg.rate for leg in done)
        what = f"{clients} client{'s'[: clients - 1]}"
        measured.rows.append(Row("bulk", what, "/s", rates, target=Target(at_least=25_000)))
        measured.rows.append(Row("bulk", what, "/s", rates, tuple(theirs), "pgbench, 16 clients", Target(at_least=6)))
        for part, spent in _spent(done).items():
            measured.rows.append(Row("bulk", f"{part} CPU each, {what}", "µs", spent))
    measured.notes["aim"] = "25,000 payments/s, or 6 times the function under pgbench: one of the two"
    found = await peer.faults(rig)
    print(f"  the peer's books: {'; '.join(found) or 'right'}")
    measured.notes["peer_faults"] = found
    await rig.drop_database(peer.DATABASE)
    await bench.checks(measured, book)
    return measured


FIGURES: dict[str, Callable[[Bench], Awaitable[Measured]]] = {
    "single": single,
    "grouped": grouped,
    "hot": hot,
    "bulk": bulk,
}


# ---- rows -----------------------------------------------------------------------------------------------------------


def _rates(figure: str, what: str, ours: list[Leg], theirs: list[Leg], against: str, target: Target | None) -> Row:
    rates = tuple(leg.rate for leg in ours), tuple(leg.rate for leg in theirs)
    return Row(figure, what, "/s", *rates, against, target)


def _p99s(figure: str, what: str, ours: list[Leg], theirs: list[Leg], against: str, target: Target | None) -> Row:
    slowest = tuple(leg.p99_ms for leg in ours), tuple(leg.p99_ms for leg in theirs)
    return Row(figure, what, "ms", *slowest, against, target)


def _cpus(figure: str, what: str, ours: list[Leg], theirs: list[Leg], against: str) -> list[Row]:
    """Processor time per payment, part by part; nothing is aimed at."""
    them = _spent(theirs)
    return [
        Row(figure, f"{part} CPU each, {what}", "µs", spent, them[part] if min(them[part]) > 0 else (), against)
        for part, spent in _spent(ours).items()
    ]


def _spent(legs: list[Leg]) -> dict[str, tuple[float, ...]]:
    return {
        "gateway": tuple(leg.gateway_cpu_us for leg in legs),
        "PostgreSQL": tuple(leg.postgres_cpu_us for leg in legs),
        "wrk": tuple(leg.wrk_cpu_us for leg in legs),
    }


def _told(leg: Leg) -> str:
    spent = f"gateway {leg.gateway_cpu_us:4.0f}, PostgreSQL {leg.postgres_cpu_us:4.0f}, wrk {leg.wrk_cpu_us:3.0f}"
    told = (
        f"  {leg.who:20} {leg.connections:>3} {number(leg.rate):>8}/s"
        f"  p50 {leg.p50_ms:7.2f} ms  p99 {leg.p99_ms:7.2f} ms  CPU µs each: {spent}"
    )
    if leg.failures:
        told += f"  {leg.failures} FAILURES ({leg.broken} broken; first refusal: {leg.first_refusal})"
    return told

"""What is measured: a function per name. Each prints its legs as they end, checks the books, and returns its rows."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from statistics import median

from benchmarks import auth, machine, peer, reads
from benchmarks.against import against
from benchmarks.bench import HANDLES, SMALL, Bench, Measured
from benchmarks.by_caller import callers
from benchmarks.chain import chain
from benchmarks.compare import Row, Target, number
from benchmarks.in_postgres import postgres
from benchmarks.legs import Leg, by_part, cpu_rows, p99_row, rate_row
from benchmarks.lifecycle import lifecycle
from benchmarks.pages import pages
from benchmarks.streams import events
from benchmarks.token_parts import token_parts
from benchmarks.traces import traces
from benchmarks.webhooks import webhooks


async def single(bench: Bench) -> Measured:
    """Payments one by one, uniform over 10,000 handles, over an empty Litestar POST; 64 and 256 connections."""
    measured = Measured()
    rig, ledger = bench.rig, await bench.fresh("single")
    async with rig.serving(ledger) as gateway, rig.serving(ledger, "empty") as empty:
        for connections, aim in ((64, 0.7), (256, 1.0)):
            ours, theirs = await bench.turns(
                measured,
                partial(rig.load, "payments", [gateway], ledger, connections),
                partial(rig.load, "an empty POST", [empty], ledger, connections, kept=False),
            )
            what = f"{connections} connections"
            measured.rows.append(rate_row("single", what, ours, theirs, "an empty POST", Target(at_least=aim)))
            slow = Target(below=1.5) if connections == 64 else None
            measured.rows.append(p99_row("single", f"p99, {what}", ours, theirs, "an empty POST", slow))
            measured.rows += cpu_rows("single", what, ours, theirs, "an empty POST")
    await bench.checks(measured, ledger)
    return measured


async def grouped(bench: Bench) -> Measured:
    """Payments that share commits, over one PostgreSQL transaction each through a pool of 16."""
    measured = Measured()
    rig, ledger, alone = bench.rig, await bench.fresh("grouped"), await bench.fresh("one_each")
    async with rig.serving(ledger) as gateway, rig.serving(alone, "one_each") as one_each:
        ours, theirs = await bench.turns(
            measured,
            partial(rig.load, "payments", [gateway], ledger, 64),
            partial(rig.load, "a transaction each", [one_each], alone, 64),
        )
    measured.rows.append(rate_row("grouped", "64 connections", ours, theirs, "a transaction each", Target(at_least=3)))
    measured.rows.append(p99_row("grouped", "p99, 64 connections", ours, theirs, "a transaction each", None))
    measured.rows += cpu_rows("grouped", "64 connections", ours, theirs, "a transaction each")
    await bench.checks(measured, ledger, alone)
    return measured


async def hot(bench: Bench) -> Measured:
    """Everybody pays one handle, over payments between all."""
    measured = Measured()
    rig, ledger, uniform = bench.rig, await bench.fresh("hot"), await bench.fresh("uniform")
    async with rig.serving(ledger) as gateway, rig.serving(uniform) as other:
        ours, theirs = await bench.turns(
            measured,
            partial(rig.load, "all pay one", [gateway], ledger, 64, argument="hot"),
            partial(rig.load, "all pay all", [other], uniform, 64),
        )
    measured.rows.append(rate_row("hot", "64 connections", ours, theirs, "all pay all", Target(at_least=0.85)))
    measured.rows += cpu_rows("hot", "64 connections", ours, theirs, "all pay all")
    await bench.checks(measured, ledger, uniform)
    return measured


async def authentication(bench: Bench) -> Measured:
    """What it costs to know who is calling, over all that a payment costs; 64 connections."""
    measured = Measured()
    rig, ledger = bench.rig, await bench.fresh("auth")
    spent: list[tuple[float, float]] = []
    async with rig.serving(ledger) as gateway:
        for _ in range(bench.rounds):
            await bench.turn(measured, partial(rig.load, "payments", [gateway], ledger, 64))
            spent.append((auth.in_gateway(50_000), await auth.in_postgres(rig, ledger, bench.seconds / 2)))
            print(
                f"  of it to know who calls: gateway {spent[-1][0]:.1f}, PostgreSQL {spent[-1][1]:.1f} µs", flush=True
            )
    all_of_it = tuple(leg.gateway_cpu_us + leg.postgres_cpu_us for leg in measured.legs)
    of_keys = tuple(in_gateway + in_postgres for in_gateway, in_postgres in spent)
    target = Target(below=0.1)
    measured.rows.append(Row("auth", "CPU each, who calls", "µs", of_keys, all_of_it, "all of a payment", target))
    await bench.checks(measured, ledger)
    return measured


async def bulk(bench: Bench) -> Measured:
    """A thousand payments a call, each on its own, over a one-call transfer function under pgbench."""
    measured = Measured()
    rig, ledger = bench.rig, await bench.fresh("bulk")
    await rig.drop_database(peer.DATABASE)
    await peer.create(rig)
    theirs: list[float] = []
    ours: dict[int, list[Leg]] = {1: [], 2: [], 4: []}
    async with rig.serving(ledger) as gateway:
        for _ in range(bench.rounds):
            for clients, done in ours.items():
                side = partial(rig.load, f"bulk, {clients} at once", [gateway], ledger, clients)
                done.append(await bench.turn(measured, partial(side, script="bulk", threads=clients)))
            await peer.transfers_per_second(rig, bench.warm_seconds)
            theirs.append(await peer.transfers_per_second(rig, bench.seconds))
            print(f"  {'pgbench, 16 clients':24} {number(theirs[-1]):>8}/s", flush=True)
    for clients, done in ours.items():
        rates = tuple(leg.rate for leg in done)
        what = f"{clients} client{'s'[: clients - 1]}"
        alone = Row("bulk", what, "/s", rates, target=Target(at_least=25_000))
        beside = Row("bulk", what, "/s", rates, tuple(theirs), "pgbench, 16 clients", Target(at_least=6))
        measured.rows += [alone, beside]
        measured.notes[what] = "met: one of the two is enough" if alone.met or beside.met else "NOT MET: neither is"
        for part, used in by_part(done).items():
            measured.rows.append(Row("bulk", f"{part} CPU each, {what}", "µs", used))
    found = await peer.faults(rig)
    print(f"  the peer's books: {'; '.join(found) or 'right'}")
    measured.notes["peer_faults"] = found
    await rig.drop_database(peer.DATABASE)
    await bench.checks(measured, ledger)
    return measured


async def lone(bench: Bench) -> Measured:
    """A lone client's median, over that of an empty POST and one sync to the disk."""
    measured = Measured()
    rig, ledger = bench.rig, await bench.fresh("lone")
    syncs = []

    async def empty_post(seconds: float) -> Leg:
        syncs.append(median(machine.sync_seconds(rig.home, 300)) * 1e3)
        return await rig.load("an empty POST", [empty], ledger, 1, seconds, kept=False)

    async with rig.serving(ledger) as gateway, rig.serving(ledger, "empty") as empty:
        ours, theirs = await bench.turns(measured, partial(rig.load, "payments", [gateway], ledger, 1), empty_post)
    syncs = syncs[1::2]  # of those measured, not of those that only warmed up
    print(f"  a sync took {', '.join(f'{sync:.3f}' for sync in syncs)} ms")
    minimum = tuple(sync + leg.p50_ms for sync, leg in zip(syncs, theirs, strict=True))
    medians = tuple(leg.p50_ms for leg in ours)
    against = "a sync and an empty POST"
    measured.rows.append(Row("lone", "median, 1 connection", "ms", medians, minimum, against, Target(below=3)))
    measured.rows.append(p99_row("lone", "p99, 1 connection", ours, theirs, "an empty POST", None))
    measured.rows.append(Row("lone", "a sync of 8 KiB", "ms", tuple(syncs)))
    measured.rows += cpu_rows("lone", "1 connection", ours, theirs, "an empty POST")
    await bench.checks(measured, ledger)
    return measured


async def concurrency(bench: Bench) -> Measured:
    """Payments one by one at few connections, for the chart: 1, 4 and 16 of them."""
    measured = Measured()
    rig, ledger = bench.rig, await bench.fresh("concurrency")
    async with rig.serving(ledger) as gateway, rig.serving(ledger, "empty") as empty:
        for connections in (1, 4, 16):
            ours, theirs = await bench.turns(
                measured,
                partial(rig.load, "payments", [gateway], ledger, connections),
                partial(rig.load, "an empty POST", [empty], ledger, connections, kept=False),
            )
            what = f"{connections} connection{'s' if connections > 1 else ''}"
            measured.rows.append(rate_row("concurrency", what, ours, theirs, "an empty POST", None))
            measured.rows.append(p99_row("concurrency", f"p99, {what}", ours, theirs, "an empty POST", None))
    await bench.checks(measured, ledger)
    return measured


async def two(bench: Bench) -> Measured:
    """Two gateway processes over one database, over one process; 64 connections, 32 from each of two clients."""
    measured = Measured()
    rig, ledger = bench.rig, await bench.fresh("two")
    async with rig.serving(ledger) as first, rig.serving(ledger) as second:
        ours, theirs = await bench.turns(
            measured,
            partial(rig.load, "two processes", [first, second], ledger, 64),
            partial(rig.load, "one process", [first, first], ledger, 64),
        )
    measured.rows.append(rate_row("two", "64 connections", ours, theirs, "one process", Target(at_least=1.2)))
    measured.rows.append(p99_row("two", "p99, 64 connections", ours, theirs, "one process", None))
    measured.rows += cpu_rows("two", "64 connections", ours, theirs, "one process")
    await bench.checks(measured, ledger)
    return measured


async def looks(bench: Bench) -> Measured:
    """Balances, statements and payments in the database, with --payments in the ledger, over 10,000 of them."""
    measured = Measured()
    small, big = SMALL, bench.big
    little, much = await bench.lived(measured, small), await bench.lived(measured, big)
    async with bench.rig.connected(little.name) as in_little, bench.rig.connected(much.name) as in_much:
        turns = range(bench.rounds + 1)  # the last one's questions are explained
        of_little = [await reads.prepare(in_little, little, turn) for turn in turns]
        of_much = [await reads.prepare(in_much, much, turn) for turn in turns]
        for read_little, read_much in zip(zip(*of_little, strict=True), zip(*of_much, strict=True), strict=True):
            name, against = read_much[0].name, f"{small.entries:,} entries"
            hits, fetched = await reads.blocks(in_much, read_much[-1])
            base_hits, base_fetched = await reads.blocks(in_little, read_little[-1])
            took: list[tuple[float, float]] = []
            base: list[tuple[float, float]] = []
            for of_base, of_ours in zip(read_little[:-1], read_much[:-1], strict=True):
                base.append(await reads.milliseconds(in_little, of_base))
                took.append(await reads.milliseconds(in_much, of_ours))
            medians, slowest = zip(*took, strict=True)
            base_medians, base_slowest = zip(*base, strict=True)
            measured.rows += [
                Row("reads", f"{name}: median", "ms", medians, base_medians, against, Target(below=1.5)),
                Row("reads", f"{name}: median", "ms", medians, target=Target(below=2)),
                Row("reads", f"{name}: p99", "ms", slowest, base_slowest, against),
                Row("reads", f"{name}: p99", "ms", slowest, target=Target(below=2)),
                Row("reads", f"{name}: in buffers", "blocks", (hits,), (base_hits,) if base_hits else (), against),
                Row(
                    "reads", f"{name}: fetched", "blocks", (fetched,), (base_fetched,) if base_fetched else (), against
                ),
            ]
            told = f"{number(median(medians))} ms, and {number(median(base_medians))} ms in the small ledger"
            print(f"  {name}: {told}", flush=True)
    await bench.checks(measured, little, much)
    return measured


async def size(bench: Bench) -> Measured:
    """What a payment costs with --payments in the ledger already, over a fresh ledger; 64 connections."""
    measured = Measured()
    rig, fresh = bench.rig, await bench.fresh("fresh")
    middle, big = bench.middle, bench.big
    in_middle, in_big = await bench.lived(measured, middle), await bench.lived(measured, big)
    async with rig.serving(fresh) as none, rig.serving(in_middle) as little, rig.serving(in_big) as much:
        legs = await bench.turns(
            measured,
            partial(rig.load, "a fresh ledger", [none], fresh, 64),
            partial(rig.load, "middle", [little], in_middle, 64, apart=max(middle.handles // HANDLES, 1)),
            partial(rig.load, "big", [much], in_big, 64, apart=max(big.handles // HANDLES, 1)),
            partial(rig.load, "big, all handles", [much], in_big, 64),
        )
    some, many = f"{middle.entries:,} entries", f"{big.entries:,} entries"
    for what, ours in zip((some, many, f"{many}, all {big.handles:,} handles"), legs[1:], strict=True):
        measured.rows.append(rate_row("size", what, ours, legs[0], "a fresh ledger", None))
        measured.rows.append(p99_row("size", f"p99, {what}", ours, legs[0], "a fresh ledger", None))
        measured.rows += cpu_rows("size", what, ours, legs[0], "a fresh ledger")
    measured.notes["entries"] = {"a fresh ledger": 2 * HANDLES, "middle": middle.entries, "big": big.entries}
    await bench.checks(measured, fresh, in_middle, in_big)
    return measured


async def memory(bench: Bench) -> Measured:
    """The gateway's memory after 1,000,000 payments, over what it was after 100,000."""
    measured = Measured()
    rig, ledger = bench.rig, await bench.fresh("memory")
    few, many = (10_000, 100_000) if bench.quick else (100_000, 1_000_000)
    taken: list[tuple[int, float]] = []
    async with rig.serving(ledger) as gateway:
        for goal in (few, many):
            while ledger.acknowledged < goal:
                measured.legs.append(await rig.load("payments", [gateway], ledger, 64, 2 if bench.quick else 5))
                measured.failures += measured.legs[-1].failures
                taken.append((ledger.acknowledged, machine.resident_bytes(gateway.child.pid) / 2**20))
            payments, mebibytes = taken[-1]
            print(f"  {mebibytes:.1f} MiB after {payments:,} payments, {number(measured.legs[-1].rate)}/s", flush=True)
    after_few = next(mebibytes for payments, mebibytes in taken if payments >= few)
    row = Row("memory", f"after {many:,} payments", "MiB", (taken[-1][1],), (after_few,), f"after {few:,}")
    measured.rows.append(replace(row, target=Target(below=1.1)))
    measured.notes["payments_and_mebibytes"] = taken
    await bench.checks(measured, ledger)
    return measured


FIGURES: dict[str, Callable[[Bench], Awaitable[Measured]]] = {
    "single": single,
    "callers": callers,
    "lifecycle": lifecycle,
    "grouped": grouped,
    "hot": hot,
    "lone": lone,
    "concurrency": concurrency,
    "auth": authentication,
    "bulk": bulk,
    "two": two,
    "postgres": postgres,
    "reads": looks,
    "size": size,
    "memory": memory,
    "chain": chain,
    "tokens": token_parts,
    "events": events,
    "pages": pages,
    "traces": traces,
    "webhooks": webhooks,
    "against": against,
}

"""Another revision beside this checkout: the same load over both, in turn, each with a database of its own code."""

from functools import partial

from benchmarks import direct, in_postgres, lifecycle
from benchmarks.bench import Bench, Measured
from benchmarks.callers import CAPPED, GUARDED, PLAIN, REFUNDING, SCOPED, SESSION, Caller
from benchmarks.compare import Row
from benchmarks.direct import Direct
from benchmarks.legs import cpu_rows, p99_row, rate_row, whole_row
from benchmarks.lifecycle import Life, Step
from benchmarks.revision import HERE, NotMeasured, Revision
from benchmarks.rig import Ledger, Rig

#: The loads on both: name, caller, connections, script.
_LOADS: tuple[tuple[str, Caller, int, dict[str, str]], ...] = (
    ("plain keys, 64", PLAIN, 64, {}),
    ("plain keys, 256", PLAIN, 256, {}),
    ("a lone client", PLAIN, 1, {}),
    ("everybody pays one", PLAIN, 64, {"argument": "hot"}),
    ("a thousand a call, 1 client", PLAIN, 1, {"script": "bulk"}),
    ("scoped keys, 64", SCOPED, 64, {}),
    ("keys with caps, 64", CAPPED, 64, {}),
    ("keys with caps, passkey, 64", GUARDED, 64, {}),
    ("sessions, 64", SESSION, 64, {}),
)


async def against(bench: Bench) -> Measured:
    """Most of the above, over the same of another revision (--against REV)."""
    measured = Measured()
    other = bench.other
    if other is None:
        raise NotMeasured("no other revision was named (--against REV)")
    rig = bench.rig.below("against")
    for caller in dict.fromkeys(load[1] for load in _LOADS):
        await _loads(bench, rig, measured, other, caller)
    await _lives(bench, rig, measured, other)
    await _directly(bench, rig, measured, other)
    measured.left_out |= {
        "against: tokens, reads, two gateways, size, memory": "these are measured of this checkout alone",
    }
    return measured


async def _loads(bench: Bench, rig: Rig, measured: Measured, other: Revision, caller: Caller) -> None:
    """Every load of one kind of caller."""
    ours, theirs = await _ledger(bench, rig, HERE, caller), await _ledger(bench, rig, other, caller)
    async with rig.serving(ours) as here, rig.serving(theirs) as there:
        for what, who, connections, more in _LOADS:
            if who is not caller:
                continue
            legs, base = await bench.turns(
                measured,
                partial(rig.load, what, [here], ours, connections, **more),
                partial(rig.load, f"{what}, {other.name}", [there], theirs, connections, **more),
            )
            measured.rows.append(rate_row("against", what, legs, base, other.name, None))
            measured.rows.append(p99_row("against", f"p99, {what}", legs, base, other.name, None))
            measured.rows.append(whole_row("against", what, legs, base, other.name))
            measured.rows += cpu_rows("against", what, legs, base, other.name)
    for ledger in (ours, theirs):
        await _check(rig, measured, ledger)


async def _lives(bench: Bench, rig: Rig, measured: Measured, other: Revision) -> None:
    """Holds, captures, voids, refunds and batches."""
    ours, theirs = await _ledger(bench, rig, HERE, REFUNDING), await _ledger(bench, rig, other, REFUNDING)
    calls = lifecycle.calls_of(bench)
    async with rig.serving(ours) as gateway, rig.serving(theirs) as its_gateway:
        lives = Life(rig, ours, gateway), Life(rig, theirs, its_gateway)
        done: tuple[list[Step], list[Step]] = ([], [])
        for life in lives:
            await life.round(max(calls // 4, 1))
        for _ in range(bench.rounds):
            for life, steps in zip(lives, done, strict=True):
                steps += await life.round(calls)
    for what in lifecycle.STEPS:
        here, there = ([one for one in steps if one.what == what] for steps in done)
        measured.rows += [
            Row("against", what, "/s", tuple(o.rate for o in here), tuple(o.rate for o in there), other.name),
            Row("against", f"CPU each, {what}", "µs", _cpus(here), _cpus(there), other.name),
        ]
    measured.faults += await lives[0].faults()
    for ledger in (ours, theirs):
        await rig.drop_database(ledger.name)


def _cpus(steps: list[Step]) -> tuple[float, ...]:
    return tuple(one.cpu_us for one in steps)


async def _directly(bench: Bench, rig: Rig, measured: Measured, other: Revision) -> None:
    """PostgreSQL's processor time, WAL and disk, without HTTP."""
    ours, theirs = await _ledger(bench, rig, HERE, PLAIN), await _ledger(bench, rig, other, PLAIN)
    for group in in_postgres.GROUPS:
        here: list[Direct] = []
        there: list[Direct] = []
        for _ in range(bench.rounds):
            here.append(await direct.pay(rig, ours, group, bench.seconds))
            print(in_postgres.told(f"groups of {group}", here[-1]), flush=True)
            told = await other.offer(
                rig.server.dsn,
                rig.home,
                "direct",
                database=theirs.name,
                handles=theirs.handles,
                loaded=theirs.loaded,
                group=group,
                seconds=bench.seconds,
            )
            theirs.loaded = told.pop("loaded")
            there.append(Direct(**told))
            print(in_postgres.told(f"{other.name}, {group}", there[-1]), flush=True)
        measured.rows += in_postgres.rows("against", group, here, there, other.name)
    for ledger in (ours, theirs):
        await _check(rig, measured, ledger)


async def _ledger(bench: Bench, rig: Rig, revision: Revision, caller: Caller) -> Ledger:
    """A town in a database of its own, made by the revision's own code."""
    side = "ours" if revision is HERE else "theirs"
    name = f"{side}_{caller.name}"
    await rig.drop_database(name)
    await revision.offer(rig.server.dsn, rig.home, "settle", database=name, handles=bench.handles, caller=caller.name)
    return Ledger(name, bench.handles, caller=caller, revision=revision)


async def _check(rig: Rig, measured: Measured, ledger: Ledger) -> None:
    """Check the ledger by the revision's own code, then drop its database."""
    tally = {name: getattr(ledger, name) for name in ("name", "handles", "loaded", "asked", "acknowledged", "refused")}
    ids = [str(file) for file in ledger.ids]
    faults = await ledger.revision.offer(rig.server.dsn, rig.home, "check", ids=ids, **tally)
    measured.faults += [f"{ledger.name}: {fault}" for fault in faults]
    print(f"  books of {ledger.name}: {'; '.join(faults) or 'right'}", flush=True)
    await rig.drop_database(ledger.name)
    for file in ledger.ids:
        file.unlink()

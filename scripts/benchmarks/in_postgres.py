"""What a payment costs PostgreSQL: the gateway's statement called directly, over a minimal ledger (peer.py)."""

from benchmarks import direct, peer
from benchmarks.bench import Bench, Measured
from benchmarks.compare import Row, number
from benchmarks.direct import Direct

GROUPS = (1, 64)  #: Payments in a commit: a lone client's, and those of 64 connections.
_AGAINST = "a minimal ledger"


async def postgres(bench: Bench) -> Measured:
    """PostgreSQL's processor time, WAL and disk per payment, called directly, over a minimal ledger."""
    measured = Measured()
    ledger = await bench.fresh("direct")
    await bench.rig.drop_database(peer.DATABASE)
    await peer.create(bench.rig)
    for group in GROUPS:
        ours: list[Direct] = []
        theirs: list[Direct] = []
        for _ in range(bench.rounds):
            ours.append(await direct.pay(bench.rig, ledger, group, bench.seconds))
            print(told(f"groups of {group}", ours[-1]), flush=True)
            theirs.append(await direct.pay_peer(bench.rig, group, bench.seconds))
            print(told(f"{_AGAINST}, {group}", theirs[-1]), flush=True)
        measured.rows += rows("postgres", group, ours, theirs, _AGAINST)
    measured.faults += await peer.faults(bench.rig)
    await bench.rig.drop_database(peer.DATABASE)
    await bench.checks(measured, ledger)
    return measured


def rows(figure: str, group: int, ours: list[Direct], theirs: list[Direct], against: str) -> list[Row]:
    """Processor time, WAL and disk, per payment."""
    what = f"groups of {group}"
    return [
        Row(figure, f"CPU each, {what}", "µs", _of(ours, "cpu_us"), _of(theirs, "cpu_us"), against),
        Row(figure, f"WAL each, no page images, {what}", "B", _of(ours, "wal_each"), _of(theirs, "wal_each"), against),
        Row(figure, f"disk each, {what}", "B", _of(ours, "disk_each"), _of(theirs, "disk_each"), against),
    ]


def told(what: str, one: Direct) -> str:
    """A measurement in one line."""
    return (
        f"  {what:24} {number(one.payments):>8} payments  PostgreSQL {one.cpu_us:4.0f} µs, WAL {one.wal_each:5.0f} B, "
        f"disk {one.disk_each:5.0f} B each"
    )


def _of(measured: list[Direct], name: str) -> tuple[float, ...]:
    return tuple(getattr(one, name) for one in measured)

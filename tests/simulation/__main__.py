"""Live through a seeded day of faults and say what happened: scripts/simulate."""

import argparse
import asyncio
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop

from gateway.embedded.children import Children
from gateway.embedded.postgres import Postgres
from tests.conftest import make_template
from tests.simulation.day import Report
from tests.simulation.run import day
from tests.simulation.world import Violation

_HELP = """A seeded day of faults: payments over a PostgreSQL and a chain of its own, amid killed workers, lost answers,
reorganisations, stuck relayers and owners who spend what they have. The same seed is the same day each time. Prints
what happened; ends with 0 when each payment was settled once, expired unsigned or failed with a reason, else with 1. Of
several days each has a line, also where one did not end well.
"""


def main() -> int:
    parser = argparse.ArgumentParser("scripts/simulate", description=_HELP)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--seed", type=int, help="which day: any whole number")
    which.add_argument("--seeds", type=_range, metavar="FROM-TO", help="which days, one after the other, such as 1-60")
    parser.add_argument("--payments", type=_count, help="how many are accepted; else 40 to 80, as the seed has it")
    parser.add_argument("--quiet", action="store_true", help="leave out the diary: the figures alone")
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)  # what the product logs of faults is what it should
    if asked.seeds is not None:
        return uvloop.run(_live_through_all(asked.seeds, asked.payments))
    try:
        report, seconds = uvloop.run(_live(asked.seed, asked.payments))
    except Violation as violation:
        print(violation, file=sys.stderr)
        return 1
    if not asked.quiet:
        print("\n".join(report.diary))
    _print(report, seconds)
    return 0


def _count(text: str) -> int:
    count = int(text)
    if count < 10:
        raise argparse.ArgumentTypeError("at least 10, which a day begins with")
    return count


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    if not (first.isdecimal() and last.isdecimal() and int(first) <= int(last)):
        raise argparse.ArgumentTypeError("two whole numbers, such as 1-60")
    return range(int(first), int(last) + 1)


@asynccontextmanager
async def _server() -> AsyncIterator[tuple[str, str, Path]]:
    """A PostgreSQL for days, the name of a migrated database in it, and a folder."""
    home = Path(tempfile.mkdtemp(prefix="gateway-simulation-"))
    os.chmod(home, 0o755)  # PostgreSQL runs as another user, who must be able to pass
    children = await Children.claim(home)
    postgres = Postgres(home, children)
    try:
        await postgres.start()
        yield postgres.dsn, await make_template(postgres.dsn), home
    finally:
        await postgres.stop()
        await children.release()
        await asyncio.to_thread(shutil.rmtree, home, ignore_errors=True)


async def _live(seed: int, payments: int | None) -> tuple[Report, float]:
    async with _server() as (dsn, template, home):
        started = time.monotonic()
        return await day(dsn, template, home, seed, payments), time.monotonic() - started


async def _live_through_all(seeds: range, payments: int | None) -> int:
    """Live through one day after the other; 0 when all ended well."""
    broken, started = 0, time.monotonic()
    async with _server() as (dsn, template, home):
        for seed in seeds:
            since = time.monotonic()
            try:
                report = await day(dsn, template, home, seed, payments)
            except Violation as violation:
                broken += 1
                print(f"seed {seed} did not end well", flush=True)
                print(violation, file=sys.stderr, flush=True)
            else:
                print(_line(report, time.monotonic() - since), flush=True)
    print(f"{len(seeds)} days in {time.monotonic() - started:.0f} s; {broken} did not end well")
    return 1 if broken else 0


def _line(report: Report, seconds: float) -> str:
    return f"seed {report.seed}: {report.steps} steps in {seconds:.1f} s; this day is {report.digest[:16]}"


def _print(report: Report, seconds: float) -> None:
    print("\nwhat happened, and how often")
    for kind, count in sorted(report.seen.items()):
        print(f"{count:8}  {kind}")
    print("\nhow what was asked for ended")
    for end, count in sorted(report.ends.items()):
        print(f"{count:8}  {end}")
    print(f"\n{_line(report, seconds)}")
    print(
        f"{report.payments} payments accepted, {report.settled} settled, {report.failed} failed with a reason, "
        f"{report.expired} expired unsigned, none twice; the ledger equals the chain"
    )


if __name__ == "__main__":
    sys.exit(main())

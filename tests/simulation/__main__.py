"""Live through a seeded day of faults and say what happened: scripts/simulate."""

import argparse
import asyncio
import logging
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from gateway.embedded.children import Children
from gateway.embedded.postgres import Postgres
from tests.conftest import make_template
from tests.simulation.day import Report
from tests.simulation.run import day, size_of
from tests.simulation.world import Violation

_HELP = """A seeded day of faults: payments over a PostgreSQL and a chain of its own, amid killed workers, lost answers,
reorganisations, stuck lanes and owners who spend what they have. The same seed is the same day each time. Prints what
happened; ends with 0 when each payment was settled once, expired unsigned or failed with a reason, else with 1."""


def main() -> int:
    parser = argparse.ArgumentParser("scripts/simulate", description=_HELP)
    parser.add_argument("--seed", type=int, required=True, help="which day: any whole number")
    parser.add_argument("--payments", type=_count, help="how many are accepted; else 40 to 80, as the seed has it")
    parser.add_argument("--quiet", action="store_true", help="leave out the diary: the figures alone")
    asked = parser.parse_args()
    logging.disable(logging.CRITICAL)  # what the product logs of faults is what it should
    try:
        report, seconds = uvloop.run(_live(asked.seed, asked.payments or size_of(asked.seed)))
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


async def _live(seed: int, payments: int) -> tuple[Report, float]:
    home = Path(tempfile.mkdtemp(prefix="gateway-simulation-"))
    os.chmod(home, 0o755)  # PostgreSQL runs as another user, who must be able to pass
    children = await Children.claim(home)
    postgres = Postgres(home, children)
    try:
        await postgres.start()
        template = await make_template(postgres.dsn)
        begun = time.monotonic()
        return await day(postgres.dsn, template, home, seed, payments), time.monotonic() - begun
    finally:
        await postgres.stop()
        await children.release()
        await asyncio.to_thread(shutil.rmtree, home, ignore_errors=True)


def _print(report: Report, seconds: float) -> None:
    print("\nwhat happened, and how often")
    for kind, count in sorted(report.seen.items()):
        print(f"{count:8}  {kind}")
    print("\nhow what was asked for ended")
    for end, count in sorted(report.ends.items()):
        print(f"{count:8}  {end}")
    print(f"\nseed {report.seed}: {report.steps} steps in {seconds:.1f} s; this day is {report.digest[:16]}")
    print(
        f"{report.payments} payments accepted, {report.settled} settled, {report.failed} failed with a reason, "
        f"{report.expired} expired unsigned, none twice; the book equals the chain"
    )


if __name__ == "__main__":
    sys.exit(main())

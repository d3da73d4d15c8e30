"""What scripts/bench can measure, and its command line. Imports nothing, so `scripts/bench --help` prints at once."""

import argparse
from pathlib import Path

#: By name: what is measured, in one sentence. figures.py has the function of each.
NAMES = {
    "single": "Payments one by one, uniform over 10,000 handles, over an empty Litestar POST; 64 and 256 connections.",
    "callers": "Payments by scoped keys, keys with caps (with a passkey too) and sessions, over plain ones; tokens.",
    "lifecycle": "Holds, captures, voids, refunds and batches, per payment, over plain payments; holds by caller.",
    "grouped": "Payments that share commits, over one PostgreSQL transaction each through a pool of 16.",
    "hot": "Everybody pays one handle, over payments between all.",
    "lone": "A lone client's median, over that of an empty POST and one sync to the disk.",
    "concurrency": "Payments one by one at few connections, for the chart: 1, 4 and 16 of them.",
    "auth": "What it costs to know who is calling, over all that a payment costs; 64 connections.",
    "bulk": "A thousand payments a call, each on its own, over a one-call transfer function under pgbench.",
    "two": "Two gateway processes over one database, over one process; 64 connections, 32 from each of two clients.",
    "postgres": "PostgreSQL's processor time, WAL and disk per payment, called directly, over a minimal ledger.",
    "reads": "Balances, statements and payments in the database, with --payments in the ledger, over 10,000 of them.",
    "size": "What a payment costs with --payments in the ledger already, over a fresh ledger; 64 connections.",
    "memory": "The gateway's memory after 1,000,000 payments, over what it was after 100,000.",
    "chain": "Token payments from request to settled, over web3.py one at a time, and anvil with signed batches.",
    "tokens": "What a token payment costs PostgreSQL, part by part, called directly, in groups of 240.",
    "events": "Event streams: 2,000 at 1,000 events/s, payments beside 200 of them, and one over a killed gateway.",
    "pages": "Home with 1,000,000 entries in the ledger, and how soon a payee's browser shows a payment.",
    "traces": "Payments with traces, at the default sampling and of every payment, over payments without.",
    "webhooks": "Webhooks: a backlog sent, payments beside it, a receiver's state over two kills, what 100,000 take.",
    "against": "Most of the above, over the same of another revision (--against REV).",
}

_ROOT = Path(__file__).resolve().parents[2]


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure both rails against their baselines, on this machine.",
        epilog="figures:\n" + "\n".join(f"  {name:12} {what}" for name, what in NAMES.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("names", nargs="*", metavar="NAME", help="what to measure, of the list below; all of it if none")
    made.add_argument("--quick", action="store_true", help="short legs and smaller big books: a look, no result")
    made.add_argument("--smoke", action="store_true", help="everything once with tiny numbers: does it run?")
    made.add_argument("--seconds", type=float, help="how long each leg is measured (8; 2 with --quick)")
    made.add_argument(
        "--payments", type=int, default=5_000_000, help="payments in the big ledger of reads and size (%(default)s)"
    )
    made.add_argument(
        "--against", metavar="REV", help="a commit to measure beside this checkout, for the figure against"
    )
    made.add_argument("--out", type=Path, default=Path("bench-results"), help="where results and charts are put")
    made.add_argument(
        "--home", type=Path, default=_ROOT / ".gateway" / "bench", help="the folder to work in: its disk is measured"
    )
    return made


def parsed(arguments: list[str] | None = None) -> argparse.Namespace:
    """The arguments, `names` filled in where none were given. Exits where they are wrong."""
    made = parser()
    asked = made.parse_args(arguments)
    unknown = [name for name in asked.names if name not in NAMES]
    if unknown:
        made.error(f"there is no {unknown[0]!r}: choose from {', '.join(NAMES)}")
    if "against" in asked.names and asked.against is None:
        made.error("the figure against needs --against REV")
    asked.names = asked.names or list(NAMES)
    return asked


if __name__ == "__main__":
    parsed()

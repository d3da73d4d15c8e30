"""scripts/bench [NAME…] [--quick] [--out FOLDER] [--home FOLDER]"""

import argparse
import asyncio
import json
import os
import platform
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import books, chart, machine, tokens
from benchmarks.bench import Bench, Measured
from benchmarks.compare import Row, table
from benchmarks.figures import FIGURES
from benchmarks.rig import rig
from gateway.errors import GatewayError

_ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Run what is asked for; the exit status is 1 where books are wrong or requests failed, whatever was met."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measure both rails against their baselines, on this machine.",
        epilog="\n".join(f"  {name:12} {(figure.__doc__ or '').splitlines()[0]}" for name, figure in FIGURES.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help="what to measure, of the list below; all of it if none"
    )
    parser.add_argument("--quick", action="store_true", help="short legs and a smaller big book: a look, no result")
    parser.add_argument("--out", type=Path, default=Path("bench-results"), help="where results and charts are put")
    parser.add_argument(
        "--home", type=Path, default=_ROOT / ".gateway" / "bench", help="the folder to work in: its disk is measured"
    )
    asked = parser.parse_args()
    unknown = [name for name in asked.names if name not in FIGURES]
    if unknown:
        parser.error(f"there is no {unknown[0]!r}: choose from {', '.join(FIGURES)}")
    try:
        asked.out.mkdir(parents=True, exist_ok=True)
        sys.exit(asyncio.run(_run(asked.names or list(FIGURES), asked.quick, asked.out, asked.home.absolute())))
    except GatewayError as refused:
        sys.exit(f"scripts/bench: {refused}")
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit("scripts/bench: stopped; what was measured before is in the results")


async def _run(names: list[str], quick: bool, out: Path, home: Path) -> int:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    began = datetime.now(UTC)
    results: dict[str, Any] = {"began": began.isoformat(), "quick": quick, "machine": _machine(), "figures": {}}
    done: dict[str, Measured] = {}
    async with rig(home) as made:
        bench = Bench(made, seconds=2 if quick else 8, warm_seconds=1 if quick else 2, rounds=3, quick=quick)
        for name in names:
            syncs = machine.sync_seconds(home, 200)
            sync_ms, load = median(syncs) * 1e3, os.getloadavg()[0]
            print(f"\n{name}: {FIGURES[name].__doc__}")
            print(f"  a sync of 8 KiB takes {sync_ms:.3f} ms here now; load average {load:.2f}", flush=True)
            begun = time.monotonic()
            done[name] = measured = await FIGURES[name](bench)
            plain = measured.plain() | {
                "sync_ms": sync_ms,
                "load_average": load,
                "took_seconds": time.monotonic() - begun,
            }
            results["figures"][name] = plain
            _write(out, results)
            print(table(measured.rows), flush=True)
    return _end(out, done, quick)


def _end(out: Path, done: dict[str, Measured], quick: bool) -> int:
    rows: list[Row] = [row for measured in done.values() for row in measured.rows if row.target is not None]
    checked = [one for measured in done.values() for one in measured.checked]
    failures = sum(measured.failures for measured in done.values())
    print("\nafter each figure it was checked, book by book, that")
    print("\n".join(f"  - {sentence};" for sentence in books.CHECKED))
    if "chain" in done:
        print("and of the token payments that")
        print("\n".join(f"  - {sentence};" for sentence in tokens.CHECKED))
    wrong = [one for one in checked if one.faults]
    print(f"{len(checked) - len(wrong)} of {len(checked)} books are right; {failures} requests failed")
    print("\n" + table(rows))
    for what, verdict in done["bulk"].notes.items() if "bulk" in done else ():
        if isinstance(verdict, str):
            print(f"bulk, {what}: {verdict}")
    for file in _draw(out, done):
        print(f"drew {file}")
    if quick:
        print("these were short legs: look at a full run before you believe them")
    print(f"\nall of it is in {out / 'results.json'}")
    return 1 if wrong or failures else 0


def _draw(out: Path, done: dict[str, Measured]) -> list[Path]:
    """The charts for which there are measurements."""
    drawn = []
    legs = [leg for name in ("single", "concurrency") if name in done for leg in done[name].legs]
    if chart.concurrency(legs, out / "concurrency.png"):
        drawn.append(out / "concurrency.png")
    if "size" in done and chart.entries(done["size"].legs, done["size"].notes["entries"], out / "entries.png"):
        drawn.append(out / "entries.png")
    return drawn


def _write(out: Path, results: dict[str, Any]) -> None:
    (out / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


def _machine() -> dict[str, Any]:
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")), ":")
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    return {
        "processors": os.cpu_count(),
        "model": cpu.partition(":")[2].strip(),
        "memory_kib": int(memory.split()[1]),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }


if __name__ == "__main__":
    main()

"""scripts/bench: what names.py says."""

import asyncio
import json
import os
import platform
import signal
import sys
import time
from argparse import Namespace
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg

from benchmarks import books, chart, machine, tokens
from benchmarks.bench import Bench, Measured
from benchmarks.compare import Row, summary, table
from benchmarks.figures import FIGURES
from benchmarks.names import NAMES, parsed
from benchmarks.revision import NotMeasured, checked_out
from benchmarks.rig import Rig, rig
from gateway.errors import GatewayError

#: Errors that keep one figure from being measured, and not the others.
_FAILED = (NotMeasured, GatewayError, RuntimeError, OSError, asyncpg.PostgresError)


def main() -> None:
    """Run the figures that were named. The exit status is 1 if a ledger is wrong, requests failed, or a figure could
    not be measured, whether or not targets were met.
    """
    asked = parsed()
    try:
        asked.out.mkdir(parents=True, exist_ok=True)
        sys.exit(asyncio.run(_run(asked)))
    except (GatewayError, NotMeasured) as refused:
        sys.exit(f"scripts/bench: {refused}")
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit("scripts/bench: stopped; what was measured before is in the results")


async def _run(asked: Namespace) -> int:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    home: Path = asked.home.absolute()
    results: dict[str, Any] = {
        "began": datetime.now(UTC).isoformat(),
        "quick": asked.quick,
        "against": asked.against,
        "machine": _machine(),
        "figures": {},
    }
    done: dict[str, Measured] = {}
    left_out = {name: "not asked for" for name in NAMES if name not in asked.names}
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(rig(home))
        bench = _bench(made, asked)
        if asked.against is not None:
            bench.other = await stack.enter_async_context(checked_out(asked.against, home / "checkout"))
        for name in asked.names:
            sync_ms, load = median(machine.sync_seconds(home, 200)) * 1e3, os.getloadavg()[0]
            print(f"\n{name}: {NAMES[name]}")
            print(f"  a sync of 8 KiB takes {sync_ms:.3f} ms here now; load average {load:.2f}", flush=True)
            started = time.monotonic()
            try:
                done[name] = measured = await FIGURES[name](bench)
            except _FAILED as failed:
                left_out[name] = f"could not be measured: {type(failed).__name__}: {failed}"
                print(f"  {left_out[name]}", flush=True)
                continue
            left_out |= measured.left_out
            plain = measured.plain() | {
                "sync_ms": sync_ms,
                "load_average": load,
                "took_seconds": time.monotonic() - started,
            }
            results["figures"][name] = plain
            results["left_out"] = left_out
            _write(asked.out, results)
            print(table(measured.rows), flush=True)
    return _end(asked.out, done, left_out, asked.quick)


def _bench(made: Rig, asked: Namespace) -> Bench:
    if asked.smoke:
        return Bench(made, 1, warm_seconds=1, rounds=1, quick=True, payments=20_000, handles=1_100, steps=40)
    seconds = asked.seconds or (2 if asked.quick else 8)
    payments = asked.payments // 10 if asked.quick else asked.payments
    return Bench(made, seconds, warm_seconds=max(seconds / 4, 1), rounds=3, quick=asked.quick, payments=payments)


def _end(out: Path, done: dict[str, Measured], left_out: dict[str, str], quick: bool) -> int:
    rows: list[Row] = [row for measured in done.values() for row in measured.rows]
    checked = [one for measured in done.values() for one in measured.checked]
    faults = [fault for measured in done.values() for fault in measured.faults]
    failures = sum(measured.failures for measured in done.values())
    print("\nafter each figure it was checked, ledger by ledger, that")
    print("\n".join(f"  - {sentence};" for sentence in books.CHECKED))
    if "chain" in done:
        print("and of the token payments that")
        print("\n".join(f"  - {sentence};" for sentence in tokens.CHECKED))
    wrong = [one for one in checked if one.faults]
    print(f"{len(checked) - len(wrong)} of {len(checked)} books are right; {failures} requests failed")
    print("\n".join(f"WRONG: {fault}" for fault in faults))
    print("\n" + table([row for row in rows if row.target is not None]))
    for what, verdict in done["bulk"].notes.items() if "bulk" in done else ():
        if isinstance(verdict, str):
            print(f"bulk, {what}: {verdict}")
    for file in _draw(out, done):
        print(f"drew {file}")
    whole = summary(rows, left_out)
    (out / "table.md").write_text(whole + "\n")
    print("\n" + whole)
    if quick:
        print("these were short legs: look at a full run before you believe them")
    print(f"\nall of it is in {out / 'results.json'}, the table in {out / 'table.md'}")
    unmeasured = any(why.startswith("could not") for why in left_out.values())
    return 1 if wrong or faults or failures or unmeasured else 0


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

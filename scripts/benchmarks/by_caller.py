"""Payments by each kind of caller, over plain keys: what a production gateway is paid by, beside the case it is fastest
in.
"""

from contextlib import AsyncExitStack
from functools import partial

from benchmarks.bench import Bench, Measured
from benchmarks.callers import CAPPED, GUARDED, PLAIN, SCOPED, SESSION
from benchmarks.legs import Leg, cpu_rows, p99_row, rate_row, whole_row
from benchmarks.rig import Ledger, Served

_KINDS = (PLAIN, SCOPED, CAPPED, GUARDED, SESSION)
_CONNECTIONS = 64


async def callers(bench: Bench) -> Measured:
    """Payments by scoped keys, keys with caps (with a passkey too) and sessions, over plain keys."""
    measured = Measured()
    async with AsyncExitStack() as stack:
        sides: list[tuple[Ledger, Served]] = []
        for caller in _KINDS:
            ledger = await bench.fresh(f"by_{caller.name}", caller)
            sides.append((ledger, await stack.enter_async_context(bench.rig.serving(ledger))))
        plain, *others = await bench.turns(
            measured,
            *(partial(_load, bench, served, ledger) for ledger, served in sides),
        )
    for caller, legs in zip(_KINDS[1:], others, strict=True):
        measured.rows.append(rate_row("callers", caller.what, legs, plain, PLAIN.what, None))
        measured.rows.append(p99_row("callers", f"p99, {caller.what}", legs, plain, PLAIN.what, None))
        measured.rows.append(whole_row("callers", caller.what, legs, plain, PLAIN.what))
        measured.rows += cpu_rows("callers", caller.what, legs, plain, PLAIN.what)
    await bench.checks(measured, *(ledger for ledger, _ in sides))
    return measured


async def _load(bench: Bench, served: Served, ledger: Ledger, seconds: float) -> Leg:
    """Twice as long as other legs: some callers wait so long for an answer that the last of a short one weigh."""
    return await bench.rig.load(ledger.caller.what, [served], ledger, _CONNECTIONS, 2 * seconds)

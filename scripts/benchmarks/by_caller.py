"""Payments by each kind of caller, over plain keys: what a production gateway is paid by, beside the case it is fastest
in. Then the same of token payments, until they are settled.
"""

from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

from benchmarks import tokens
from benchmarks.bench import Bench, Measured, told
from benchmarks.callers import CAPPED, GUARDED, PLAIN, SCOPED, SESSION, Caller
from benchmarks.chain import HANDLES, Setup, Spent, leg_until_settled, setup_with_tokens
from benchmarks.compare import Row
from benchmarks.legs import Leg, cpu_rows, p99_row, rate_row, whole_row
from benchmarks.rig import Ledger, Served

_KINDS = (PLAIN, SCOPED, CAPPED, GUARDED, SESSION)
_CONNECTIONS = 64


async def callers(bench: Bench) -> Measured:
    """Payments by scoped keys, keys with caps (with a passkey too) and sessions, over plain ones; tokens."""
    measured = Measured()
    await _by_the_ledger(bench, measured)
    await _by_the_chain(bench, measured)
    return measured


async def _by_the_ledger(bench: Bench, measured: Measured) -> None:
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


async def _load(bench: Bench, served: Served, ledger: Ledger, seconds: float) -> Leg:
    """Twice as long as other legs: some callers wait so long for an answer that the last of a short one weigh."""
    return await bench.rig.load(ledger.caller.what, [served], ledger, _CONNECTIONS, 2 * seconds)


async def _by_the_chain(bench: Bench, measured: Measured) -> None:
    """Token payments by plain keys, keys with caps and sessions. Plain keys and keys with caps are of the same wallets,
    sessions of others, which have a passkey: those have a gateway, a worker and a chain of their own. What one side has
    does nothing while the other pays.
    """
    async with (
        setup_with_tokens(bench.rig, HANDLES, "tokens_by_keys", caller=CAPPED) as keys,
        setup_with_tokens(bench.rig, HANDLES, "tokens_by_sessions", caller=SESSION) as sessions,
    ):
        sides = (PLAIN, keys), (CAPPED, keys), (SESSION, sessions)
        for caller, setup in sides:
            await _tokens(measured, setup, caller, bench.warm_seconds, Spent())
            await setup.connection.execute("VACUUM ANALYZE")  # as autovacuum does, once there is something
        legs: dict[Caller, list[Leg]] = {caller: [] for caller, _ in sides}
        spent = {caller: Spent() for caller, _ in sides}
        for _ in range(bench.rounds):
            for caller, setup in sides:
                leg = await _tokens(measured, setup, caller, 2 * bench.seconds, spent[caller])
                legs[caller].append(leg)
                measured.legs.append(leg)
                print(f"{told(leg)}, worker {spent[caller].worker[-1]:.0f}", flush=True)
        for setup in (keys, sessions):
            measured.checked.append(await tokens.check(setup.rig, setup.ledger))
            print(f"  {measured.checked[-1]}", flush=True)
    for caller in (CAPPED, SESSION):
        what, of, against = f"tokens, {caller.what}", (legs[caller], legs[PLAIN]), f"tokens, {PLAIN.what}"
        measured.rows.append(rate_row("callers", what, *of, against, None))
        measured.rows.append(whole_row("callers", what, *of, against))
        measured.rows += cpu_rows("callers", what, *of, against)
        workers = tuple(spent[caller].worker), tuple(spent[PLAIN].worker)
        measured.rows.append(Row("callers", f"worker CPU each, {what}", "µs", *workers, against))


async def _tokens(measured: Measured, setup: Setup, caller: Caller, seconds: float, spent: Spent) -> Leg:
    """Token payments by the caller, until all are settled."""
    setup.ledger.caller = caller
    leg = replace(await leg_until_settled(setup, seconds, spent), who=f"tokens, {caller.what}")
    measured.failures += leg.failures
    return leg

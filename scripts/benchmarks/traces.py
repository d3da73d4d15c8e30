"""The cost of traces: payments with them, over payments without, in turns, on each rail. The collector is in this
process, so its processor time does not count as the gateway's or the worker's.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial

from benchmarks import tokens
from benchmarks.bench import Bench, Measured, told
from benchmarks.chain import HANDLES, Spent, leg_until_settled, setup_with_tokens
from benchmarks.compare import Row, Target
from benchmarks.legs import Leg, by_part, cpu_rows, rate_row
from gateway.config.environment import from_environment

#: The default ratio, and every payment.
_RATIOS = (str(from_environment({}).traces_ratio), "1")

_CONNECTIONS = 64
_TAKEN = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Collector:
    """An HTTP server that reads whatever it is sent and accepts it."""

    def __init__(self) -> None:
        self.bytes = self.requests = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until its client closes it."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
                self.bytes += len(await reader.readexactly(int(fields[b"content-length"])))
                self.requests += 1
                writer.write(_TAKEN)
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector on a free port."""
    collector = Collector()
    server = await asyncio.start_server(collector.serve, "127.0.0.1", 0)
    collector.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/traces"
    try:
        yield collector
    finally:
        server.close()


async def traces(bench: Bench) -> Measured:
    """Payments with traces, at the default sampling and of every payment, over payments without."""
    measured = Measured()
    await _by_the_ledger(bench, measured)
    for ratio in _RATIOS:
        await _by_the_chain(bench, measured, ratio)
    return measured


async def _by_the_ledger(bench: Bench, measured: Measured) -> None:
    rig, ledger = bench.rig, await bench.fresh("untraced")
    for number, ratio in enumerate(_RATIOS):
        watched = await bench.fresh(f"traced_{number}")
        async with collecting() as collector:
            settings = {"GATEWAY_TRACES_URL": collector.url, "GATEWAY_TRACES_RATIO": ratio}
            async with rig.serving(ledger) as without, rig.serving(watched, settings=settings) as gateway:
                theirs, ours = await bench.turns(
                    measured,
                    partial(rig.load, "no traces", [without], ledger, _CONNECTIONS),
                    partial(rig.load, f"traces of {ratio}", [gateway], watched, _CONNECTIONS),
                )
            if not collector.requests:
                measured.faults.append("no trace came")
        what, against = f"traces of {ratio} of the payments", "payments without traces"
        measured.rows.append(rate_row("traces", what, ours, theirs, against, None))
        cpu = (by_part(legs)["gateway"] for legs in (ours, theirs))
        maximum = Target(below=1.03) if ratio == _RATIOS[0] else None
        measured.rows.append(Row("traces", f"gateway CPU each, {what}", "µs", *cpu, against, maximum))
        measured.rows += [row for row in cpu_rows("traces", what, ours, theirs, against) if "PostgreSQL" in row.what]
        await bench.checks(measured, watched)
    await bench.checks(measured, ledger)


async def _by_the_chain(bench: Bench, measured: Measured, ratio: str) -> None:
    """Token payments until they are settled: each side has a gateway, a worker and a chain, and the other's do nothing
    meanwhile.
    """
    async with collecting() as collector, AsyncExitStack() as stack:
        settings = {"GATEWAY_TRACES_URL": collector.url, "GATEWAY_TRACES_RATIO": ratio}
        sides = [
            (name, await stack.enter_async_context(setup_with_tokens(bench.rig, HANDLES, name, more)), Spent())
            for name, more in (("untraced_tokens", {}), ("traced_tokens", settings))
        ]
        legs: dict[str, list[Leg]] = {name: [] for name, _, _ in sides}
        for _ in range(bench.rounds):
            for name, setup, spent in sides:
                measured.failures += (await leg_until_settled(setup, bench.warm_seconds, Spent())).failures
                leg = replace(await leg_until_settled(setup, 2 * bench.seconds, spent), who=f"{name}, {ratio}")
                legs[name].append(leg)
                measured.legs.append(leg)
                measured.failures += leg.failures
                print(f"{told(leg)}, worker {spent.worker[-1]:.0f}", flush=True)
        for _, setup, _ in sides:
            measured.checked.append(await tokens.check(setup.rig, setup.ledger))
            print(f"  {measured.checked[-1]}", flush=True)
        if not collector.requests:
            measured.faults.append("no trace came")
    (without, _, idle), (traced, _, busy) = sides
    what, against = f"traces of {ratio} of the token payments", "token payments without traces"
    measured.rows.append(rate_row("traces", what, legs[traced], legs[without], against, None))
    measured.rows += [
        row for row in cpu_rows("traces", what, legs[traced], legs[without], against) if not row.what.startswith("wrk")
    ]
    worker = f"worker CPU each, {what}"
    measured.rows.append(Row("traces", worker, "µs", tuple(busy.worker), tuple(idle.worker), against))

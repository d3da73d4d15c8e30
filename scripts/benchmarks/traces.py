"""The cost of traces: payments with them, over payments without, in turns. The collector is in this process, so its
processor time does not count as the gateway's.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from benchmarks.bench import Bench, Measured
from benchmarks.compare import Row, Target
from benchmarks.legs import by_part, cpu_rows, rate_row
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
        most = Target(below=1.03) if ratio == _RATIOS[0] else None
        measured.rows.append(Row("traces", f"gateway CPU each, {what}", "µs", *cpu, against, most))
        measured.rows += [row for row in cpu_rows("traces", what, ours, theirs, against) if "PostgreSQL" in row.what]
        await bench.checks(measured, watched)
    await bench.checks(measured, ledger)
    return measured

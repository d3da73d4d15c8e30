"""Shared by `serve` and `work`: signals and metrics.

Only a process that serves HTTP imports the web framework, which takes half a second of processor time.
"""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from gateway import __version__
from gateway.cli.processes.ports import check_port, free_port
from gateway.config.config import Config
from gateway.metrics.exporter import Exporter, by_label, single
from gateway.postgres.pool import Database


def exporter_of(database: Database) -> Exporter:
    """The metrics of a process, with those of its connections to the database. They are built here and not in
    assembly.py, which every command imports: Prometheus's client takes some 40 ms of processor time.
    """
    built = Exporter(__version__)
    built.register("gateway_database_connections", lambda: by_label(database.connections()))
    built.register("gateway_database_connections_max", lambda: single(database.connections_max))
    built.register("gateway_database_acquire_seconds", lambda: single(database.waits))
    built.register("gateway_database_acquire_timeouts_total", lambda: single(database.timeouts))
    return built


@asynccontextmanager
async def exported(exporter: Exporter, config: Config) -> AsyncIterator[None]:
    """Serve the metrics until the block ends, if a port is set for them. Raises Misconfigured if the port is taken."""
    if config.metrics_port is None:
        yield
        return
    from gateway.api.server import Server  # see above

    host, port = config.metrics_host, config.metrics_port or free_port(config.metrics_host)
    check_port(host, port, "GATEWAY_METRICS_PORT")
    server = Server(exporter, host, port, stop_seconds=config.stop_seconds)
    serving = asyncio.create_task(server.serve())
    print(f"metrics at {config.url(port, host)}/metrics", flush=True)
    try:
        yield
    finally:
        server.stop()
        await serving


def collect_less() -> None:
    """Tune the garbage collector: objects that exist by now live as long as the process, so collections need not visit
    them, and can be rare.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def on_signal(stop: Callable[[], None]) -> None:
    """Call `stop` on Ctrl-C and SIGTERM."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)

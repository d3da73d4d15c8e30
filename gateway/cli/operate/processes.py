"""serve and work: one process each, any number of them over one database."""

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

import uvloop

from gateway import __version__, assembly, logs
from gateway.api import measures as served
from gateway.api.app import over, routed
from gateway.api.events.views import rendering
from gateway.api.methods import Gateway
from gateway.api.server import Server
from gateway.chain.errors import ChainReplaced, NodeUnavailable
from gateway.chain.relayer import roles
from gateway.chain.watcher import cursors, same_chain
from gateway.config import Config
from gateway.docs.library import Library
from gateway.docs.pages import pages as documentation
from gateway.errors import Misconfigured
from gateway.http.services import Services
from gateway.metrics.exporter import Exporter, by_label, single
from gateway.postgres.errors import DatabaseUnavailable
from gateway.postgres.pool import Database
from gateway.reconciliation import recovery
from gateway.web.pages import PAGES, missing
from gateway.worker import loop as working
from gateway.worker import measures as worked
from gateway.worker.worker import Worker

log = logging.getLogger(__name__)


def gateway_of(services: Services) -> Any:
    """The API, the pages that people see, and the documentation."""
    return over(routes_of(services.public_url), services)


def routes_of(public_url: str) -> Gateway:
    """The same, with no services yet."""
    return routed(public_url, [*PAGES, *documentation(Library.read())], missing)


def serve(config: Config, build: Callable[[Services], Any] = gateway_of) -> None:
    """Serve HTTP until SIGTERM or Ctrl-C: what `build` makes of the gateway, an ASGI application."""
    logs.to_standard_error(config.log_format)
    uvloop.run(_serve(config, build))


def work(config: Config) -> None:
    """Sign, batch, send, watch and settle until SIGTERM or Ctrl-C."""
    logs.to_standard_error(config.log_format)
    uvloop.run(_work(config))


async def _serve(config: Config, build: Callable[[Services], Any]) -> None:
    port = config.port or free_port(config.host)
    check_port(config.host, port)
    url = config.url(port)
    stop = asyncio.Event()
    on_signal(stop.set)
    async with assembly.patiently(lambda: assembly.services(config, url=url), stop) as services:
        if services is None:
            return
        await _look(services, config)
        _collect_less()
        app = build(services)
        server = Server(app, config.host, port, services.stopping, config.drain_seconds, config.stop_seconds)
        on_signal(server.stop)
        exporter = exporter_of(services.database)
        if isinstance(app, Gateway):
            served.export(exporter, app)
        async with _exported(exporter, config):
            print(f"serving on {url}", flush=True)
            await server.serve()


async def _look(services: Services, config: Config) -> None:
    """Whether the database is older than the chain, before anything is accepted. Without the node it cannot be said:
    then a worker finds out, before anything is sent.
    """
    if services.node is None:
        return
    try:
        found = await recovery.look(
            services.database, services.node, services.settings, config.finality, services.clock
        )
    except (NodeUnavailable, DatabaseUnavailable, ChainReplaced) as unknown:
        log.warning("whether the database is older than the chain is not known yet: %s", unknown)
        return
    if found is not None:
        log.error("%s", found)


async def _work(config: Config) -> None:
    stop = asyncio.Event()
    on_signal(stop.set)
    async with assembly.patiently(lambda: assembly.worker(config, rendering), stop) as worker:
        if worker is not None:
            exporter = exporter_of(worker.database)
            worked.Measures(worker).export(exporter)
            async with _exported(exporter, config):
                await _until_stopped(_run(worker, stop), stop, config.stop_seconds)


def exporter_of(database: Database) -> Exporter:
    """The metrics of a process, with what its connections to the database tell. They are built here and not in
    assembly.py, which every command imports: Prometheus's client takes some 40 ms of processor time.
    """
    built = Exporter(__version__)
    built.tell("gateway_database_connections", lambda: by_label(database.connections()))
    built.tell("gateway_database_connections_max", lambda: single(database.connections_max))
    built.tell("gateway_database_acquire_seconds", lambda: single(database.waits))
    built.tell("gateway_database_acquire_timeouts_total", lambda: single(database.timeouts))
    return built


@asynccontextmanager
async def _exported(exporter: Exporter, config: Config) -> AsyncIterator[None]:
    """Answer Prometheus meanwhile, where a port is set for that. Raises Misconfigured where it is taken."""
    if config.metrics_port is None:
        yield
        return
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


async def _run(worker: Worker, stop: asyncio.Event) -> None:
    if await _verified(worker, stop):
        _collect_less()
        print("working", flush=True)
        await working.run(worker, stop)


async def _until_stopped(work: Coroutine[Any, Any, None], stop: asyncio.Event, seconds: float) -> None:
    """Run it to its end. Once `stop` is set it has so many seconds to come to it, and is then cancelled wherever it is,
    as if the process had been killed: another worker takes it up.
    """
    task, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    await asyncio.wait({task}, timeout=seconds)
    if not task.done():
        log.warning("stopped in the middle of what took longer than %g s: a worker takes it up again", seconds)
        task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _verified(worker: Worker, stop: asyncio.Event) -> bool:
    """Whether node and ledger are found to be of one chain before `stop` is set. What is waited for is said once."""
    contracts, said = list(worker.settings.contracts.values()), ""
    while not stop.is_set():
        try:
            async with worker.database.reading() as connection:
                cursor = await cursors.read(connection, contracts[0].chain_id) if contracts else None
            await same_chain.verify(worker.node, contracts, cursor)
            await roles.grant(worker.database, worker.node, worker.signers, contracts, worker.clock)
            return True
        except (NodeUnavailable, DatabaseUnavailable) as gone:
            if said != str(gone):
                said = str(gone)
                log.warning("waiting: %s", said)
            await asyncio.sleep(1)
    return False


def _collect_less() -> None:
    """What is built by now lives as long as the process: no collection need walk it again, and none need come often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def on_signal(stop: Callable[[], None]) -> None:
    """Call `stop` on Ctrl-C and SIGTERM."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)


def free_port(host: str) -> int:
    """A port that nobody has at the moment."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def check_port(host: str, port: int, setting: str = "GATEWAY_PORT") -> None:
    """Raises Misconfigured when somebody listens there already, or the address is not this machine's."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise Misconfigured(
                f"cannot listen on {host}:{port} ({error.strerror}): stop what uses it, or set {setting} to another "
                "port (0 picks a free one)"
            ) from None

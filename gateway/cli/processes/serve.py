"""serve: answers HTTP. Any number of these processes run over one database."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import uvloop
import webauthn  # noqa: F401 - imported at the start, so that no request waits for it (identity/sign_in/passkey_verification.py)

from gateway import assembly, logs
from gateway.api import metrics
from gateway.api.app import over, routed
from gateway.api.methods import Gateway
from gateway.api.server import Server
from gateway.chain.errors import ChainReplaced, NodeUnavailable
from gateway.cli.processes.ports import check_port, free_port
from gateway.cli.processes.process import collect_less, exported, exporter_of, on_signal
from gateway.config.config import Config
from gateway.docs.library import Library
from gateway.docs.pages import pages as documentation
from gateway.http.services import Services
from gateway.postgres.errors import DatabaseUnavailable
from gateway.reconciliation import recovery
from gateway.web.pages import PAGES, missing

log = logging.getLogger(__name__)


def gateway_of(services: Services) -> Any:
    """The application: the API, the web pages, and the documentation."""
    return over(routes_of(services.public_url), services)


def routes_of(public_url: str) -> Gateway:
    """The same application, without services."""
    return routed(public_url, [*PAGES, *documentation(Library.read())], missing)


def serve(config: Config, build: Callable[[Services], Any] = gateway_of) -> None:
    """Serve HTTP until SIGTERM or Ctrl-C. `build` makes the ASGI application."""
    logs.to_standard_error(config.log_format)
    uvloop.run(_serve(config, build))


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
        app = build(services)
        collect_less()
        server = Server(app, config.host, port, services.stopping, config.drain_seconds, config.stop_seconds)
        on_signal(server.stop)
        exporter = exporter_of(services.database)
        if isinstance(app, Gateway):
            metrics.export(exporter, app)
        async with exported(exporter, config):
            print(f"serving on {url}", flush=True)
            await server.serve()


async def _look(services: Services, config: Config) -> None:
    """Check whether the database is older than the chain, before anything is accepted. If the node is unavailable, a
    worker checks it, before anything is sent.
    """
    if services.node is None:
        return
    try:
        found = await recovery.detect(
            services.database, services.node, services.settings, config.finality, services.clock
        )
    except (NodeUnavailable, DatabaseUnavailable, ChainReplaced) as unknown:
        log.warning("cannot tell yet whether the database is older than the chain: %s", unknown)
        return
    if found is not None:
        log.error("%s", found)

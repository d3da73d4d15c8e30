"""The whole: PostgreSQL's nodes, a chain, gateways and workers, in one folder.

One gateway and one worker know the nodes by a URL that names all of them, the others by a proxy.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import httpx

from failover.nodes import Nodes
from failover.processes import KEEP_LOGS, LOGS, Processes
from failover.proxy import Proxy
from gateway.assembly import Places
from gateway.cli.operate import operations
from gateway.config.config import Config
from gateway.config.environment import from_environment
from gateway.embedded.anvil import Anvil
from gateway.embedded.children import Children
from gateway.embedded.ports import free_port

_ROOT = Path(__file__).resolve().parents[2]
_NODE_MODULES = _ROOT / "contracts" / "node_modules"


@dataclass(frozen=True)
class Cluster:
    """What runs: the nodes, and where the gateways listen, by name. `home` is GATEWAY_HOME of all of them. `pids` are
    those of the gateways and workers, by the name of their logs.
    """

    nodes: Nodes
    proxy: Proxy
    home: Path
    urls: dict[str, str]
    pids: dict[str, int] = field(default_factory=dict)

    @property
    def logs(self) -> Path:
        """The folder with the logs of all processes."""
        return self.home.parent / LOGS

    def keep_logs(self) -> None:
        """Have the logs left where they are when all else is removed."""
        (self.home.parent / KEEP_LOGS).touch()

    @property
    def settings(self) -> dict[str, str]:
        """The environment that a command of the gateway needs to work on this cluster."""
        return {"GATEWAY_HOME": str(self.home), "GATEWAY_DATABASE_URL": self.nodes.url()}

    @property
    def config(self) -> Config:
        return from_environment(self.settings)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Cluster]:
    """Start everything in the folder, which exists and is empty; at the end nothing of it runs any more."""
    processes = Processes(folder)
    home = folder / "home"
    try:
        nodes = Nodes(processes)
        await nodes.start()
        proxy = Proxy(nodes)
        await proxy.start()
        children = await Children.claim(home)
        try:
            chain = Anvil(home, children, _NODE_MODULES, block_seconds=0.2)
            await chain.start()
            try:
                ports = {"hosts": free_port(), "proxy": free_port()}
                urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
                cluster = Cluster(nodes, proxy, home, urls)
                _say_where(home, cluster, chain.url)
                await operations.migrate(cluster.config)
                await operations.deploy(cluster.config)
                databases = {"hosts": nodes.url(), "proxy": nodes.url(at=f"127.0.0.1:{proxy.port}")}
                await _start(processes, cluster, ports, databases)
                yield cluster
            finally:
                await chain.stop()
        finally:
            await children.release()
            await proxy.stop()
    finally:
        await processes.end()


def _say_where(home: Path, cluster: Cluster, rpc_url: str) -> None:
    """What `gateway up` writes: every command with this GATEWAY_HOME finds the parts."""
    places = Places(cluster.nodes.url(), rpc_url, chain_is_ours=True, api_url=cluster.urls["hosts"])
    with os.fdopen(os.open(home / "run.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(json.dumps(asdict(places)))


async def _start(
    processes: Processes, cluster: Cluster, ports: Mapping[str, int], databases: Mapping[str, str]
) -> None:
    program = [sys.executable, "-P", "-m", "gateway"]
    for name, url in databases.items():
        settings = {**cluster.settings, "GATEWAY_DATABASE_URL": url, "GATEWAY_PORT": str(ports[name])}
        for kind, command in (("gateway", "serve"), ("worker", "work")):
            process = await processes.start(f"{kind}-{name}", [*program, command], settings)
            cluster.pids[f"{kind}-{name}"] = process.pid
    async with httpx.AsyncClient(trust_env=False, timeout=3) as http:
        for url in cluster.urls.values():
            await _until_ready(http, url)


async def _until_ready(http: httpx.AsyncClient, url: str) -> None:
    async with asyncio.timeout(60):
        while True:
            with suppress(httpx.HTTPError):
                if (await http.get(f"{url}/health/ready")).status_code == 200:
                    return
            await asyncio.sleep(0.2)

"""Three nodes of PostgreSQL under Patroni, which agree among themselves (Raft, in Patroni's own process).

Replication is strictly synchronous: a commit is acknowledged when a standby has it too, and waits for ever where there
is no standby. PostgreSQL refuses to run as root; under root the nodes run as `nobody`, with the right to read any
folder where they need it to reach their Python.
"""

import asyncio
import json
import os
import secrets
import signal
import subprocess  # nosec B404 - fixed arguments, no shell
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil

from failover.processes import Processes, below, marked, tell
from gateway.embedded import postgres as embedded
from gateway.embedded.ports import free_port

_HOST = "127.0.0.1"
_PATRONI = Path(sys.prefix) / "cluster" / "bin" / "python"

#: Patroni's shortest: a primary that is silent for so long is replaced (ttl), looked at every `loop_wait` seconds.
_TTL_SECONDS, _LOOP_SECONDS, _RETRY_SECONDS = 20, 1, 3

_START_SECONDS = 90.0


@dataclass
class Node:
    """One node. `frozen` are the processes that were stopped and have not been let go on."""

    name: str
    folder: Path
    port: int
    rest_port: int
    raft_port: int
    frozen: list[psutil.Process] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"{_HOST}:{self.port}"


class Nodes:
    """The cluster of PostgreSQL."""

    def __init__(self, processes: Processes, count: int = 3) -> None:
        self._processes = processes
        self._password = secrets.token_hex(16)
        self.nodes = [
            Node(f"node{number}", processes.folder / f"node{number}", free_port(), free_port(), free_port())
            for number in range(1, count + 1)
        ]

    def url(self, at: str | None = None) -> str:
        """Where the gateways' database is: on one of the nodes, whichever takes writes, or behind a proxy."""
        return f"postgresql://gateway:{self._password}@{at or ','.join(node.address for node in self.nodes)}/gateway"

    async def start(self) -> None:
        """Start them and wait for a primary with a synchronous standby; then make the gateway's role and database."""
        way = _way()
        for node in self.nodes:
            node.folder.mkdir(mode=0o700)
            config = node.folder / "patroni.json"
            config.write_text(json.dumps(self._config(node)))
            for path in (node.folder, config):
                os.chown(path, way.uid, way.gid)
            await self._processes.start(
                node.name, [*way.prefix, str(_PATRONI), "-P", "-m", "patroni", str(config)], {"LC_ALL": "C"}
            )
        await self.until_replicated()
        await self._execute(
            await self.primary(),
            f"CREATE ROLE gateway LOGIN PASSWORD '{self._password}'",
            "CREATE DATABASE gateway OWNER gateway ENCODING 'UTF8' TEMPLATE template0",
        )

    async def primary(self) -> Node:
        """The node that leads, as the others have agreed. Raises TimeoutError where none does for long."""
        give_up = time.monotonic() + _START_SECONDS
        while time.monotonic() < give_up:
            for node in self.nodes:
                for member in await self._members(node):
                    if member["role"] == "leader" and member["state"] == "running":
                        return next(one for one in self.nodes if one.name == member["name"])
            await asyncio.sleep(0.5)
        raise TimeoutError("no node leads: see the nodes' logs")

    async def leads(self, http: httpx.AsyncClient, node: Node) -> bool:
        """Whether the node says that it is the primary, as a proxy asks it; False where it says nothing."""
        try:
            return (await http.get(f"http://{_HOST}:{node.rest_port}/primary", timeout=1)).status_code == 200
        except httpx.HTTPError:
            return False

    async def commit(self, node: Node) -> None:
        """Commit something on the node, past every gateway: this ends when a standby has it."""
        await self._execute(node, "SELECT pg_logical_emit_message(true, 'cluster', '')")

    async def _execute(self, node: Node, *statements: str) -> None:
        connection = await asyncpg.connect(
            host=_HOST, port=node.port, user="postgres", password=self._password, database="postgres"
        )
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    async def until_replicated(self) -> None:
        """Wait until every node runs and one of the standbys is synchronous."""
        give_up = time.monotonic() + _START_SECONDS
        while time.monotonic() < give_up:
            members = await self._members(self.nodes[0])
            roles = sorted(member["role"] for member in members if member["state"] in ("running", "streaming"))
            if len(roles) == len(self.nodes) and "leader" in roles and "sync_standby" in roles:
                return
            await asyncio.sleep(0.5)
        raise TimeoutError(f"the nodes are not ready after {_START_SECONDS:.0f} s: {members}; see their logs")

    async def switch_over(self) -> None:
        """Have the primary hand over to its synchronous standby, as an operator would."""
        primary = await self.primary()
        async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
            asked = {"leader": primary.name}
            answer = await http.post(f"http://{_HOST}:{primary.rest_port}/switchover", json=asked)
            answer.raise_for_status()

    def cut_off(self, node: Node) -> None:
        """Stop the node's Patroni and leave its server alone: the others elect a new primary and replicate from that
        one, while this one goes on taking writes that nobody else will have.
        """
        self._freeze(node, [one for one in self._processes_of(node) if one.name() != "postgres"])

    def freeze(self, node: Node) -> None:
        """Stop everything on the node: its connections stay open and nothing answers."""
        self._freeze(node, self._processes_of(node))

    def unfreeze(self, node: Node) -> None:
        tell(node.frozen, signal.SIGCONT)
        node.frozen = []

    def _freeze(self, node: Node, processes: list[psutil.Process]) -> None:
        node.frozen = processes
        tell(processes, signal.SIGSTOP)

    def _processes_of(self, node: Node) -> list[psutil.Process]:
        where = str(node.folder)
        found = [one for one in marked(self._processes.folder) if any(where in word for word in one.cmdline())]
        return [*{process.pid: process for one in found for process in below(one)}.values()]

    async def _members(self, node: Node) -> list[dict[str, Any]]:
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=1) as http:
                answer = await http.get(f"http://{_HOST}:{node.rest_port}/cluster")
                members: list[dict[str, Any]] = answer.json()["members"]
                return members
        except (httpx.HTTPError, ValueError, KeyError):
            return []

    def _config(self, node: Node) -> dict[str, Any]:
        """The node's Patroni, as its documentation has it (patroni.readthedocs.io, "YAML configuration")."""
        settings = {name: value for name, value in embedded.SETTINGS.items() if name in _KEPT}
        partners = [f"{_HOST}:{other.raft_port}" for other in self.nodes if other is not node]
        return {
            "scope": "gateway",
            "name": node.name,
            "log": {"level": "INFO"},
            "restapi": {"listen": f"{_HOST}:{node.rest_port}", "connect_address": f"{_HOST}:{node.rest_port}"},
            "raft": {
                "data_dir": str(node.folder / "raft"),
                "self_addr": f"{_HOST}:{node.raft_port}",
                "partner_addrs": partners,
            },
            "bootstrap": {
                "dcs": {
                    "ttl": _TTL_SECONDS,
                    "loop_wait": _LOOP_SECONDS,
                    "retry_timeout": _RETRY_SECONDS,
                    "maximum_lag_on_failover": 1_048_576,
                    "synchronous_mode": True,
                    "synchronous_mode_strict": True,
                    "postgresql": {"use_pg_rewind": True, "parameters": settings},
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, "data-checksums"],
            },
            "postgresql": {
                "listen": node.address,
                "connect_address": node.address,
                "data_dir": str(node.folder / "data"),
                "bin_dir": str(embedded.binaries()),
                "pgpass": str(node.folder / "pgpass"),
                "pg_hba": [
                    "local all all scram-sha-256",
                    f"host all all {_HOST}/32 scram-sha-256",
                    f"host replication replicator {_HOST}/32 scram-sha-256",
                ],
                "authentication": {
                    "superuser": {"username": "postgres", "password": self._password},
                    "replication": {"username": "replicator", "password": self._password},
                    "rewind": {"username": "rewinder", "password": self._password},
                },
                "parameters": {"unix_socket_directories": ""},
            },
            "tags": {},
        }


#: The settings of the embedded server that say how it works, not where it is.
_KEPT = {"wal_init_zero", "wal_compression", "random_page_cost", "jit", "timezone"}


def _way() -> embedded.Way:
    """How Patroni is run here: as ourselves, or under root in the first way in which it can start processes."""
    starts = "import patroni, subprocess, sys; subprocess.run([sys.executable, '-c', ''], check=True)"
    for way in map(embedded.named, embedded.ways()):
        argv: Sequence[str] = [*way.prefix, str(_PATRONI), "-P", "-c", starts]
        if subprocess.run(argv, capture_output=True, cwd="/", check=False).returncode == 0:  # nosec B603 # noqa: S603 - our own
            return way
    raise RuntimeError(f"{_PATRONI} cannot be run here as another user than root: run scripts/cluster as one")

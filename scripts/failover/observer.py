"""What is seen of gateways and workers during a round: how readiness is answered, and when each left the primary.

Both are seen from outside: by HTTP, and by the connections that a process has open.
"""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field

import asyncpg
import httpx
import psutil

from failover.cluster import Cluster
from failover.nodes import Node

#: Between two looks, in seconds.
_LOOK_SECONDS = 0.5


@dataclass
class Observer:
    """Watches until it is cancelled. Times are those of time.monotonic()."""

    cluster: Cluster
    http: httpx.AsyncClient
    old: Node  #: The primary at the beginning.
    replaced: float = 0.0  #: When another node took writes.
    confirmed: float = 0.0  #: When that one had a standby which confirmed a commit: no gateway can answer before.
    left: dict[str, float] = field(default_factory=dict)  #: Of each process, when it had no connection to `old`.
    ready_seconds: dict[str, float] = field(default_factory=dict)  #: Of each gateway, the longest answer.

    async def watch(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_cluster())
            tasks.create_task(self._watch_processes())
            for name, url in self.cluster.urls.items():
                tasks.create_task(self._watch_ready(name, url))

    def lines(self, fault: float) -> list[str]:
        """What was seen, with seconds since the fault."""
        replaced, confirmed = (f"{at - fault:.1f} s" if at else "never" for at in (self.replaced, self.confirmed))
        stays = [name for name in self.cluster.pids if name not in self.left]
        return [
            f"  another primary: {replaced}; its standby confirms a commit: {confirmed}",
            *(f"  {name} left the old one: {at - fault:.1f} s" for name, at in self.left.items()),
            *(f"  {name} did not leave the old one" for name in stays),
            *(f"  /health/ready with {name}: {maximum:.2f} s at most" for name, maximum in self.ready_seconds.items()),
        ]

    async def _watch_ready(self, name: str, url: str) -> None:
        while True:
            asked = time.monotonic()
            with suppress(httpx.HTTPError):
                await self.http.get(f"{url}/health/ready")
            seconds = time.monotonic() - asked
            self.ready_seconds[name] = max(self.ready_seconds.get(name, 0.0), seconds)
            await asyncio.sleep(_LOOK_SECONDS)

    async def _watch_processes(self) -> None:
        while True:
            for name, pid in self.cluster.pids.items():
                if self.is_connected(pid):
                    self.left.pop(name, None)
                elif self.replaced:
                    self.left.setdefault(name, time.monotonic())
            await asyncio.sleep(_LOOK_SECONDS)

    async def _watch_cluster(self) -> None:
        while not self.confirmed:
            leader = await self._another_leader()
            if leader is not None:
                self.replaced = self.replaced or time.monotonic()
                with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    await self.cluster.nodes.commit(leader)
                    self.confirmed = time.monotonic()
            await asyncio.sleep(_LOOK_SECONDS)

    async def _another_leader(self) -> Node | None:
        nodes = self.cluster.nodes
        others = [node for node in nodes.nodes if node is not self.old]
        lead = await asyncio.gather(*(nodes.leads(self.http, node) for node in others))
        return next((node for node, leads in zip(others, lead, strict=True) if leads), None)

    def is_connected(self, pid: int) -> bool:
        """Whether the process has a connection to the old primary, also by the proxy."""
        try:
            found = psutil.Process(pid).net_connections("tcp")
        except psutil.Error:
            return False
        return any(
            one.raddr and (one.raddr.port == self.old.port or self.cluster.proxy.leads_to(one.laddr.port) is self.old)
            for one in found
            if one.status == psutil.CONN_ESTABLISHED
        )

"""A proxy before the nodes, as HAProxy is before Patroni (its documentation, "HAProxy"): it asks each node whether it
leads, and hands new connections to the one that does. Connections that are there stay where they are.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import httpx

from failover.nodes import Node, Nodes

_HOST = "127.0.0.1"
_CHECK_SECONDS = 1.0


@dataclass
class Proxy:
    """Listens at `port` from `start` until `stop`."""

    nodes: Nodes
    port: int = 0
    _leader: Node | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, _HOST, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self._checking = asyncio.create_task(self._check())

    async def stop(self) -> None:
        self._server.close()
        self._checking.cancel()
        await asyncio.gather(self._checking, return_exceptions=True)

    async def _check(self) -> None:
        async with httpx.AsyncClient(trust_env=False, timeout=_CHECK_SECONDS) as http:
            while True:
                leads = await asyncio.gather(*(self._leads(http, node) for node in self.nodes.nodes))
                self._leader = next((node for node, does in zip(self.nodes.nodes, leads, strict=True) if does), None)
                await asyncio.sleep(_CHECK_SECONDS)

    async def _leads(self, http: httpx.AsyncClient, node: Node) -> bool:
        try:
            return (await http.get(f"http://{_HOST}:{node.rest_port}/primary")).status_code == 200
        except httpx.HTTPError:
            return False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._leader is None:
            writer.close()
            return
        try:
            from_node, to_node = await asyncio.open_connection(_HOST, self._leader.port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(_pump(reader, to_node), _pump(from_node, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()

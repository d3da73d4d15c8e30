"""A proxy before the nodes, as HAProxy is before Patroni (its documentation, "HAProxy"): it asks each node whether it
leads, and hands new connections to the one that does. Connections that are there stay where they are.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

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
    _by_port: dict[int, Node] = field(default_factory=dict)

    def leads_to(self, client_port: int) -> Node | None:
        """The node to which the connection from this port of a client leads."""
        return self._by_port.get(client_port)

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
                leads = await asyncio.gather(*(self.nodes.leads(http, node) for node in self.nodes.nodes))
                self._leader = next((node for node, does in zip(self.nodes.nodes, leads, strict=True) if does), None)
                await asyncio.sleep(_CHECK_SECONDS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        node = self._leader
        if node is None:
            writer.close()
            return
        try:
            from_node, to_node = await asyncio.open_connection(_HOST, node.port)
        except OSError:
            writer.close()
            return
        client_port = writer.get_extra_info("peername")[1]
        self._by_port[client_port] = node
        await asyncio.gather(_pump(reader, to_node), _pump(from_node, writer))
        del self._by_port[client_port]


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()

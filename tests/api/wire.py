"""A gateway on a socket, and requests written to it byte by byte: what no client library would send."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateway.api.server import STOP_SECONDS, Server
from gateway.cli.processes.ports import free_port
from tests.api.conftest import Api, Person
from tests.applications import application
from tests.processes import HANG_SECONDS
from tests.received import Received, answers


@dataclass(frozen=True)
class Wire:
    """Where a gateway listens."""

    api: Api
    port: int
    server: Server

    async def send(self, *parts: bytes, heads: int = 0) -> list[Received]:
        """Everything that is answered until the server hangs up. Each part is sent once the server has read what came
        before it. The first `heads` answers are to HEAD and have no body.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for number, part in enumerate(parts):
            if number:
                await self.turn()
            writer.write(part)
            await writer.drain()
        try:
            return answers(await asyncio.wait_for(reader.read(), HANG_SECONDS), heads)
        finally:
            writer.close()

    async def turn(self) -> None:
        """Until the server has read what was sent to it: it serves in this event loop, one socket after the other."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n")
        await asyncio.wait_for(reader.read(), HANG_SECONDS)
        writer.close()


@asynccontextmanager
async def listening(
    api: Api,
    stopping: asyncio.Event | None = None,
    drain_seconds: float = 0.0,
    stop_seconds: float = STOP_SECONDS,
) -> AsyncIterator[Wire]:
    """The application of `api` on a free port."""
    port = free_port("127.0.0.1")
    server = Server(application(api.services), "127.0.0.1", port, stopping, drain_seconds, stop_seconds)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done(), "the server ended"
        await asyncio.sleep(0)  # a turn of the loop, in which the server starts
    try:
        yield Wire(api, port, server)
    finally:
        server.stop()
        await serving


def head(line: str, person: Person | None = None, *fields: str, key: str | None = None, host: str = "gateway") -> bytes:
    """The head of a request, with these fields behind Host, Authorization and Idempotency-Key."""
    named = [f"Host: {host}"]
    if person is not None:
        named.append(f"Authorization: Bearer {person.api_key}")
    if key is not None:
        named.append(f"Idempotency-Key: {key}")
    return "\r\n".join([line, *named, *fields, "", ""]).encode("latin-1")

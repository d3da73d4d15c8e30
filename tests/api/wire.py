"""A gateway on a socket, and requests written to it byte by byte: what no client library would send."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from gateway.api.app import application
from gateway.api.server import Server
from gateway.commands.running import free_port
from tests.api.conftest import Api, Person
from tests.processes import HANG_SECONDS


@dataclass(frozen=True)
class Received:
    """One answer as it came."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        values = [value for given, value in self.headers if given == name]
        assert len(values) <= 1, (name, values)
        return values[0] if values else None

    @property
    def problem(self) -> Any:
        assert self.header("content-type") == "application/problem+json", (self.status, self.body)
        problem = json.loads(self.body)
        assert problem["status"] == self.status
        return problem


@dataclass(frozen=True)
class Wire:
    """Where a gateway listens."""

    api: Api
    port: int

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
            return _answers(await asyncio.wait_for(reader.read(), HANG_SECONDS), heads)
        finally:
            writer.close()

    async def turn(self) -> None:
        """Until the server has read what was sent to it: it serves in this event loop, one socket after the other."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"GET /health/live HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n")
        await asyncio.wait_for(reader.read(), HANG_SECONDS)
        writer.close()


@asynccontextmanager
async def listening(api: Api) -> AsyncIterator[Wire]:
    """The application of `api` on a free port."""
    port = free_port("127.0.0.1")
    server = Server(application(api.house), "127.0.0.1", port)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done(), "the server ended"
        await asyncio.sleep(0)
    yield Wire(api, port)
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


def _answers(received: bytes, heads: int) -> list[Received]:
    answers: list[Received] = []
    while received:
        start, _, received = received.partition(b"\r\n\r\n")
        line, *lines = start.decode("latin-1").split("\r\n")
        headers = [(name.lower(), value) for name, _, value in (field.partition(": ") for field in lines)]
        status, given = int(line.split()[1]), dict(headers)
        length = int(given.get("content-length", 0))
        if len(answers) < heads or status < 200 or status in (204, 304):
            length = 0
        if given.get("transfer-encoding") == "chunked" and status >= 200 and len(answers) >= heads:
            body, received = _unchunked(received)
        else:
            body, received = received[:length], received[length:]
        answers.append(Received(status, headers, body))
    return answers


def _unchunked(received: bytes) -> tuple[bytes, bytes]:
    """A body that came in chunks, and what is behind it."""
    body = b""
    while True:
        size, _, received = received.partition(b"\r\n")
        length = int(size, 16)
        body += received[:length]
        assert received[length : length + 2] == b"\r\n"
        received = received[length + 2 :]
        if not length:
            return body, received

"""A gateway that listens, people in it, a client of either kind, and a way to the gateway that fails when told to."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.client import AsyncClient, Client, Retry
from gateway.client.calls import ApiKey
from tests.api.conftest import Api, Person
from tests.api.conftest import api as api
from tests.api.test_stream import Gateway, listening
from tests.processes import HANG_SECONDS
from tests.running import up as up

#: Waits of a test: as short as they come.
QUICK = Retry(seconds=HANG_SECONDS, first_seconds=0.001, longest_seconds=0.01)

#: No repetition.
NEVER = Retry(seconds=0)


@dataclass
class EitherClient:
    """A client of either kind; the one that blocks is called in threads, since its gateway is in our event loop."""

    client: Any

    async def call(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        async with asyncio.timeout(HANG_SECONDS):
            if isinstance(self.client, Client):
                return await asyncio.to_thread(method, *args, **kwargs)
            return await method(*args, **kwargs)

    async def next(self, iterator: Any) -> Any:
        async with asyncio.timeout(HANG_SECONDS):
            return await (asyncio.to_thread(next, iterator) if isinstance(self.client, Client) else anext(iterator))

    async def all(self, iterator: Any) -> list[Any]:
        async with asyncio.timeout(HANG_SECONDS):
            if isinstance(self.client, Client):
                return await asyncio.to_thread(list, iterator)
            return [item async for item in iterator]

    async def close(self, iterator: Any = None) -> None:
        of = iterator or self.client
        if isinstance(self.client, Client):
            await asyncio.to_thread(of.close)
        else:
            await (of.close() if of is self.client else of.aclose())


@asynccontextmanager
async def either_client(
    kind: type[Client] | type[AsyncClient], url: str, key: ApiKey, retry: Retry = QUICK, trust_env: bool = False
) -> AsyncIterator[EitherClient]:
    face = EitherClient(kind(url, key, retry=retry, trust_env=trust_env))
    yield face
    await face.close()


@pytest.fixture
async def gateway(api: Api) -> AsyncIterator[Gateway]:
    async with listening(api) as one:
        yield one


@pytest.fixture
async def alice(api: Api) -> Person:
    return await api.person("alice", "100.00 EUR")


@pytest.fixture
async def bob(api: Api) -> Person:
    return await api.person("bob")


@pytest.fixture(params=[Client, AsyncClient], ids=["blocking", "async"])
def kind(request: pytest.FixtureRequest) -> type[Client] | type[AsyncClient]:
    found: type[Client] | type[AsyncClient] = request.param
    return found


@dataclass
class Between:
    """A proxy. Each request meets the next of the fates: `pass`, `lose` (it is carried out, and its answer is lost),
    `drop` (it is read and not carried out), `cut` (its answer breaks off after its first part), or an answer in bytes.
    Without a fate it passes. `keys` are the idempotency keys that came, `heads` what else did.
    """

    url: str
    fates: list[str | bytes] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    shut: str = ""  #: Requests of this path are dropped.

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await self._answer(reader, writer)
        writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        named = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if line)
        body = await reader.readexactly(int(named.get("content-length", 0)))
        self.heads.append(head)
        self.keys += [named["idempotency-key"]] if "idempotency-key" in named else []
        fate = self.fates.pop(0) if self.fates else "pass"
        if isinstance(fate, bytes):
            writer.write(fate)
            return
        if fate == "drop" or (self.shut and f" {self.shut} " in head):
            return
        from_gateway, to_gateway = await asyncio.open_connection("127.0.0.1", urlsplit(self.url).port)
        to_gateway.write(head.replace("\r\n", "\r\nConnection: close\r\n", 1).encode() + body)
        while part := await from_gateway.read(65_536):
            if writer.is_closing():  # the client has left: uvloop refuses to write then
                break
            if fate != "lose":
                writer.write(part)
                await writer.drain()
            if fate == "cut" and b"data: " in part:
                break
        to_gateway.close()


@asynccontextmanager
async def between(gateway: Gateway, fates: Iterable[str | bytes] = ()) -> AsyncIterator[tuple[Between, str]]:
    one = Between(gateway.url, list(fates))
    async with one.open() as url:
        yield one, url


def problem(status: int, code: str, retryable: bool = True, headers: str = "") -> bytes:
    body = f'{{"code":"{code}","detail":"no","retryable":{str(retryable).lower()}}}'.encode()
    head = f"HTTP/1.1 {status} No\r\nContent-Type: application/problem+json\r\nConnection: close\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

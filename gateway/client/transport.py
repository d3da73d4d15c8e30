"""HTTP by httpx, behind one protocol of coroutines. The synchronous one blocks and never suspends (sync_async.py)."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import httpx


class Opened(Protocol):
    """A response whose body is not read yet."""

    response: httpx.Response

    async def read(self) -> None:
        """Read the whole body."""

    def parts(self) -> AsyncIterator[bytes]:
        """The parts of the body, as they arrive."""


class Transport(Protocol):
    blocking: bool

    def build(
        self, method: str, path: str, headers: dict[str, str], params: dict[str, str], content: bytes | None
    ) -> httpx.Request: ...

    async def send(self, request: httpx.Request) -> httpx.Response:
        """Raises httpx.HTTPError."""

    def open(self, request: httpx.Request) -> AbstractAsyncContextManager[Opened]:
        """Raises httpx.HTTPError."""

    async def sleep(self, seconds: float) -> None: ...

    async def close(self) -> None: ...


def _verifies(url: str) -> bool:
    """Whether to load the certificate authorities, which takes 20 ms. Plain HTTP needs none."""
    return httpx.URL(url).scheme != "http"


class SyncTransport:
    blocking = True

    def __init__(self, url: str, seconds: float, trust_env: bool) -> None:
        self._http = httpx.Client(base_url=url, timeout=seconds, trust_env=trust_env, verify=_verifies(url))

    def build(
        self, method: str, path: str, headers: dict[str, str], params: dict[str, str], content: bytes | None
    ) -> httpx.Request:
        return self._http.build_request(method, path, headers=headers, params=params, content=content)

    async def send(self, request: httpx.Request) -> httpx.Response:
        return self._http.send(request)

    @asynccontextmanager
    async def open(self, request: httpx.Request) -> AsyncIterator[Opened]:
        response = self._http.send(request, stream=True)
        try:
            yield _SyncOpened(response)
        finally:
            response.close()

    async def sleep(self, seconds: float) -> None:
        time.sleep(seconds)  # noqa: ASYNC251 - it blocks on purpose: no event loop runs this

    async def close(self) -> None:
        self._http.close()


class _SyncOpened:
    def __init__(self, response: httpx.Response) -> None:
        self.response = response

    async def read(self) -> None:
        self.response.read()

    async def parts(self) -> AsyncIterator[bytes]:
        parts: Iterator[bytes] = self.response.iter_bytes()
        for part in parts:
            yield part


class AsyncTransport:
    blocking = False

    def __init__(self, url: str, seconds: float, trust_env: bool) -> None:
        self._http = httpx.AsyncClient(base_url=url, timeout=seconds, trust_env=trust_env, verify=_verifies(url))

    def build(
        self, method: str, path: str, headers: dict[str, str], params: dict[str, str], content: bytes | None
    ) -> httpx.Request:
        return self._http.build_request(method, path, headers=headers, params=params, content=content)

    async def send(self, request: httpx.Request) -> httpx.Response:
        return await self._http.send(request)

    @asynccontextmanager
    async def open(self, request: httpx.Request) -> AsyncIterator[Opened]:
        response = await self._http.send(request, stream=True)
        try:
            yield _AsyncOpened(response)
        finally:
            await response.aclose()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def close(self) -> None:
        await self._http.aclose()


class _AsyncOpened:
    def __init__(self, response: httpx.Response) -> None:
        self.response = response

    async def read(self) -> None:
        await self.response.aread()

    async def parts(self) -> AsyncIterator[bytes]:
        async for part in self.response.aiter_bytes():
            yield part

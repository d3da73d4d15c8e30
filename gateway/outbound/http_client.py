"""One HTTP request to a stranger's URL: to an address that is allowed, without redirects, within limits of time and
size.

aiohttp is used, since it asks for a socket with the very address that it is about to connect to (`socket_factory`): the
check stands there, after every look-up, so that a name which resolves to something else the second time, or a number
that only a C library takes for an address, gains nothing. The name stays what TLS verifies and `Host` says.

Names are looked up in threads of this sender: a name that is not answered for takes one of them, and none of those that
look up the node's or the database's name.

Of an answer the status decides. Up to a few kilobytes of its body are read for a moment, so that the connection ends
well, and are thrown away: an endpoint's owner could otherwise read what an inside service answers.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from aiohttp import (
    ClientConnectionError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientPayloadError,
    ClientResponse,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    DummyCookieJar,
    InvalidURL,
    TCPConnector,
)
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.clock import Clock
from gateway.outbound.address import Allowed
from gateway.retry_after import seconds_asked

#: From the look-up of the name to the status of the answer, and to the connection alone, in seconds.
TOTAL_SECONDS: Final = 15.0
_CONNECT_SECONDS: Final = 5.0

#: How much of an answer's body is read, in bytes, and for how long, in seconds.
_BODY_BYTES: Final = 4_096
_BODY_SECONDS: Final = 1.0

#: A line of an answer's head, a header, and how many of these.
_LINE_BYTES: Final = 4_096
_HEADERS: Final = 100

#: No `Retry-After` makes us wait longer, in seconds.
_RETRY_AFTER_MAX: Final = 24.0 * 60 * 60

#: Why there was no answer.
Failure = Literal[
    "timeout",
    "name_not_resolved",
    "address_refused",
    "connection_failed",
    "tls_failed",
    "connection_lost",
    "answer_unreadable",
]

#: What looks a name up: as `socket.getaddrinfo` does.
LookUp = Callable[..., list[tuple[Any, ...]]]


class _AddressRefused(OSError):
    """The address that a name resolved to is not one that we connect to."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request: an HTTP status, or why there is none. `retry_after` is what the answer asked for."""

    at: datetime
    milliseconds: int
    failure: Failure | None = None
    status: int | None = None
    retry_after: timedelta | None = None


class HttpClient:
    """Posts to strangers' URLs as `agent`. `threads` is how many names are looked up at once; `look_up` and `tls` are
    for tests, which have names and certificates of their own.
    """

    def __init__(
        self,
        agent: str,
        allowed: Allowed,
        clock: Clock,
        threads: int,
        look_up: LookUp = socket.getaddrinfo,
        tls: ssl.SSLContext | None = None,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._agent, self._allowed, self._clock, self._total_seconds = agent, allowed, clock, total_seconds
        self._threads = ThreadPoolExecutor(threads, "outbound-names")
        self._look_up, self._tls = look_up, tls
        self._session: ClientSession | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """One POST, and what came of it."""
        at, began = self._clock(), time.monotonic()
        tried = await self._try(url, headers, body)
        milliseconds = int(1000 * (time.monotonic() - began))
        if not isinstance(tried, tuple):
            return Answer(at, milliseconds, tried)
        status, text = tried
        asked = seconds_asked(text or "", self._clock())
        wait = timedelta(seconds=min(asked, _RETRY_AFTER_MAX)) if asked is not None else None
        return Answer(at, milliseconds, None, status, wait)

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _try(self, url: str, headers: Mapping[str, str], body: bytes) -> Failure | tuple[int, str | None]:
        """The status with the text of `Retry-After`, or why there is none."""
        try:
            async with (
                asyncio.timeout(self._total_seconds),
                self._opened().post(url, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                await _finish(answer)
                return answer.status, answer.headers.get("Retry-After")
        except TimeoutError:
            return "timeout"
        except (ClientError, OSError, ValueError) as error:
            return _why(error)

    def _opened(self) -> ClientSession:
        if self._session is None:
            connector = TCPConnector(
                resolver=_Names(self._allowed, self._threads, self._look_up),
                socket_factory=self._socket,
                ssl=self._tls or True,
                force_close=True,  # a kept connection may be closed under a request, which is not sent twice
                limit=0,  # who sends has a limit of its own
                use_dns_cache=False,
            )
            self._session = ClientSession(
                connector=connector,
                timeout=ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
                cookie_jar=DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                read_bufsize=_BODY_BYTES,
                max_line_size=_LINE_BYTES,
                max_field_size=_LINE_BYTES,
                max_headers=_HEADERS,
                headers={"User-Agent": self._agent},
            )
        return self._session

    def _socket(self, address: tuple[Any, ...]) -> socket.socket:
        """A socket for the address that is connected to next. Raises _AddressRefused."""
        family, kind, protocol, _, at = address
        if not self._allowed.address(str(at[0])):
            raise _AddressRefused
        return socket.socket(family, kind, protocol)


class _Names(AbstractResolver):
    """Looks names up in threads that nothing else waits for. A name that has an address which is not allowed is refused
    whole, whichever of its addresses would have been taken.
    """

    def __init__(self, allowed: Allowed, threads: ThreadPoolExecutor, look_up: LookUp) -> None:
        self._allowed, self._threads, self._look_up = allowed, threads, look_up

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, self._look_up, host, port, family, socket.SOCK_STREAM)
        except UnicodeError:  # a label that no name can have
            raise OSError("not a name") from None
        if not all(self._allowed.address(str(at[0])) for *_, at in found):
            raise _AddressRefused
        return [
            ResolveResult(
                hostname=host, host=at[0], port=port, family=kind, proto=protocol, flags=socket.AI_NUMERICHOST
            )
            for kind, _, protocol, _, at in found
        ]

    async def close(self) -> None:
        pass


async def _finish(answer: ClientResponse) -> None:
    """Read a little of the body: whatever it is, the status has been given."""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            await answer.content.readexactly(_BODY_BYTES)
    except (TimeoutError, ClientError, OSError, ValueError, asyncio.IncompleteReadError):
        pass


def _why(error: Exception) -> Failure:
    if isinstance(error, ClientConnectorError) and isinstance(error.os_error, _AddressRefused):
        return "address_refused"
    if isinstance(error, ClientConnectorDNSError | InvalidURL):
        return "name_not_resolved"
    if isinstance(error, ClientSSLError | ssl.SSLError):
        return "tls_failed"
    if isinstance(error, ClientConnectorError):
        return "connection_failed"
    if isinstance(error, ClientConnectionError | ClientPayloadError | OSError):
        return "connection_lost"
    return "answer_unreadable"

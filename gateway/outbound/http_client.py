"""One HTTP request to a URL that somebody else chose: to an allowed address, without redirects, within limits of time
and size.

aiohttp is used because it asks for a socket with the exact address that it is about to connect to, where
guarded_connector.py checks it.

Connections may be kept for a few seconds, for the next request to the same host: they lead to an address that was
checked. If the host has closed one in the meantime, the request fails and is sent again over a new one; so keep
connections only for requests that may arrive twice. All are closed after a minute: a name that has moved is looked up
again.

Only the status of an answer counts. Up to a few kilobytes of its body are read for a moment, so that the connection
ends well, and are discarded: otherwise an endpoint's owner could read the answer of an internal service.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from aiohttp import (
    ClientConnectionError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientOSError,
    ClientPayloadError,
    ClientResponse,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    DummyCookieJar,
    InvalidURL,
    ServerDisconnectedError,
    TraceConfig,
)

from gateway.clock import Clock
from gateway.outbound.allowed import Allowed
from gateway.outbound.failure import Failure
from gateway.outbound.guarded_connector import AddressRefused, GuardedConnector, LookUp
from gateway.retry_after_header import seconds_asked

#: Until the status of the answer, including the name's look-up; and until the connection is open. In seconds.
TOTAL_SECONDS: Final = 15.0
_CONNECT_SECONDS: Final = 5.0

#: How much of an answer's body is read, in bytes, and for how long, in seconds.
_BODY_BYTES: Final = 4_096
_BODY_SECONDS: Final = 1.0

#: The longest line of an answer's head, and the most headers.
_LINE_BYTES: Final = 4_096
_HEADERS: Final = 100

#: The longest `Retry-After` that is followed, in seconds.
_RETRY_AFTER_MAX: Final = 24.0 * 60 * 60

#: How long an idle connection is kept (servers keep theirs for five seconds or more), and how long any, in seconds.
_IDLE_SECONDS: Final = 4.0
_KEPT_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a request: an HTTP status, or why there is none. `retry_after` is from the answer's header."""

    at: datetime
    milliseconds: int
    failure: Failure | None = None
    status: int | None = None
    retry_after: timedelta | None = None


class HttpClient:
    """Posts to URLs that others chose, as `agent`. `threads` is how many names are looked up at once; `look_up` and
    `tls` are for tests, which have names and certificates of their own. `keeps`: keep connections.
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
        keeps: bool = False,
    ) -> None:
        self._agent, self._allowed, self._clock, self._total_seconds = agent, allowed, clock, total_seconds
        self._threads = ThreadPoolExecutor(threads, "outbound-names")
        self._look_up, self._tls, self._keeps = look_up, tls, keeps
        self._current: _Connections | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one POST. Returns the result."""
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
        current, self._current = self._current, None
        if current is not None:
            await current.session.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _try(self, url: str, headers: Mapping[str, str], body: bytes) -> Failure | tuple[int, str | None]:
        """Return the status with the text of `Retry-After`, or why there is none."""
        connections = await self._opened()
        connections.requests += 1
        try:
            async with asyncio.timeout(self._total_seconds):
                sent = _Sent()
                try:
                    return await _post(connections.session, url, headers, body, sent)
                except (ServerDisconnectedError, ClientOSError):
                    if not sent.over_used:
                        raise
                async with self._session(keeps=False) as fresh:
                    return await _post(fresh, url, headers, body, sent)
        except TimeoutError:
            return "timeout"
        except (ClientError, OSError, ValueError) as error:
            return _why(error)
        finally:
            connections.requests -= 1
            if connections is not self._current and not connections.requests:
                await connections.session.close()

    async def _opened(self) -> "_Connections":
        before = self._current
        if before is None or time.monotonic() - before.since > _KEPT_SECONDS:
            self._current = _Connections(self._session(self._keeps), time.monotonic())
            if before is not None and not before.requests:
                await before.session.close()
        assert self._current is not None
        return self._current

    def _session(self, keeps: bool) -> ClientSession:
        kept = _IDLE_SECONDS if keeps else None
        connector = GuardedConnector(self._allowed, self._threads, self._look_up, self._tls or True, kept)
        return ClientSession(
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
            trace_configs=[_REUSE],
        )


@dataclass(slots=True)
class _Connections:
    """Connections that are kept since a time, and how many requests use them."""

    session: ClientSession
    since: float
    requests: int = 0


@dataclass(slots=True)
class _Sent:
    """Whether a request was sent over a connection that had been used before."""

    over_used: bool = False


async def _reused(_: ClientSession, context: Any, __: object) -> None:
    context.trace_request_ctx.over_used = True


_REUSE: Final = TraceConfig()
_REUSE.on_connection_reuseconn.append(_reused)


async def _post(
    session: ClientSession, url: str, headers: Mapping[str, str], body: bytes, sent: _Sent
) -> tuple[int, str | None]:
    async with session.post(url, data=body, headers=headers, allow_redirects=False, trace_request_ctx=sent) as answer:
        await _finish(answer)
        return answer.status, answer.headers.get("Retry-After")


async def _finish(answer: ClientResponse) -> None:
    """Read a little of the body: its content does not matter, because the status is known."""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            await answer.content.readexactly(_BODY_BYTES)
    except (TimeoutError, ClientError, OSError, ValueError, asyncio.IncompleteReadError):
        pass


def _why(error: Exception) -> Failure:
    if isinstance(error, ClientConnectorError) and isinstance(error.os_error, AddressRefused):
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

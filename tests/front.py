"""A client's way into an application: payments, their ends and refunds by the server's own protocol over a socket, all
else by ASGI.

The server answers payments before ASGI (gateway/api/payment_protocol.py), so a client that calls the application alone
would never see it. Each payment has a connection of its own, to a protocol of this very event loop.
"""

import asyncio
import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import httpx

from gateway.api.server import Server
from tests.processes import HANG_SECONDS
from tests.received import Received, answers

#: So many connections at once: each is two open files, of which an ordinary user's process may have 1,024.
_AT_ONCE = 200

#: The paths of payments, their ends and refunds.
_FAST = re.compile(rb"/v1/payments(/[^/?]+/(capture|void|refund))?")


def is_fast(method: str, path: bytes) -> bool:
    """Whether the server may answer this before ASGI."""
    return method == "POST" and _FAST.fullmatch(path) is not None


#: Where requests come from, for httpx's own transport too.
_CLIENT = ("127.0.0.1", 123)


def client_of(app: Any) -> httpx.AsyncClient:
    """A client of the application, which sends no cookie but those that a test says."""
    client = httpx.AsyncClient(transport=Front(app), base_url="http://gateway", timeout=HANG_SECONDS)
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return client


class Front(httpx.AsyncBaseTransport):
    """For an httpx client in the event loop that the application runs in."""

    def __init__(self, app: Any) -> None:
        self._asgi = httpx.ASGITransport(app=app, raise_app_exceptions=False, client=_CLIENT)
        self._server = Server(app, "127.0.0.1", 0)
        self._server.config.load()
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer; an error of httpx where there is none."""
        if not is_fast(request.method, request.url.raw_path):
            return await self._asgi.handle_async_request(request)
        received = await self.pay(request.headers.raw, await request.aread(), request.url.raw_path)
        return httpx.Response(received.status, headers=received.headers, content=received.body)

    async def pay(self, headers: Iterable[tuple[bytes, bytes]], body: bytes, path: bytes = b"/v1/payments") -> Received:
        """The answer to a payment, its end or its refund. Raises RemoteProtocolError of httpx where there is none."""
        fields = [(name, value) for name, value in headers if name.lower() not in _FRAMING]
        fields += [(b"Content-Length", b"%d" % len(body)), (b"Connection", b"close")]
        lines = b"".join(b"%b: %b\r\n" % field for field in fields)
        async with self._room:
            received = answers(await self._exchange(b"POST %b HTTP/1.1\r\n%b\r\n%b" % (path, lines, body)))
        if not received:
            raise httpx.RemoteProtocolError("the server hung up")
        return received[-1]

    async def _exchange(self, sent: bytes) -> bytes:
        """What is answered until the server hangs up, which it may do before it has read everything."""
        loop, connection, received = asyncio.get_running_loop(), await self._connect(), bytearray()
        sending = asyncio.create_task(loop.sock_sendall(connection, sent))
        try:
            with suppress(ConnectionResetError):
                while part := await loop.sock_recv(connection, 65_536):
                    received += part
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            connection.close()
        return bytes(received)

    async def _connect(self) -> socket.socket:
        """The client's end of a connection."""
        await self._server.on_tick(0)  # the time of day, for the header Date
        made: Any = self._server.config.http_protocol_class
        named = {"config": self._server.config, "server_state": self._server.server_state, "app_state": {}}
        client, server = socket.socketpair()
        client.setblocking(False)
        _, protocol = await asyncio.get_running_loop().connect_accepted_socket(lambda: made(**named), server)
        protocol.client = _CLIENT
        return client


#: What says where the body ends, and the connection.
_FRAMING = (b"content-length", b"transfer-encoding", b"connection")

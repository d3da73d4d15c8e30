"""The HTTP server: uvicorn, HTTP/1.1 by httptools, in the one thread and event loop that everything else runs on.

A server with threads of its own hands every request and every answer from one to the other. When fifty answers become
ready at once, since one commit made them so, that cost more than the payments themselves.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: The longest request line and headers together that are read.
HEAD_BYTES_MAX = 64 * 1024

#: A connection that is idle for longer is closed.
_IDLE_SECONDS = 75

#: When the server stops, what is being answered has this long.
_GRACE_SECONDS = 10


class Server(uvicorn.Server):
    """`await serve()` until `stop()`. Signals are its caller's to handle."""

    def __init__(self, app: Any, host: str, port: int) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                http=_Protocol,
                ws="none",
                lifespan="off",
                backlog=1024,
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_IDLE_SECONDS,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )

    def stop(self) -> None:
        """Answer what is being asked, then end."""
        self.should_exit = True

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None of them."""
        yield


class _OneWrite:
    """A transport that sends the head of an answer together with what is written right behind it: one call of the
    kernel instead of two. Nothing is held longer than until the event loop comes round.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def write(self, data: bytes) -> None:
        if self._held:
            self._transport.write(self._held + data)
            self._held = b""
        elif data.endswith(b"\r\n\r\n"):
            self._held = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._held:
            self._transport.write(self._held)
            self._held = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Protocol(HttpToolsProtocol):
    """A connection. A head without an end would otherwise be kept without one."""

    _head_bytes: int | None = None  # of a head that has begun, what came after its first piece

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(_OneWrite(transport, self.loop))  # type: ignore[arg-type] # one in all but its class

    def data_received(self, data: bytes) -> None:
        begun = self._head_bytes is not None
        super().data_received(data)
        if begun and self._head_bytes is not None:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
                self.send_400_response(f"the request's head is longer than {HEAD_BYTES_MAX} bytes")

    def on_message_begin(self) -> None:
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._head_bytes = None
        super().on_headers_complete()

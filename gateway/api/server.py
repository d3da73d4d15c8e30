"""The HTTP server: uvicorn, HTTP/1.1 by httptools, in the one thread and event loop that everything else runs on.

A server with threads of its own hands every request and every answer from one to the other. When fifty answers become
ready at once, since one commit made them so, that cost more than the payments themselves.
"""

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


class _Protocol(HttpToolsProtocol):
    """A connection. A head without an end would otherwise be kept without one."""

    _head_bytes: int | None = None  # of a head that has begun, what came after its first piece

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

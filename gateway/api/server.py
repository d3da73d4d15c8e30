"""The HTTP server: uvicorn, HTTP/1.1 by httptools, in the same thread and event loop as everything else.

A server with its own threads passes every request and every answer from one thread to the other. When fifty answers
became ready at once, after one commit, that cost more than the payments themselves.

The limits that uvicorn leaves to a proxy are enforced here: how much is read of an incomplete request, and how long it
may take.
"""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.api.methods import Gateway
from gateway.api.payment_protocol import PaymentProtocol
from gateway.api.payments.fast.fast_payments import FastPayments
from gateway.http.answer import problems
from gateway.http.request import framing
from gateway.http.request.framing import Malformed

log = logging.getLogger(__name__)

#: How much of a head, or of a body's framing, is read beyond its first piece (the bytes that the socket had at once).
UNUSED_BYTES_MAX = 64 * 1024

#: How long a request's head may take, and the next piece of its body; and how long a connection may be idle.
_HEAD_SECONDS, _BODY_SECONDS, _IDLE_SECONDS = 20, 60, 75

#: How long a client may read nothing of its answer; then the connection is closed.
_TAKE_SECONDS = 30

#: How long requests in progress may take when the server stops, by default.
STOP_SECONDS = 10.0


class Server(uvicorn.Server):
    """`await serve()` until `stop()`. The caller handles signals.

    It stops in two steps. First it drains, for `drain_seconds`: `stopping` is set, which makes /health/ready answer 503
    so that load balancers leave, requests are answered as usual, and each answer closes its connection, so that a
    client goes elsewhere between two requests. Then nothing new is accepted, idle connections are closed, and requests
    in progress have `stop_seconds` to end. The outcome of a request that is not answered by then is unknown, as after
    any broken connection: the client retries it with the same idempotency key.
    """

    def __init__(
        self,
        app: Any,
        host: str,
        port: int,
        stopping: asyncio.Event | None = None,
        drain_seconds: float = 0.0,
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        self._stopping = asyncio.Event() if stopping is None else stopping
        self._drain_seconds = drain_seconds
        logging.getLogger("uvicorn").setLevel(logging.ERROR)  # otherwise each bad request would be a line
        payments = app.fast_payments if isinstance(app, Gateway) else None
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                http=partial(_Protocol, payments, self._stopping),  # type: ignore[arg-type] # which is called, as the class would be
                ws="none",
                lifespan="off",
                backlog=1024,
                access_log=False,
                log_config=None,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=_IDLE_SECONDS,
                timeout_graceful_shutdown=stop_seconds,  # type: ignore[arg-type] # parts of a second work as well
            )
        )

    def stop(self) -> None:
        """Drain, answer the requests in progress, then end. A second call ends the drain."""
        if self._stopping.is_set() or not self._drain_seconds:
            self.should_exit = True
        else:
            asyncio.get_running_loop().call_later(self._drain_seconds, self.stop)
        self._stopping.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture no signals."""
        yield


class _OneWrite:
    """A transport that sends the head of an answer together with the bytes written right after it: one system call
    instead of two. Nothing is held beyond the current iteration of the event loop.
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
        if self._held and not self._transport.is_closing():
            self._transport.write(self._held)
        self._held = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Protocol(PaymentProtocol):
    """A connection: the part that it is reading, how many bytes it has read of it without completing it, and the
    deadline.

    Several requests may arrive before the first is answered (pipelining). Answers go out in that order, so
    the refusal of one that cannot be read waits for the answers before it.
    """

    _reading: str | None = "head"  # or "body"; None when a request is whole
    _unused_bytes = 0
    _used = False
    _deadline: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None  # runs while the client reads nothing of the pending answer
    _unanswered = 0  # requests whose head was read and whose answer is not complete
    _refusal: Malformed | None = None  # once it is set, nothing more is read

    def __init__(self, payments: FastPayments | None, stopping: asyncio.Event, *uvicorn: Any, **named: Any) -> None:
        super().__init__(payments, *uvicorn, **named)
        self._stopping = stopping

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        super().connection_made(_OneWrite(transport, self.loop))  # type: ignore[arg-type] # one in all but its class
        self._deadline = self.loop.call_later(_IDLE_SECONDS, self._give_up)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(_TAKE_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_stalling()

    def _stop_stalling(self) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._stop_stalling()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            return
        reading, self._used = self._reading, False
        self._unset_keepalive_if_required()
        try:
            self._parse(data)
        except Malformed as malformed:
            self._refuse(malformed)
        if self._reading is None:
            self._stop_waiting()
        else:
            self._wait_for_more(reading, len(data))

    def _parse(self, data: bytes) -> None:
        """Raises Malformed."""
        try:
            while data:
                try:
                    self.parser.feed_data(data)
                    return
                except httptools.HttpParserUpgrade as offered:
                    (end,) = offered.args  # of the head, in `data`
                    method, version = self.parser.get_method(), self.parser.get_http_version()
                    data = framing.without_upgrade(method, self.url, version, self.headers) + data[end:]
                    self.parser = httptools.HttpRequestParser(self)
                    self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
        except httptools.HttpParserInvalidMethodError:
            raise Malformed(501, "method", "this is not a method of HTTP; methods are written in capitals") from None
        except httptools.HttpParserError as error:
            cause = error.__context__  # raised by a method below
            if isinstance(cause, Malformed):
                raise cause from None
            if cause is not None and not isinstance(cause, httptools.HttpParserError):
                log.error("the head of a request could not be read", exc_info=cause)
            found = f": {error}" if cause is None else ""  # in llhttp's own words, such as Duplicate Content-Length
            raise Malformed(400, "http", f"this is not a request of HTTP/1.1 (RFC 9112){found}") from None

    def on_message_begin(self) -> None:
        self._reading, self._used = "head", True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._reading != "head":
            raise Malformed(400, "trailer", "a field behind the body would pass for one of the head; send it there")
        # whitespace around a value is not part of it (RFC 9110, 5.5)
        self.headers.append((name.lower(), value.strip(b" \t")))

    def on_headers_complete(self) -> None:
        method, version = self.parser.get_method(), self.parser.get_http_version()
        framing.check_protocol(method, version)
        if self.parser.should_upgrade():
            return  # it is read again, without the offer
        self.url = framing.origin_form(method, self.url, self.headers)
        self.expect_100_continue = framing.check_fields(version, self.headers)
        self._reading, self._used = "body", True
        self._unanswered += 1
        super().on_headers_complete()
        if self._stopping.is_set():
            self.cycle.keep_alive = False
        if (
            self.expect_100_continue
        ):  # answered before the body arrived: it is unknown whether the client still sends it
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._used = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._reading = None
        if self.expect_100_continue:
            self.cycle.keep_alive = self.parser.should_keep_alive() and not self._stopping.is_set()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._unanswered -= 1
        super().on_response_complete()
        if self._refusal is not None and not self._unanswered:
            self._answer(self._refusal)

    def _refuse(self, malformed: Malformed) -> None:
        """Answer a request that cannot be read, after the requests before it, and close."""
        cut_off, self._refusal, self._reading = self._reading == "body", malformed, None
        if cut_off and self._unanswered > 1:  # it is the last pipelined request
            self.pipeline.popleft()
            self._unanswered -= 1
        elif cut_off and (not self._unanswered or self.cycle.response_started):
            self.transport.close()  # its answer is out, or on its way
        elif cut_off or not self._unanswered:
            self._answer(malformed)

    def _answer(self, malformed: Malformed) -> None:
        if not self.transport.is_closing():
            headers, body = problems.malformed(malformed, self.scope or {"headers": []})
            dated = [*self.server_state.default_headers, *headers]  # as every other answer is (RFC 9110, 6.6.1)
            self.transport.write(b"%b%b\r\n%b" % (STATUS_LINE[malformed.status], framing.field_lines(dated), body))
            self.transport.close()

    def _wait_for_more(self, reading: str | None, received: int) -> None:
        """Set the deadline for the rest of the request: of the whole head, or for the next piece of the body."""
        self._unused_bytes = 0 if self._used else self._unused_bytes + received
        if self._unused_bytes > UNUSED_BYTES_MAX and not self.transport.is_closing():
            status = 431 if self._reading == "head" else 400
            self._refuse(Malformed(status, "endless", f"more than {UNUSED_BYTES_MAX} bytes brought no end of it"))
            return
        if self._used or reading != self._reading:
            self._stop_waiting()
            seconds = _HEAD_SECONDS if self._reading == "head" else _BODY_SECONDS
            self._deadline = self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        if self.flow.read_paused:  # it is the server that has stopped reading
            self._deadline = self.loop.call_later(_BODY_SECONDS, self._give_up)
        else:
            self.transport.close()

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

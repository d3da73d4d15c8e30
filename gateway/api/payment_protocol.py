"""Payments, captures, voids and refunds answered inside the HTTP connection, without ASGI and its router.

Behind ASGI a request costs a task, an event, three messages and a look at every header of its answer. Here a payment
whose body is whole is submitted from the parser's own callback, and its answer is written, in one piece, from the
callback of its commit. Measured in turn on two busy cores, against the same path behind ASGI: 0.87 of the gateway's
processor time per payment, 1.1 times the payments at 64 connections and 1.3 times at 256.

Everything else about a connection stays uvicorn's and server.py's: the limits on size and time, keep-alive, pipelining
(a request begins when the one before it is answered, so answers keep their order), shutdown. A request that is not
handled here, or not to its end, begins as an ordinary ASGI request, as it came: nothing of it was taken away.
"""

import asyncio
import logging
from functools import partial
from time import monotonic
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.api.payments.fast_payments import Answer, FastPayments, Payment
from gateway.http import access_log, observed, request_span
from gateway.http.request.body import BODY_BYTES_MAX
from gateway.http.request.framing import field_lines
from gateway.http.request_id import request_id

log = logging.getLogger(__name__)

_RESPONSE = b"%b%bcontent-length: %d\r\n%bx-request-id: %b\r\n%b\r\n%b"


_PAYMENTS = "/v1/payments"

#: How the paths of what ends or refunds a payment end.
_ENDS = ("/capture", "/void", "/refund")


class PaymentProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with this one path before it where there are `payments` to answer it with."""

    _reading_payment: RequestResponseCycle | None = None  # its turn has come, and its body has not all come
    _begun_at = 0.0  # when the turn of the request came that is being paid, by the monotonic clock

    def __init__(self, payments: FastPayments | None, *uvicorn: Any, **named: Any) -> None:
        super().__init__(*uvicorn, **named)
        self._payments = payments
        self._security = field_lines(payments.security) if payments else b""
        self._routes = payments.routes if payments else {}

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """The request's turn has come: its head was read, and all before it are answered. A client that waits to be
        told to go on, or does not read its answers, is ASGI's to wait for.
        """
        scope = cycle.scope
        if (
            self._payments is None
            or not _is_fast(scope["path"], scope["raw_path"])
            or scope["method"] != "POST"
            or scope["query_string"]
            or cycle.waiting_for_100_continue
            or self.flow.write_paused
        ):
            super()._start_asgi_task(cycle, app)
        elif cycle.more_body:
            self._begun_at = monotonic()
            self._reading_payment = cycle
            self._check_size(cycle)
        else:
            self._begun_at = monotonic()
            self._pay(cycle)

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        if self._reading_payment is not None:
            self._check_size(self._reading_payment)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if self._reading_payment is not None:
            self._pay(self._reading_payment)

    def _check_size(self, cycle: RequestResponseCycle) -> None:
        """What is known to be too large is refused by the ordinary handler, which need not wait for the rest."""
        if len(cycle.body) > BODY_BYTES_MAX:
            self._hand_on(cycle)

    def _pay(self, cycle: RequestResponseCycle) -> None:
        assert self._payments is not None
        self._reading_payment = None
        try:
            path, headers, body = cycle.scope["path"], cycle.scope["headers"], bytes(cycle.body)
            is_payment = path == _PAYMENTS
            payment = self._payments.read(headers, body) if is_payment else self._payments.read_end(path, headers, body)
        except Exception:
            log.exception("a payment could not be read")
            payment = None
        if payment is None:
            self._hand_on(cycle)
            return
        self._submit(cycle, payment)

    def _submit(self, cycle: RequestResponseCycle, payment: Payment) -> None:
        assert self._payments is not None
        outcome = self._payments.submit(payment)
        self.tasks.add(outcome)  # type: ignore[arg-type] # a shutdown waits for it, as for a task
        outcome.add_done_callback(partial(self._paid, cycle, payment))

    def _paid(self, cycle: RequestResponseCycle, payment: Payment, outcome: "asyncio.Future[Any]") -> None:
        """The payment is committed, or will not be. A shutdown that could wait no longer has cancelled the future."""
        assert self._payments is not None
        self.tasks.discard(outcome)
        if outcome.cancelled():
            self.transport.close()
            return
        checked = self._payments.to_check(payment, outcome)
        if checked is not None:
            self._submit(cycle, checked)
            return
        try:
            answer = self._payments.answer(payment, outcome)
        except Exception:
            log.exception("a payment could not be answered")
            answer = None
        if self.transport.is_closing():
            return  # the client hung up
        if answer is None:
            self._hand_on(cycle)
        else:
            self._answer_payment(cycle, answer)

    def _answer_payment(self, cycle: RequestResponseCycle, answer: Answer) -> None:
        """Write the answer, with the headers that every answer has, and begin what waits behind it."""
        assert self._payments is not None
        status, own, body = answer
        path = cycle.scope["path"]
        end = _PAYMENTS if path == _PAYMENTS else path[path.rindex("/") :]
        self._routes[end].answered(status, self._begun_at)
        if self._payments.is_told:
            route = path if path == _PAYMENTS else f"{_PAYMENTS}/{{id}}{end}"
            told = (cycle.scope, "POST", route, status, self._begun_at, body)
            if self._payments.logs_requests:
                access_log.write(*told)
            if (tracer := self._payments.tracer) is not None and (status >= 300 or tracer.takes_answer(body)):
                request_span.record(tracer, *told)
        headers = field_lines((*self.server_state.default_headers, *own))
        close = b"" if cycle.keep_alive else b"connection: close\r\n"
        id = request_id(cycle.scope)  # type: ignore[arg-type] # uvicorn's Scope, which Litestar types anew
        written = (STATUS_LINE[status], headers, len(body), self._security, id, close, body)
        cycle.response_started = cycle.response_complete = True
        self.transport.write(_RESPONSE % written)
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response = _nothing  # else the connection refers to itself, as uvicorn's own cycles do not
        self.on_response_complete()

    def _hand_on(self, cycle: RequestResponseCycle) -> None:
        observed.begin(cycle.scope, self._begun_at)
        self._reading_payment = None
        super()._start_asgi_task(cycle, self.app)


def _is_fast(path: str, raw_path: bytes) -> bool:
    """Whether a POST there may be answered here: a payment, or the end or refund of one, spelt plainly."""
    if path == _PAYMENTS:
        return True
    return path.endswith(_ENDS) and raw_path == path.encode()


def _nothing() -> None:
    """Called by nobody."""

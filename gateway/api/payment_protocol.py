"""Payments, captures, voids and refunds answered inside the HTTP connection, without ASGI and its router.

Behind ASGI a request costs a task, an event, three messages and a look at every header of its answer: a payment took a
seventh more of the gateway's processor time. Here it is submitted from the parser's own callback once its body is
complete, and its answer is one write once its commit has ended. The requests and their handlers are in payments/fast/.

uvicorn and server.py handle everything else about a connection: the limits on size and time, keep-alive, pipelining (a
request begins when the one before it is answered, so answers keep their order), shutdown. A request that is not handled
here, or not to its end, is passed on unchanged as an ordinary ASGI request.
"""

import logging
from functools import partial
from time import monotonic
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.api.payments.fast.fast_payments import Call, FastPayments
from gateway.api.payments.fast.handler import Answer
from gateway.api.payments.fast.routes import Route
from gateway.http import instrumentation
from gateway.http.request.body import BODY_BYTES_MAX
from gateway.http.request.framing import field_lines
from gateway.http.request_id import request_id

log = logging.getLogger(__name__)

_RESPONSE = b"%b%bcontent-length: %d\r\n%bx-request-id: %b\r\n%b\r\n%b"


class PaymentProtocol(HttpToolsProtocol):
    """uvicorn's protocol, with the fast path in front of it if `payments` is given."""

    _reading_payment: RequestResponseCycle | None = None  # the request whose turn it is and whose body is incomplete
    _begun_at = 0.0  # when the turn of the current request came, by the monotonic clock
    _route: Route

    def __init__(self, payments: FastPayments | None, *uvicorn: Any, **named: Any) -> None:
        super().__init__(*uvicorn, **named)
        self._payments = payments
        self._security = field_lines(payments.security) if payments else b""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """The request's turn has come: its head was read, and all requests before it are answered. A client that
        expects 100 (Continue), or does not read its answers, is left to ASGI.
        """
        scope, route = cycle.scope, None
        if (
            self._payments is not None
            and scope["method"] == "POST"
            and not scope["query_string"]
            and not cycle.waiting_for_100_continue
            and not self.flow.write_paused
        ):
            route = self._payments.route_of(scope["path"], scope["raw_path"])
        if route is None:
            super()._start_asgi_task(cycle, app)
            return
        self._begun_at, self._route = monotonic(), route
        if cycle.more_body:
            self._reading_payment = cycle
            self._check_size(cycle)
        else:
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
        """Pass a body that is known to be too large to the ordinary handler, which refuses it without waiting for the
        rest.
        """
        if len(cycle.body) > BODY_BYTES_MAX:
            self._hand_on(cycle)

    def _pay(self, cycle: RequestResponseCycle) -> None:
        assert self._payments is not None
        self._reading_payment = None
        scope = cycle.scope
        try:
            call = self._payments.read(self._route, scope["path"], scope["headers"], bytes(cycle.body))
        except Exception:
            log.exception("a payment could not be read")
            call = None
        if call is None:
            self._hand_on(cycle)
        else:
            self.tasks.add(call)  # type: ignore[arg-type] # a shutdown waits for it, as for a task
            self._payments.submit(call, partial(self._paid, cycle))

    def _paid(self, cycle: RequestResponseCycle, call: Call, answer: Answer | None) -> None:
        """The outcome of the payment is known, or a shutdown has cancelled the call."""
        self.tasks.discard(call)
        if call.is_cancelled:
            self.transport.close()
        elif self.transport.is_closing():
            return  # the client hung up
        elif answer is None:
            self._hand_on(cycle)
        else:
            self._answer_payment(cycle, call, answer)

    def _answer_payment(self, cycle: RequestResponseCycle, call: Call, answer: Answer) -> None:
        """Write the answer, with the headers of every answer, and begin the next pipelined request."""
        assert self._payments is not None
        status, own, body = answer
        self._payments.answered(call, cycle.scope, status, self._begun_at, body)
        headers = field_lines((*self.server_state.default_headers, *own))
        close = b"" if cycle.keep_alive else b"connection: close\r\n"
        id = request_id(cycle.scope)  # type: ignore[arg-type] # uvicorn's Scope, which Litestar types anew
        written = (STATUS_LINE[status], headers, len(body), self._security, id, close, body)
        cycle.response_started = cycle.response_complete = True
        self.transport.write(_RESPONSE % written)
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response = _nothing  # otherwise the connection would refer to itself
        self.on_response_complete()

    def _hand_on(self, cycle: RequestResponseCycle) -> None:
        instrumentation.begin(cycle.scope, self._begun_at)
        self._reading_payment = None
        super()._start_asgi_task(cycle, self.app)


def _nothing() -> None:
    """Never called."""

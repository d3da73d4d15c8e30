"""Data about a request for metrics, the access log and traces, collected in the request's scope.

A request begins when its headers have been read: before the fast path, which may pass it on, or before the router.
"""

from collections.abc import MutableMapping
from time import monotonic
from typing import Any, Final, cast

from litestar.types import Message, Scope, Send

from gateway.http import access_log, request_span
from gateway.metrics.traffic import NO_RAIL, NO_ROUTE, Traffic, outcome_of
from gateway.tracing import steps
from gateway.tracing.tracer import Tracer

_BEGUN: Final = "gateway.begun"
_PAYMENT: Final = "gateway.payment"
_REFUSED: Final = "gateway.refused"
_WALLET: Final = "gateway.wallet"

_PAYMENTS: Final = "/v1/payments"
_REPLAYED: Final = b"idempotency-replayed"


def begin(scope: Any, at: float | None = None) -> None:
    """Record when the request began: now, or at a time of the monotonic clock. Only the first call counts."""
    scope.setdefault(_BEGUN, monotonic() if at is None else at)


def note_payment(scope: Scope, rail: str, is_hold: bool) -> None:
    """Record that the request asks for a payment on this rail."""
    _notes(scope)[_PAYMENT] = (rail, is_hold)


def note_refusal(scope: Scope, code: str) -> None:
    """Record the code of the error that the request is answered with."""
    _notes(scope)[_REFUSED] = code


def note_wallet(scope: Scope, wallet: str) -> None:
    """Record the request's wallet, by its id."""
    _notes(scope)[_WALLET] = wallet


def watching(traffic: Traffic, scope: Scope, send: Send, is_logged: bool, tracer: Tracer | None) -> Send:
    """Count the request when its answer begins, and log and trace it when the answer's body begins."""
    status, replayed = 0, False
    waits = is_logged or tracer is not None
    asked = None if tracer is None else steps.begin()

    async def watch(message: Message) -> None:
        nonlocal status, replayed, waits
        if message["type"] == "http.response.start":
            status = message["status"]
            replayed = tracer is not None and any(name == _REPLAYED for name, _ in message["headers"])
            _answered(traffic, scope, status)
        elif waits:
            waits = False
            notes = _notes(scope)
            body = bytes(message.get("body", b"")) if message["type"] == "http.response.body" else b""
            wallet: str | None = notes.get(_WALLET)
            told = (scope, notes["method"], route_of(scope), status, notes[_BEGUN], body, wallet)
            if is_logged:
                access_log.write(*told)
            if tracer is not None:
                request_span.record(tracer, *told, steps=asked, replayed=replayed)
        await send(message)

    return watch


def route_of(scope: Scope) -> str:
    """Return the template of the request's route."""
    route: str = _notes(scope).get("path_template") or NO_ROUTE
    return route


def _answered(traffic: Traffic, scope: Scope, status: int) -> None:
    notes, route = _notes(scope), route_of(scope)
    method: str = notes["method"]
    traffic.route(method, route).answered(status, notes[_BEGUN])
    if route == _PAYMENTS and method == "POST":
        rail, is_hold = notes.get(_PAYMENT, (NO_RAIL, False))
        traffic.paid(rail, notes.get(_REFUSED) or outcome_of(status, is_hold))


def _notes(scope: Scope) -> MutableMapping[str, Any]:
    return cast("MutableMapping[str, Any]", scope)

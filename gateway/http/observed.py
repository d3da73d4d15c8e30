"""What metrics are told of a request while it is answered. It is kept in the request's own scope.

A request begins where its head was read: before the fast path, which may hand it on, or before the router.
"""

from collections.abc import MutableMapping
from time import monotonic
from typing import Any, Final, cast

from litestar.types import Message, Scope, Send

from gateway.metrics.traffic import NO_RAIL, NO_ROUTE, Traffic, outcome_of

_BEGUN: Final = "gateway.begun"
_PAYMENT: Final = "gateway.payment"
_REFUSED: Final = "gateway.refused"

_PAYMENTS: Final = "/v1/payments"


def begin(scope: Any, at: float | None = None) -> None:
    """The request begins now, or has begun at a time of the monotonic clock. What has begun goes on."""
    scope.setdefault(_BEGUN, monotonic() if at is None else at)


def note_payment(scope: Scope, rail: str, is_hold: bool) -> None:
    """The request asks for a payment on this rail."""
    _notes(scope)[_PAYMENT] = (rail, is_hold)


def note_refusal(scope: Scope, code: str) -> None:
    """The request is refused."""
    _notes(scope)[_REFUSED] = code


def watching(traffic: Traffic, scope: Scope, send: Send) -> Send:
    """Tells the traffic what is answered, once the answer begins."""

    async def watch(message: Message) -> None:
        if message["type"] == "http.response.start":
            _answered(traffic, scope, message["status"])
        await send(message)

    return watch


def _answered(traffic: Traffic, scope: Scope, status: int) -> None:
    notes = _notes(scope)
    method: str = notes["method"]
    route: str = notes.get("path_template") or NO_ROUTE
    traffic.route(method, route).answered(status, notes[_BEGUN])
    if route == _PAYMENTS and method == "POST":
        rail, is_hold = notes.get(_PAYMENT, (NO_RAIL, False))
        traffic.paid(rail, notes.get(_REFUSED) or outcome_of(status, is_hold))


def _notes(scope: Scope) -> MutableMapping[str, Any]:
    return cast("MutableMapping[str, Any]", scope)

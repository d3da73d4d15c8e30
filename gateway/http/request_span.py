"""The server span of an answered request, if traces are on.

A request that creates a payment is the root of the payment's trace, and one that acts on a payment is below it. If the
caller has a trace of its own, that is linked. Whether it is recorded follows from the payment's id alone, as in the
worker. Any other request continues its caller's trace, and is recorded if the caller's part is (W3C Trace Context);
without a caller's trace it has one of its own, and is recorded by the ratio.

Like the access log, a span has the route's template and never the path, and no query, header or address of a client.
"""

from time import monotonic
from typing import Any, Final
from uuid import UUID

import msgspec

from gateway.http import access_log
from gateway.ids import read
from gateway.tracing.ids import Context, caller_of, fresh, root_of, within
from gateway.tracing.span import Span
from gateway.tracing.steps import Steps
from gateway.tracing.tracer import PAYMENT_ID, Tracer

#: How many letters at the end of an id decide about sampling (tracing/ids.py).
_LETTERS: Final = 8


class _Route(msgspec.Struct):
    rail: str = ""


class _Payment(msgspec.Struct):
    """The fields of an answered payment that a span has."""

    id: str
    state: str = ""
    route: _Route | None = None


def record(
    tracer: Tracer,
    scope: Any,
    method: str,
    route: str,
    status: int,
    started: float,
    answer: bytes,
    wallet: str | None = None,
    steps: Steps | None = None,
    replayed: bool = False,
) -> None:
    """Record a request that began at that time, by the monotonic clock, with the beginning of its answer's body."""
    named = access_log.named_by(scope["path"])
    payment = access_log.payment_of(scope["path"], answer)
    makes = payment != named and method == "POST" and status < 300 and not replayed
    attributes: dict[str, str | int] = {}
    links: list[Context] = []
    parent: Context | None = None
    if payment is not None and (makes or (named is not None and method == "POST")):
        if not tracer.ratio.takes_letters(payment[-_LETTERS:].encode()):
            return
        root = root_of(_id(payment))
        context, parent = (root, None) if makes else (within(root.trace), root)
        if (caller := caller_of(scope["headers"])) is not None:
            links.append(caller.context)
    else:
        caller = caller_of(scope["headers"])
        if not (tracer.ratio.takes_any() if caller is None else caller.sampled):
            return
        context, parent = (fresh(), None) if caller is None else (within(caller.context.trace), caller.context)
    if payment is not None:
        attributes[PAYMENT_ID] = payment
        attributes |= _said_of(answer) if status < 300 else {}
    if wallet is not None:
        attributes["gateway.wallet.id"] = wallet
    attributes |= {"http.request.method": method, "http.route": route, "http.response.status_code": status}
    error = str(status) if status >= 500 else None
    start, end = tracer.at(started), tracer.at(monotonic())
    tracer.record(Span(f"{method} {route}", context, start, end, parent, "server", attributes, links, error))
    if steps is not None:
        tracer.below(context, steps.parts)


def _id(payment: str) -> UUID:
    return read("pay", payment)


def _said_of(answer: bytes) -> dict[str, str | int]:
    try:
        payment = msgspec.json.decode(answer, type=_Payment)
    except (msgspec.DecodeError, UnicodeDecodeError):  # only a part of the body is available
        return {}
    said = {"gateway.payment.state": payment.state, "gateway.payment.rail": payment.route.rail if payment.route else ""}
    return {name: value for name, value in said.items() if value}

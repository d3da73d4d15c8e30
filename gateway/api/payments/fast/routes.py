"""The routes of the fast path, and the handlers of each, in the order in which they are tried.

A new handler is a module beside this one and a line here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.api.payments.fast import request
from gateway.api.payments.fast.checked import CheckedEnds, CheckedPayments, CheckedRefunds
from gateway.api.payments.fast.counts import Counts
from gateway.api.payments.fast.ends import Ends, Refunds
from gateway.api.payments.fast.handler import FastHandler
from gateway.api.payments.fast.head import Head
from gateway.api.payments.fast.held import Holds, Tokens
from gateway.api.payments.fast.request import Request
from gateway.api.payments.fast.settled import SettledPayments
from gateway.http.services import Services
from gateway.metrics.traffic import Route as Answered
from gateway.metrics.traffic import Traffic
from gateway.payments.model.settings import PaymentSettings

PAY: Final = "/v1/payments"

AnyHandler = FastHandler[Any, Any, Any]

#: Parses a request's path and body; None if the ordinary handler has to answer.
Read = Callable[[PaymentSettings, Head, str, bytes], Request | None]


@dataclass(frozen=True, slots=True)
class Route:
    """Requests of one kind. The first of `handlers` that takes a request executes it, otherwise `checked`, which takes
    all.
    """

    template: str
    read: Read
    handlers: Sequence[AnyHandler]
    checked: AnyHandler
    answered: Answered  #: Counts the answers.


def routes_of(services: Services, counts: Counts, traffic: Traffic) -> dict[str, Route]:
    """The routes, by the ends of their paths."""
    payments = SettledPayments(services, counts), Tokens(services, counts), Holds(services, counts)
    ends, checked_ends = [Ends(services, counts)], CheckedEnds(services, counts)
    refunds, checked_refunds = [Refunds(services, counts)], CheckedRefunds(services, counts)

    def route(template: str, read: Read, handlers: Sequence[AnyHandler], checked: AnyHandler) -> Route:
        return Route(template, read, handlers, checked, traffic.route("POST", template))

    return {
        PAY: route(PAY, request.read_payment, payments, CheckedPayments(services, counts)),
        "capture": route(f"{PAY}/{{id}}/capture", request.read_end, ends, checked_ends),
        "void": route(f"{PAY}/{{id}}/void", request.read_end, ends, checked_ends),
        "refund": route(f"{PAY}/{{id}}/refund", request.read_end, refunds, checked_refunds),
    }

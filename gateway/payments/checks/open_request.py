"""A payment of a request for money must match an open request exactly, and a request is paid once.

The request's row is locked while the payment is decided, so of fifty concurrent payments of one request one is
accepted, and none while the request is being declined or cancelled.
"""

from collections.abc import Mapping, Sequence

from gateway.errors import GatewayError, NotFound
from gateway.ids import RequestId, show
from gateway.payments.checks.check import PASSED, Check, CheckContext, Decisions, Locks, Passed
from gateway.payments.errors import RequestMismatch, RequestNotOpen
from gateway.payments.model.payment import Payment
from gateway.payments.model.proposed import Proposed
from gateway.payments.requests import rows
from gateway.payments.requests.request import PREFIX, Request


class OpenRequest(Check):
    """Refuses a payment whose request is addressed to another wallet, is not open, or does not match the payment."""

    def locks(self, asked: Sequence[Proposed]) -> Locks:
        return {"requests": _ids(asked)}

    async def load(self, context: CheckContext, asked: Sequence[Proposed]) -> Decisions | None:
        if not (ids := _ids(asked)):
            return None
        return _Requests(context, await rows.by_ids(context.connection, context.settings.assets, ids, context.now))


class _Requests(Decisions):
    def __init__(self, context: CheckContext, requests: Mapping[RequestId, Request]) -> None:
        self._connection = context.connection
        self._requests = requests
        self._taken: set[RequestId] = set()

    def decide(self, one: Proposed) -> Passed | GatewayError:
        if one.request is None:
            return PASSED
        request = self._requests.get(one.request)
        if request is None or request.payer != one.payment.payer:
            return NotFound(f"request {show(PREFIX, one.request)}")
        if one.request in self._taken:
            return RequestNotOpen(request.shown_id, "pending")
        return refusal(request, one.payment) or PASSED

    def add(self, one: Proposed) -> None:
        if one.request is not None:
            self._taken.add(one.request)

    async def write(self, paid: Sequence[Proposed]) -> None:
        paying = {one.request: (self._requests[one.request], one.payment) for one in paid if one.request is not None}
        if paying:
            await rows.begin_payment(self._connection, paying)


def refusal(request: Request, payment: Payment) -> GatewayError | None:
    """Why this payment cannot pay the request. Pure."""
    asks = (
        ("to", f"@{request.requester_handle}", payment.payee_name, request.requester == payment.payee),
        ("asset", request.amount.asset.code, payment.amount.asset.code, request.amount.asset == payment.amount.asset),
        ("amount", request.amount.amount, payment.amount.amount, request.amount == payment.amount),
        ("capture", "true", "false", payment.capture),
    )
    for field, wanted, given, fits in asks:
        if not fits:
            return RequestMismatch(request.shown_id, field, wanted, given)
    return None if request.state == "open" else RequestNotOpen(request.shown_id, request.state)


def _ids(asked: Sequence[Proposed]) -> list[RequestId]:
    return list({one.request for one in asked if one.request is not None})

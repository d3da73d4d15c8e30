"""The gateway's server with another application in it: the baselines of the gateway.

Everything else is `gateway serve` (gateway/cli/processes/serve.py): one process, the same settings of the
same server.

    one_each   the same application, but each payment is a PostgreSQL transaction of its own, 16 side by side
    empty      an ordinary Litestar handler that reads the same request, does nothing, and gives the same answer
"""

import sys
from collections.abc import Callable
from functools import partial

from litestar import Litestar, post

from gateway.api.app import application
from gateway.api.payments.shapes import PaymentRequest, PaymentView
from gateway.cli.processes import serve
from gateway.config.environment import from_environment
from gateway.http.services import Services
from gateway.money import Money, fiat
from gateway.payments.model.route import ledger_route

_ROUTE = ledger_route(Money(0, fiat("EUR")))


@post("/v1/payments")
async def answer_only(data: PaymentRequest) -> PaymentView:
    """The answer to a payment, without the payment."""
    return PaymentView(
        id="pay_01h455vb4pex5vsknk084sn02q",
        state="settled",
        from_="@h0000000",
        to=data.to,
        amount=data.amount,
        asset=data.asset,
        fee="0.00",
        memo=data.memo,
        route=_ROUTE,
        captured=data.amount,
        refunded="0.00",
        refund_of=None,
        tx_hash=None,
        failure=None,
        created_at="2030-01-31T12:00:00.000000Z",
        expires_at=None,
        settled_at="2030-01-31T12:00:00.000000Z",
        to_sign=None,
        approval=None,
        undo_until=None,
        reference=None,
        metadata=None,
    )


def _nothing(_: Services) -> Litestar:
    return Litestar([answer_only], openapi_config=None, logging_config=None)


VARIANTS: dict[str, Callable[[Services], Litestar]] = {
    "one_each": partial(application, maximum=1, at_once=16),
    "empty": _nothing,
}

if __name__ == "__main__":
    serve.serve(from_environment(), VARIANTS[sys.argv[1]])

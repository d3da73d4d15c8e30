"""The answer of the fast path to a payment."""

from datetime import datetime

from gateway.api.payments.shapes import PaymentView
from gateway.clock import rfc3339
from gateway.ids import PaymentId, show
from gateway.money import Money
from gateway.payments.model.plain import PlainPayment
from gateway.payments.model.route import Route


def view(
    asked: PlainPayment,
    id: PaymentId,
    payer_handle: str,
    state: str,
    route: Route,
    at: datetime,
    captured: Money,
    settled_at: datetime | None = None,
    expires_at: datetime | None = None,
) -> PaymentView:
    """The same answer as `payment_view` of the payment's row."""
    money = asked.money
    decimals = money.asset.decimals
    return PaymentView(
        id=show("pay", id),
        state=state,
        from_="@" + payer_handle,
        to="@" + asked.payee_handle,
        amount=money.amount,
        asset=money.asset.code,
        fee=route.fee,
        memo=asked.memo,
        route=route,
        captured=captured.amount,
        refunded="0." + "0" * decimals if decimals else "0",
        refund_of=None,
        tx_hash=None,
        failure=None,
        created_at=rfc3339(at),
        expires_at=None if expires_at is None else rfc3339(expires_at),
        settled_at=None if settled_at is None else rfc3339(settled_at),
        to_sign=None,
        approval=None,
        undo_until=None,
        reference=None,
        metadata=None,
    )

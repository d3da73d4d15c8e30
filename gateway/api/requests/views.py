"""Answers about requests for money."""

from gateway.api.requests.shapes import RequestView
from gateway.clock import rfc3339
from gateway.ids import WalletId, show
from gateway.payments.requests.request import Request


def request_view(of: Request, viewer: WalletId) -> RequestView:
    """The request as the wallet `viewer` sees it."""
    payment = of.payment_seen_by(viewer)
    return RequestView(
        id=of.shown_id,
        state=of.state,
        from_=f"@{of.payer_handle}",
        to=f"@{of.requester_handle}",
        amount=of.amount.amount,
        asset=of.amount.asset.code,
        memo=of.memo,
        payment=show("pay", payment) if payment else None,
        created_at=rfc3339(of.created_at),
        expires_at=rfc3339(of.expires_at),
        ended_at=rfc3339(of.ended_at) if of.ended_at else None,
    )

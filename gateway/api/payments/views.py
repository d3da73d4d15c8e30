"""Functions that make the answers about payments, conversions, mandates and the bank: one for each shape."""

from typing import Any

from gateway.api.payments.shapes import (
    ApprovalView,
    BankMovementView,
    ConversionView,
    MandateView,
    PaymentView,
    PreviewView,
)
from gateway.bank.movements import PREFIX, BankMovement
from gateway.clock import rfc3339
from gateway.ids import WalletId, show
from gateway.payments.checks.mandate import Mandate
from gateway.payments.model.conversion import Conversion
from gateway.payments.model.payment import Payment
from gateway.payments.pay import Preview


def bank_movement_view(moved: BankMovement) -> BankMovementView:
    id = show(PREFIX[moved.direction], moved.id)
    return BankMovementView(id, moved.state, moved.money.amount, moved.money.asset.code, rfc3339(moved.created_at))


def conversion_view(conversion: Conversion) -> ConversionView:
    return ConversionView(
        id=show("cnv", conversion.id),
        state=conversion.state.value,
        amount=conversion.amount.amount,
        asset=conversion.amount.asset.code,
        to_amount=conversion.to_amount.amount,
        to_asset=conversion.to_amount.asset.code,
        tx_hash=conversion.tx_hash,
        failure=conversion.failure,
        created_at=rfc3339(conversion.created_at),
        settled_at=rfc3339(conversion.settled_at) if conversion.settled_at else None,
    )


def payment_view(payment: Payment, viewer: WalletId | None, to_sign: dict[str, Any] | None = None) -> PaymentView:
    """The payment as the wallet `viewer` sees it: a note is shown to its author only. None: a viewer without a
    wallet.
    """
    note = payment.note if payment.note is not None and payment.note.author == viewer else None
    return PaymentView(
        id=show("pay", payment.id),
        state=payment.state.value,
        from_=payment.payer_name,
        to=payment.payee_name,
        amount=payment.amount.amount,
        asset=payment.amount.asset.code,
        fee=payment.fee.amount,
        memo=payment.memo,
        route=payment.route,
        captured=payment.captured.amount,
        refunded=payment.refunded.amount,
        refund_of=show("pay", payment.refund_of) if payment.refund_of else None,
        tx_hash=payment.tx_hash,
        failure=payment.failure,
        created_at=rfc3339(payment.created_at),
        expires_at=rfc3339(payment.expires_at) if payment.expires_at else None,
        settled_at=rfc3339(payment.settled_at) if payment.settled_at else None,
        to_sign=to_sign,
        approval=_approval_view(payment),
        undo_until=rfc3339(payment.undo_until) if payment.undo_until else None,
        reference=note.reference if note else None,
        metadata=note.metadata if note else None,
    )


def _approval_view(payment: Payment) -> ApprovalView | None:
    if not payment.needs_approval or payment.approval is None:
        return None
    return ApprovalView(list(payment.approval), rfc3339(payment.expires_at) if payment.expires_at else None)


def preview_view(preview: Preview) -> PreviewView:
    return PreviewView(
        *(preview.route, preview.fee.amount, preview.available_after.amount, list(preview.approval)),
        refusal="insufficient_funds" if preview.refusal else None,
    )


def mandate_view(of: Mandate) -> MandateView:
    return MandateView(
        id=of.shown_id,
        from_=f"@{of.payer_handle}",
        to=f"@{of.payee_handle}",
        asset=of.period.asset.code,
        rail=of.rail,
        draw=of.draw.amount if of.draw else None,
        period=of.period.amount,
        period_days=of.period_days,
        total=of.total.amount if of.total else None,
        created_at=rfc3339(of.created_at),
        expires_at=rfc3339(of.expires_at) if of.expires_at else None,
        revoked_at=rfc3339(of.ended_at) if of.ended_at else None,
        needs_approval=of.waits,
    )

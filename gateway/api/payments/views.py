"""What goes out, from the rooms' own values: a function for each shape (shapes.py)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from gateway.api.payments.shapes import (
    ApprovalView,
    BalanceView,
    BankMovementView,
    BoundView,
    ChallengeView,
    ConversionView,
    EntryView,
    EventView,
    ExportedKeyView,
    FrozenView,
    HandleView,
    PaymentView,
    PreviewView,
    SolvencyView,
)
from gateway.bank.movements import PREFIX, BankMovement
from gateway.chain.watcher.cursors import Cursor
from gateway.clock import rfc3339
from gateway.custody.export import ExportedKey
from gateway.events.log import LoggedEvent
from gateway.identity.sign_in.siwe import SignIn
from gateway.identity.wallet import Wallet
from gateway.ids import WalletId, show
from gateway.ledger.account import Balance
from gateway.ledger.book import Entry
from gateway.money import Money
from gateway.payments.model.payment import Payment
from gateway.payments.model.records import Conversion
from gateway.payments.pay import Preview
from gateway.reconciliation.solvency import Solvency

#: What an asset's transfers are called in a statement when they are a payment's.
_PAYMENT_PURPOSES = ("payment", "refund")

#: How the subject of a transfer is shown, by the transfer's purpose.
_PREFIX_OF_PURPOSE = {
    "payment": "pay",
    "refund": "pay",
    "deposit": "dep",
    "withdrawal": "wdr",
    "conversion": "cnv",
    "observation": "obs",
    "correction": "cor",
}


def handle_view(wallet: Wallet) -> HandleView:
    return HandleView(wallet.handle, show("wal", wallet.id), wallet.address, wallet.custody)


def challenge_view(sign_in: SignIn) -> ChallengeView:
    return ChallengeView(sign_in.text(), sign_in.address, rfc3339(sign_in.expires_at))


def bound_view(wallet: Wallet) -> BoundView:
    return BoundView(wallet.handle, show("wal", wallet.id), wallet.address, wallet.custody)


#: What everybody is told who has their key exported.
KEY_WARNING = (
    "Whoever sees this key can take every token at the address, for ever, and nothing takes that back. The gateway "
    "still has the key too. Keep it in a keystore that a password opens, and sign with nonces of 32 random bytes."
)


def exported_key_view(key: ExportedKey) -> ExportedKeyView:
    return ExportedKeyView(key.address, "0x" + key.private_key.hex(), KEY_WARNING)


def balance_view(balance: Balance, cursor: Cursor | None) -> BalanceView:
    posted, pending, available = (money.amount for money in balance.money())
    token = balance.asset.kind == "token"
    block = cursor.number if token and cursor is not None else None
    return BalanceView(balance.asset.code, "token" if token else "fiat", posted, pending, available, block)


def past_balance_view(posted: Money) -> BalanceView:
    """A balance at a past time, of which nothing is known but what was posted."""
    kind: Literal["fiat", "token"] = "token" if posted.asset.kind == "token" else "fiat"
    return BalanceView(posted.asset.code, kind, posted.amount, None, None, None)


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
    """The payment as the wallet `viewer` sees it: a note is its author's alone. None: somebody without a wallet."""
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
    if not payment.waits_for_approval or payment.approval is None:
        return None
    return ApprovalView(list(payment.approval), rfc3339(payment.expires_at) if payment.expires_at else None)


def preview_view(preview: Preview) -> PreviewView:
    return PreviewView(preview.route, preview.fee.amount, preview.available_after.amount, list(preview.approval))


def entry_view(entry: Entry, ends: tuple[str, str] | None = None) -> EntryView:
    """`ends` are from whom and to whom the tokens of an observation moved."""
    prefix = _PREFIX_OF_PURPOSE.get(entry.purpose)
    reference = show(prefix, entry.subject) if prefix else None
    return EntryView(
        number=entry.number,
        asset=entry.amount.asset.code,
        amount=entry.amount.amount,
        side=entry.side.value,
        balance=entry.balance.amount,
        payment_id=reference if entry.purpose in _PAYMENT_PURPOSES else None,
        purpose=entry.purpose,
        reference=reference,
        from_=ends[0] if ends else None,
        to=ends[1] if ends else None,
        posted_at=rfc3339(entry.posted_at),
    )


def event_view(event: LoggedEvent) -> EventView:
    assert isinstance(event.facts, dict)
    facts = event.facts
    if event.subject is not None and event.kind.startswith("payment."):
        facts = {"payment_id": show("pay", event.subject), **facts}
    return EventView(event.number, event.kind, facts, rfc3339(event.at))


def solvency_view(one: Solvency, checked_block: int | None) -> SolvencyView:
    return SolvencyView(
        asset=one.asset.code,
        supply=one.supply.amount,
        wallets=one.wallets.amount,
        outside=one.outside.amount,
        reserve=one.reserve.amount,
        final_block=one.final_block,
        checked_block=checked_block,
        difference=one.difference.amount,
    )


def frozen_views(frozen: Mapping[str, datetime]) -> list[FrozenView]:
    return [FrozenView(asset, rfc3339(since)) for asset, since in frozen.items()]

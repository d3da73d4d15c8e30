"""What comes in and goes out. Requests refuse unknown fields; money is a decimal string, never a JSON number."""

import base64
import binascii
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from gateway.bank.movements import PREFIX, BankMovement
from gateway.chain.sign_in import SignIn
from gateway.chain.watch import Cursor
from gateway.clock import rfc3339
from gateway.errors import InvalidRequest
from gateway.events.log import LoggedEvent
from gateway.ids import show
from gateway.ledger.account import Balance
from gateway.ledger.book import Entry
from gateway.payments.pay import Preview
from gateway.payments.payment import Payment
from gateway.payments.records import Conversion
from gateway.payments.route import Route
from gateway.payments.solvency import Solvency
from gateway.wallets.export import ExportedKey
from gateway.wallets.wallet import Wallet

Amount = Annotated[str, Meta(description="A positive decimal, as a string.", examples=["12.50"])]
AssetCode = Annotated[str, Meta(description="ISO 4217 code or token code.", examples=["EUR", "USDX"])]
PayeeText = Annotated[str, Meta(description="@handle, or a 0x address.", examples=["@bob"])]

Signature = Annotated[str, Meta(description="0x and hex digits: 65 bytes, r, s and v, or what a contract accepts.")]
CustodyText = Annotated[
    Literal["gateway", "owner", "contract"],
    Meta(description="Who keeps the address's key: the gateway, its owner, or nobody: it is a contract."),
]

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
}


class HandleRequest(Struct, forbid_unknown_fields=True):
    handle: Annotated[str, Meta(description="2 to 30 of a-z, 0-9 and _.", examples=["alice"])]


class MoneyRequest(Struct, forbid_unknown_fields=True):
    amount: Amount
    asset: AssetCode


class ConversionRequest(Struct, forbid_unknown_fields=True):
    amount: Amount
    asset: AssetCode
    to_asset: AssetCode


class PaymentRequest(Struct, forbid_unknown_fields=True):
    to: PayeeText
    amount: Amount
    asset: AssetCode
    memo: Annotated[str, Meta(description="Up to 280 characters.", examples=["lunch"])] | None = None
    capture: bool = True


class BulkPaymentRequest(Struct, forbid_unknown_fields=True):
    """A payment as in POST /v1/payments, with a key of its own where the caller has one."""

    to: PayeeText
    amount: Amount
    asset: AssetCode
    memo: str | None = None
    capture: bool = True
    idempotency_key: Annotated[str, Meta(description="Else made of the whole's key and the place.")] | None = None


class AmountRequest(Struct, forbid_unknown_fields=True):
    """All of it, when no amount is given."""

    amount: Amount | None = None


class KeyExportRequest(Struct, forbid_unknown_fields=True):
    """`confirm` is a sentence, so that nobody asks for it by mistake."""

    confirm: Annotated[
        str,
        Meta(
            description="'@<handle> exports the key of <address>', word by word.",
            examples=["@alice exports the key of 0x70997970C51812dc3A010C7d01b50e0d17dc79C8"],
        ),
    ]


class SignatureRequest(Struct, forbid_unknown_fields=True):
    signature: Signature


class NothingRequest(Struct, forbid_unknown_fields=True):
    """An empty object."""


class AddressRequest(Struct, forbid_unknown_fields=True):
    address: Annotated[str, Meta(examples=["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"])]


class BindRequest(Struct, forbid_unknown_fields=True):
    message: Annotated[str, Meta(description="The challenge's message, as it was.", max_length=4_000)]
    signature: Signature


class HandleView(Struct):
    handle: str
    wallet_id: str
    address: str
    custody: CustodyText


class NewHandleView(Struct):
    handle: str
    wallet_id: str
    address: str
    api_key: Annotated[str, Meta(description="Shown this once.")]


class ExportedKeyView(Struct):
    address: str
    private_key: Annotated[str, Meta(description="0x and 64 hex digits. Show it to nobody.")]
    warning: str


class ChallengeView(Struct):
    message: Annotated[str, Meta(description="What to sign, as it is.")]
    address: str
    expires_at: str


class BoundView(Struct):
    handle: str
    wallet_id: str
    address: str
    custody: CustodyText


class BalanceView(Struct):
    asset: str
    kind: Literal["fiat", "token"]
    posted: str
    pending: Annotated[str, Meta(description="What of posted is set aside.")]
    available: str
    final_block: Annotated[int, Meta(description="The block a token balance is final at.")] | None


class WalletView(Struct):
    handle: str
    wallet_id: str
    address: str
    custody: CustodyText
    balances: list[BalanceView]


class BankMovementView(Struct):
    id: str
    state: str
    amount: str
    asset: str
    created_at: str


class ConversionView(Struct):
    id: str
    state: str
    amount: str
    asset: str
    to_amount: str
    to_asset: str
    tx_hash: str | None
    failure: str | None
    created_at: str
    settled_at: str | None


class ApprovalView(Struct):
    """Why the payer has to approve it, and until when: `amount`, `day`, `new_payee`, `address`, `changed_payee`,
    `new_device`.
    """

    reasons: list[str]
    expires_at: str | None


class PaymentView(Struct, rename={"from_": "from"}):
    id: str
    state: str
    from_: str
    to: str
    amount: str
    asset: str
    fee: str
    memo: str | None
    route: Route
    captured: str
    refunded: str
    refund_of: str | None
    tx_hash: str | None
    failure: str | None
    created_at: str
    expires_at: str | None
    settled_at: str | None
    to_sign: Annotated[
        dict[str, Any] | None,
        Meta(description="While a payer with a key of their own has to sign: EIP-712 typed data. Lists leave it out."),
    ]
    approval: Annotated[ApprovalView | None, Meta(description="While the payer has to approve it.")]
    undo_until: Annotated[str | None, Meta(description="Until when the payer can stop what cannot be undone after it.")]


class BulkResultView(Struct, omit_defaults=True):
    """What became of one payment. `status` is what it would have been answered alone."""

    index: int
    status: int
    id: str | None = None
    state: str | None = None
    problem: dict[str, Any] | None = None


class PreviewView(Struct):
    route: Route
    fee: str
    available_after: Annotated[str, Meta(description="Below zero where the payment would be refused.")]


class PaymentsPage(Struct):
    items: list[PaymentView]
    next_cursor: str | None


class EntryView(Struct, rename={"from_": "from"}):
    number: int
    asset: str
    amount: str
    side: Literal["debit", "credit"]
    balance: str
    payment_id: str | None
    purpose: str
    reference: str | None
    from_: Annotated[str, Meta(description="Of an observation: who sent the tokens, @handle or address.")] | None
    to: Annotated[str, Meta(description="Of an observation: where they went.")] | None
    posted_at: str


class EntriesPage(Struct):
    items: list[EntryView]
    next_cursor: str | None


class EventView(Struct):
    number: int
    kind: str
    facts: dict[str, object]
    at: str


class EventsPage(Struct):
    items: list[EventView]
    next_after: int


class SolvencyView(Struct):
    asset: str
    supply: str
    wallets: str
    outside: str
    reserve: str
    final_block: int | None
    checked_block: Annotated[int, Meta(description="So far it was held against the chain.")] | None
    difference: str


class FrozenView(Struct):
    """An asset, token or currency, whose withdrawals are stopped."""

    asset: str
    since: str


class SolvencyPage(Struct):
    items: list[SolvencyView]
    frozen: list[FrozenView]


class HealthView(Struct):
    status: Literal["ok"]


# ---- from the rooms' values -----------------------------------------------------------------------------------------


def handle_view(wallet: Wallet) -> HandleView:
    return HandleView(wallet.handle, show("wal", wallet.id), wallet.address, wallet.custody)


def challenge_view(sign_in: SignIn) -> ChallengeView:
    return ChallengeView(sign_in.text(), sign_in.address, rfc3339(sign_in.expires_at))


def bound_view(wallet: Wallet) -> BoundView:
    return BoundView(wallet.handle, show("wal", wallet.id), wallet.address, wallet.custody)


def signature_bytes(text: str) -> bytes:
    """The bytes that a signature's text says. Raises InvalidRequest."""
    digits = text.removeprefix("0x")
    if not text.startswith("0x") or len(digits) % 2 or not set(digits) <= set("0123456789abcdefABCDEF"):
        raise InvalidRequest("signature", "a signature is 0x and hex digits, two for each byte")
    return bytes.fromhex(digits)


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


def payment_view(payment: Payment, to_sign: dict[str, Any] | None = None) -> PaymentView:
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
    )


def _approval_view(payment: Payment) -> ApprovalView | None:
    if not payment.waits_for_approval or payment.approval is None:
        return None
    return ApprovalView(list(payment.approval), rfc3339(payment.expires_at) if payment.expires_at else None)


def preview_view(preview: Preview) -> PreviewView:
    return PreviewView(preview.route, preview.fee.amount, preview.available_after.amount)


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
    return EventView(event.number, event.kind, event.facts, rfc3339(event.at))


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


# ---- cursors --------------------------------------------------------------------------------------------------------


def cursor_text(position: str) -> str:
    """An opaque cursor: where the next page of a list goes on."""
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def cursor_position(cursor: str) -> str:
    """What `cursor_text` was given. Raises InvalidRequest when it is no cursor of ours."""
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (ValueError, binascii.Error):
        raise InvalidRequest("cursor", "this is not a cursor: send the next_cursor of the page before") from None

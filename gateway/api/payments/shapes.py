"""The bodies of requests and answers. Requests refuse unknown fields."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from gateway.api.fields import (
    Amount,
    AssetCode,
    Decimal,
    MemoText,
    MetadataObject,
    NextCursor,
    Party,
    PayeeText,
    PaymentIdText,
    PaymentState,
    ReasonText,
    Reference,
    RequestIdText,
    Signature,
    Time,
    TxHash,
    TypedData,
)
from gateway.api.identity.shapes import AssertionRequest
from gateway.http.schema import one_of, typed_id
from gateway.payments.model.route import RailName, Route

Capture = Annotated[bool, Meta(description="false: hold the money, to capture or void it later.")]


class MoneyRequest(Struct, forbid_unknown_fields=True, omit_defaults=True):
    amount: Amount
    asset: AssetCode


class ConversionRequest(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Convert `amount` of `asset` into the same amount of `to_asset`."""

    amount: Amount
    asset: AssetCode
    to_asset: AssetCode


class PaymentRequest(Struct, forbid_unknown_fields=True, omit_defaults=True):
    to: PayeeText
    amount: Amount
    asset: AssetCode
    memo: MemoText | None = None
    capture: Capture = True
    reference: Reference | None = None
    metadata: MetadataObject | None = None
    request: Annotated[RequestIdText, Meta(description="The request that this payment pays.")] | None = None


class BulkPaymentRequest(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A payment as in POST /v1/payments, optionally with an idempotency key of its own."""

    to: PayeeText
    amount: Amount
    asset: AssetCode
    memo: MemoText | None = None
    capture: Capture = True
    idempotency_key: (
        Annotated[str, Meta(description="By default derived from the batch's key and the payment's index.")] | None
    ) = None
    reference: Reference | None = None
    metadata: MetadataObject | None = None


class AmountRequest(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The amount; without it, all of the payment."""

    amount: Amount | None = None


class RefundRequest(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The amount; without it, all that has not been refunded. A refund has a reference and metadata of its own."""

    amount: Amount | None = None
    reference: Reference | None = None
    metadata: MetadataObject | None = None


class SignatureRequest(Struct, forbid_unknown_fields=True):
    signature: Signature


class NothingRequest(Struct, forbid_unknown_fields=True):
    """An empty object."""


class BankMovementView(Struct):
    id: Annotated[str, Meta(description="`dep_…` or `wdr_…`.", examples=["dep_01h455vb4pex5vsknk084sn02q"])]
    state: Annotated[str, one_of(["settled"], "The sandbox bank settles at once.")]
    amount: Decimal
    asset: AssetCode
    created_at: Time


class ConversionView(Struct):
    id: Annotated[str, typed_id("cnv", "A conversion's id.")]
    state: Annotated[str, one_of(["queued", "submitted", "settled", "failed"], "The state of the conversion.")]
    amount: Decimal
    asset: AssetCode
    to_amount: Decimal
    to_asset: AssetCode
    tx_hash: TxHash | None
    failure: Annotated[str | None, Meta(description="Why it failed.")]
    created_at: Time
    settled_at: Time | None


class ApprovalView(Struct):
    """Why the payer has to approve a payment, and until when."""

    reasons: list[ReasonText]
    expires_at: Annotated[Time | None, Meta(description="When the payment expires and its money is available again.")]


class PaymentView(Struct, rename={"from_": "from"}):
    """A payment from a payer to a payee, and its state."""

    id: PaymentIdText
    state: PaymentState
    from_: Party
    to: Party
    amount: Decimal
    asset: AssetCode
    fee: Annotated[Decimal, Meta(description="The fee, which the payer pays on top of the amount, in the same asset.")]
    memo: MemoText | None
    route: Route
    captured: Annotated[Decimal, Meta(description="The part of the amount that was paid so far.")]
    refunded: Annotated[Decimal, Meta(description="The part of `captured` that was refunded.")]
    refund_of: Annotated[PaymentIdText | None, Meta(description="The payment that this one refunds.")]
    tx_hash: TxHash | None
    failure: Annotated[str | None, Meta(description="Why it failed.")]
    created_at: Time
    expires_at: Annotated[
        Time | None, Meta(description="Until when it can be captured, approved or signed; then it expires.")
    ]
    settled_at: Time | None
    to_sign: Annotated[
        TypedData | None, Meta(description="The data that the payer's own key has to sign; null if none.")
    ]
    approval: Annotated[ApprovalView | None, Meta(description="Why the payer has to approve it; null if not.")]
    undo_until: Annotated[
        Time | None, Meta(description="Until when the payer can void it; afterwards it cannot be undone.")
    ]
    reference: Annotated[Reference | None, Meta(description="Visible only to the wallet that set it.")]
    metadata: Annotated[MetadataObject | None, Meta(description="Visible only to the wallet that set it.")]


class BulkResultView(Struct, omit_defaults=True):
    """The result of one payment of a batch: `status` is the HTTP status that it would have had alone."""

    index: Annotated[int, Meta(description="The payment's index, from 0.")]
    status: int
    id: PaymentIdText | None = None
    state: PaymentState | None = None
    problem: Annotated[dict[str, Any], Meta(extra_json_schema={"title": "Problem"})] | None = None
    replayed: Annotated[
        bool, Meta(description="Present if the payment was made earlier with the line's key: no money moved now.")
    ] = False


class PreviewView(Struct):
    """The route, fee and approval of a payment that is not made."""

    route: Route
    fee: Decimal
    available_after: Annotated[Decimal, Meta(description="Negative if there is not enough money.")]
    approval: Annotated[list[ReasonText], Meta(description="Why it would need an approval; empty: it would need none.")]
    refusal: Annotated[
        Literal["insufficient_funds"] | None,
        Meta(description="The code that the payment would be refused with now; null: it would be accepted."),
    ]


class PaymentsPage(Struct):
    items: list[PaymentView]
    next_cursor: NextCursor


class DrawRequest(Struct, forbid_unknown_fields=True, omit_defaults=True):
    amount: Amount
    memo: MemoText | None = None
    reference: Reference | None = None
    metadata: MetadataObject | None = None


class MandateView(Struct, rename={"from_": "from"}):
    id: Annotated[str, typed_id("mdt", "A mandate's id.")]
    from_: Party
    to: Party
    asset: AssetCode
    rail: Annotated[RailName | None, Meta(description="On this rail only; null: on any.")]
    draw: Annotated[Decimal | None, Meta(description="The most in one draw; null: no limit.")]
    period: Annotated[Decimal, Meta(description="The most in any period.")]
    period_days: int
    total: Annotated[Decimal | None, Meta(description="The most in all; null: no limit.")]
    created_at: Time
    expires_at: Time | None
    revoked_at: Time | None
    needs_approval: Annotated[
        bool, Meta(description="Granted before the first passkey: no draw is accepted until it is approved.")
    ]


class MandatesPage(Struct):
    items: list[MandateView]


class MandateRequest(Struct, forbid_unknown_fields=True):
    """How much of an asset `payee` may draw. A guarded wallet needs an `approval` of all other fields."""

    payee: Annotated[str, Meta(description="The handle of the payee.", examples=["@shop"])]
    asset: AssetCode
    period: Annotated[str, Meta(description="The most in any period.", examples=["20.00"])]
    period_days: Annotated[int, Meta(ge=1, le=366, description="Days of a period, such as 1, 7 or 30.")] = 30
    draw: Annotated[str | None, Meta(description="The most in one draw; null: no limit.", examples=["10.00"])] = None
    total: Annotated[str | None, Meta(description="The most in all; null: no limit.", examples=["240.00"])] = None
    rail: Annotated[RailName | None, Meta(description="On this rail only; null: on any.")] = None
    expires_at: Annotated[datetime, Meta(tz=True, description="Null: until it is revoked.")] | None = None
    approval: AssertionRequest | None = None


class LimitShape(Struct, forbid_unknown_fields=True):
    """The most that can be paid without an approval."""

    payment: Annotated[str, Meta(description="In one payment.", examples=["100.00"])]
    day: Annotated[str, Meta(description="In any 24 hours.", examples=["300.00"])]


Limits = Annotated[dict[str, LimitShape], Meta(description="By asset.")]

ApproveNewPayee = Annotated[bool, Meta(description="Ask for an approval of the first payment to a payee.")]

ApproveAddress = Annotated[bool, Meta(description="Ask for an approval of payments to addresses without a handle.")]

ChangedPayeeDays = Annotated[
    int,
    Meta(
        description="Days for which payments to a payee need an approval after they got another address, or used "
        "a recovery code."
    ),
]

NewDeviceHours = Annotated[int, Meta(description="Hours for which payments of a new passkey need an approval.")]

UndoSeconds = Annotated[int, Meta(description="Seconds for which the payer can void a payment on the chain.")]

Trusted = Annotated[list[str], Meta(description="Handles and addresses that need no approval.", examples=[["@bob"]])]


PolicyVersion = Annotated[
    str, Meta(description="Another one once the policy has changed.", examples=["5f70bf18a086007a"])
]


class PolicyRequest(Struct, forbid_unknown_fields=True):
    """The whole policy: fields that are left out get their defaults. `approval` is needed if the policy becomes
    looser.
    """

    limits: Limits = {}
    approve_new_payee: ApproveNewPayee = True
    approve_address: ApproveAddress = True
    changed_payee_days: ChangedPayeeDays = 7
    new_device_hours: NewDeviceHours = 24
    undo_seconds: UndoSeconds = 0
    trusted: Trusted = []
    version: Annotated[PolicyVersion, Meta(description="Replace this version; null: whatever there is.")] | None = None
    approval: AssertionRequest | None = None


class PolicyView(Struct):
    """`limits` has every asset of the gateway."""

    limits: Limits
    approve_new_payee: ApproveNewPayee
    approve_address: ApproveAddress
    changed_payee_days: ChangedPayeeDays
    new_device_hours: NewDeviceHours
    undo_seconds: UndoSeconds
    trusted: Trusted
    version: Annotated[
        str,
        Meta(
            description="Another one once the policy has changed. Send it with a change.", examples=["5f70bf18a086007a"]
        ),
    ]

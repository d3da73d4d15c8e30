"""Wallets and audit events as operators see them."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gateway.api.fields import Address, AssetCode, Decimal, Handle, NextCursor, Party, PaymentIdText, PaymentState, Time
from gateway.api.identity.shapes import KeyView
from gateway.api.operators.shapes import FreezeView
from gateway.api.payments.shapes import Limits, MandateView
from gateway.api.wallets.shapes import WalletView

#: The kinds of things that a search finds.
FoundKind = Literal["wallet", "payment", "proposal", "transaction"]

#: The meanings of a search text.
SearchedFor = Literal["handle", "payment", "proposal", "wallet", "transaction", "address", "email"]


class FoundView(Struct):
    """A search result: look it up by `kind` and `id`."""

    kind: FoundKind
    id: Annotated[str, Meta(description="A handle, the id of a payment or a proposal, or a transaction's hash.")]
    description: Annotated[str, Meta(description="A short description.", examples=["5.00 EUR from @alice to @bob"])]


class FoundPage(Struct):
    """`searched_for` is what the search text was read as."""

    searched_for: SearchedFor
    items: list[FoundView]


class DetailView(Struct):
    name: str
    value: str


class AuditEventView(Struct):
    """An audit event. `by` is the kind of credential that did it, and `by_id` identifies it."""

    number: int
    at: Time
    kind: Annotated[str, Meta(examples=["wallet.frozen"])]
    by: str
    by_id: str
    handle: Annotated[Handle | None, Meta(description="The handle of the wallet that it concerns; null: the gateway.")]
    subject: Annotated[str | None, Meta(description="The id of its subject, unless that is the wallet.")]
    details: list[DetailView]


class AuditEventsPage(Struct):
    items: list[AuditEventView]
    next_cursor: NextCursor


class HeadView(Struct):
    """The newest checkpoint of the event log and the audit log. Keep `head` outside the database: `gateway audit verify
    --from-head` then shows whether any was removed.
    """

    head: Annotated[str | None, Meta(description="Its hash and number; null: there is none yet.")]
    number: int
    written_at: Time | None
    uncovered_since: Annotated[Time | None, Meta(description="Since when rows wait for a checkpoint; null: none wait.")]


class VerificationView(Struct):
    """The result of a verification: how much was verified, and what does not match."""

    checkpoints: Annotated[int, Meta(description="How many checkpoints were verified, with their rows.")]
    events: int
    audit_events: int
    broken: Annotated[list[str], Meta(description="The mismatches, in words; empty: none.")]


class DifferenceView(Struct):
    """An account that differed in two reconciliation runs in a row."""

    account: str
    ledger: Decimal
    other: Decimal
    amount: Annotated[Decimal, Meta(description="The difference of the two balances.")]
    where: Annotated[str, Meta(description="The other side of the comparison.", examples=["balanceOf at block 42"])]


class FrozenWithdrawalsView(Struct):
    """An asset whose withdrawals are frozen, and the differences that froze them."""

    asset: AssetCode
    since: Time
    differences: list[DifferenceView]


class FrozenWithdrawalsPage(Struct):
    items: list[FrozenWithdrawalsView]


class UnfrozenWithdrawalsView(Struct):
    asset: AssetCode
    since: Annotated[Time, Meta(description="Since when they were frozen.")]


class OperatorPaymentView(Struct, rename={"from_": "from"}):
    """A payment in short, without memo and notes."""

    id: PaymentIdText
    state: PaymentState
    from_: Party
    to: Party
    amount: Decimal
    asset: AssetCode
    created_at: Time


class OperatorWalletView(Struct):
    """A wallet as operators see it, without secrets and notes."""

    wallet: WalletView
    addresses: Annotated[list[Address], Meta(description="Current and previous ones.")]
    created_at: Time
    frozen_at: Annotated[Time | None, Meta(description="Since when it is frozen; null: it is not.")]
    closed_at: Annotated[Time | None, Meta(description="When its owner closed it permanently; null: it is open.")]
    freezes: Annotated[list[FreezeView], Meta(description="The last twenty, those in force first.")]
    passkeys: int
    sessions: Annotated[int, Meta(description="How many are valid.")]
    limits: Annotated[
        Limits | None, Meta(description="The limits of payments without an approval; null: it has no passkey yet.")
    ]
    api_keys: Annotated[list[KeyView], Meta(description="The valid ones.")]
    mandates: Annotated[list[MandateView], Meta(description="The latest, granted and held.")]
    payments: Annotated[list[OperatorPaymentView], Meta(description="The latest ten.")]
    audit_events: Annotated[list[AuditEventView], Meta(description="The latest twenty of this wallet.")]

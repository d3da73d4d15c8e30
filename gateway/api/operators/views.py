"""Wallets and audit events as operators see them."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gateway.api.fields import Address, AssetCode, Decimal, Handle, NextCursor, Party, PaymentIdText, PaymentState, Time
from gateway.api.identity.shapes import KeyView
from gateway.api.operators.shapes import FreezeView
from gateway.api.payments.shapes import Limits, MandateView
from gateway.api.wallets.shapes import WalletView

#: What a search leads to.
FoundKind = Literal["wallet", "payment", "proposal", "transaction"]

#: As what a text may be read.
SearchedFor = Literal["handle", "payment", "proposal", "wallet", "transaction", "address", "email"]


class FoundView(Struct):
    """Something that a search has found: look it up by `kind` and `id`."""

    kind: FoundKind
    id: Annotated[str, Meta(description="A handle, the id of a payment or a proposal, or a transaction's hash.")]
    description: Annotated[
        str, Meta(description="What it is, in a few words.", examples=["5.00 EUR from @alice to @bob"])
    ]


class FoundPage(Struct):
    """`searched_for` says as what the text was read."""

    searched_for: SearchedFor
    items: list[FoundView]


class DetailView(Struct):
    name: str
    value: str


class AuditEventView(Struct):
    """An audit event: who did what. `by` is the kind of credential, and `by_id` identifies it."""

    number: int
    at: Time
    kind: Annotated[str, Meta(examples=["wallet.frozen"])]
    by: str
    by_id: str
    handle: Annotated[Handle | None, Meta(description="Whose wallet it concerns; null: the gateway.")]
    subject: Annotated[str | None, Meta(description="The id of what it was done to, unless that is the wallet.")]
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
    uncovered_since: Annotated[Time | None, Meta(description="Since when rows wait for a checkpoint; null: none do.")]


class VerificationView(Struct):
    """The result of a verification: how much was verified, and what does not match."""

    checkpoints: Annotated[int, Meta(description="How many were verified, with the rows under them.")]
    events: int
    audit_events: int
    broken: Annotated[list[str], Meta(description="What differs, in words; empty: nothing.")]


class DifferenceView(Struct):
    """An account that does not agree with what it was reconciled with, twice in a row."""

    account: str
    ledger: Decimal
    other: Decimal
    amount: Annotated[Decimal, Meta(description="By how much they differ.")]
    where: Annotated[str, Meta(description="What the ledger was compared with.", examples=["balanceOf at block 42"])]


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
    """A payment in short, without what its payer and payee wrote to each other."""

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
    addresses: Annotated[list[Address], Meta(description="Those of now and before.")]
    created_at: Time
    frozen_at: Annotated[Time | None, Meta(description="Since when nothing leaves it; null: it is not frozen.")]
    closed_at: Annotated[Time | None, Meta(description="When its owner closed it, for ever; null: it is open.")]
    freezes: Annotated[list[FreezeView], Meta(description="The last twenty, those in force first.")]
    passkeys: int
    sessions: Annotated[int, Meta(description="How many are still good.")]
    limits: Annotated[Limits | None, Meta(description="What goes without an approval; null: it has no passkey yet.")]
    api_keys: Annotated[list[KeyView], Meta(description="Those that are still good.")]
    mandates: Annotated[list[MandateView], Meta(description="The latest, granted and held.")]
    payments: Annotated[list[OperatorPaymentView], Meta(description="The latest ten.")]
    audit_events: Annotated[list[AuditEventView], Meta(description="The latest twenty of this wallet.")]

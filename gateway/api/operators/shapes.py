"""The bodies of requests and answers. Requests refuse unknown fields."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gateway.api.fields import AssetCode, Handle, NextCursor, PaymentIdText, Time, WalletIdText
from gateway.api.identity.shapes import Base64
from gateway.http.schema import typed_id
from gateway.operators import operators, proposals, roles
from gateway.operators.roles import Role

OperatorName = Annotated[
    str, Meta(pattern="^[a-z0-9_]{2,30}$", description="2 to 30 of a-z, 0-9 and _.", examples=["ann"])
]
Kind = roles.Kind
RoleText = Annotated[Role, Meta(description="What they may do beside reading.")]


class EnrolmentChallengeRequest(Struct, forbid_unknown_fields=True):
    name: OperatorName


class EnrolmentRequest(Struct, forbid_unknown_fields=True):
    """The code of `gateway operators add`, and what `navigator.credentials.create()` returned."""

    name: OperatorName
    code: Annotated[str, Meta(description="Shown once, by gateway operators add.")]
    client_data: Base64
    attestation: Base64


class OperatorView(Struct):
    id: Annotated[str, typed_id(operators.PREFIX, "An operator's id.")]
    name: str
    role: RoleText


class OperatorSessionView(Struct):
    """The token is shown this once."""

    name: str
    role: RoleText
    token: str
    seconds: Annotated[int, Meta(description="How long the token is good.")]


class OperatorCookieView(Struct):
    """The token is in the cookie alone."""

    name: str
    role: RoleText
    seconds: Annotated[int, Meta(description="How long the cookie is good.")]


class ProposedLimitRequest(Struct, forbid_unknown_fields=True):
    """The most that goes without the owner's approval."""

    asset: AssetCode
    payment: Annotated[str, Meta(description="In one payment.", examples=["10.00"])]
    day: Annotated[str, Meta(description="In any 24 hours.", examples=["20.00"])]


class CorrectionRequest(Struct, forbid_unknown_fields=True):
    """A transfer that makes the ledger add up again, between two accounts of one asset, named by their codes."""

    debit: Annotated[str, Meta(examples=["wallet:alice:USD"])]
    credit: Annotated[str, Meta(examples=["reserve:USD"])]
    amount: Annotated[str, Meta(examples=["25.00"])]
    asset: AssetCode


class ProposalRequest(Struct, forbid_unknown_fields=True):
    kind: Kind
    reason: Annotated[str, Meta(description="Why, in 1 to 200 characters.", examples=["reported as stolen"])]
    handle: Annotated[
        str | None,
        Meta(description="Whose wallet, or the handle to return; null for other repairs.", examples=["alice"]),
    ] = None
    limit: Annotated[ProposedLimitRequest | None, Meta(description="For wallet.limit alone.")] = None
    correction: Annotated[CorrectionRequest | None, Meta(description="For ledger.correct alone.")] = None


class ProposalView(Struct):
    id: Annotated[str, typed_id(proposals.PREFIX, "A proposal's id.")]
    kind: Kind
    handle: Annotated[str | None, Meta(description="Whose wallet; null for a repair.")]
    wallet_id: WalletIdText | None
    reason: str
    terms: Annotated[str, Meta(description="The limit or the repair in words; else empty.")]
    proposed_by: Annotated[str, Meta(description="The name of an operator.")]
    proposed_at: Time
    expires_at: Time
    approved_by: Annotated[str | None, Meta(description="The name of another operator; null: none yet.")]
    state: Annotated[
        proposals.ProposalState,
        Meta(description="`withdrawn`: who proposed it was revoked. Only what is `open` can be approved."),
    ]
    done_at: Annotated[Time | None, Meta(description="When it was approved, and so done.")]


class ProposalsPage(Struct):
    items: list[ProposalView]
    next_cursor: NextCursor


OperatorState = Literal["enrolled", "invited", "revoked"]


class OperatorEntryView(Struct):
    """Somebody who is an operator, or was."""

    name: str
    role: RoleText
    state: Annotated[OperatorState, Meta(description="`invited`: they have no passkey yet.")]
    created_at: Time


class OperatorsPage(Struct):
    items: list[OperatorEntryView]


class FreezeView(Struct):
    """One reason why nothing leaves a wallet, or did not."""

    handle: Handle
    reason: Annotated[str, Meta(description="As who froze it wrote it.")]
    placed_at: Time
    expires_at: Annotated[Time | None, Meta(description="When it ends unless a second operator approves it.")]
    ended_at: Time | None
    payment_id: Annotated[
        PaymentIdText | None, Meta(description="The payment that its owner reported, if it is theirs.")
    ]


class FreezesPage(Struct):
    items: list[FreezeView]

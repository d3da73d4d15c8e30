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
RoleText = Annotated[Role, Meta(description="Their rights beyond reading.")]


class EnrolmentChallengeRequest(Struct, forbid_unknown_fields=True):
    name: OperatorName


class EnrolmentRequest(Struct, forbid_unknown_fields=True):
    """The code of `gateway operators add`, and the result of `navigator.credentials.create()`."""

    name: OperatorName
    code: Annotated[str, Meta(description="Shown once, by gateway operators add.")]
    client_data: Base64
    attestation: Base64


class OperatorView(Struct):
    id: Annotated[str, typed_id(operators.PREFIX, "An operator's id.")]
    name: str
    role: RoleText


class OperatorSessionView(Struct):
    """A session. Its token is shown only once."""

    name: str
    role: RoleText
    token: str
    seconds: Annotated[int, Meta(description="Until when the token is valid.")]


class OperatorCookieView(Struct):
    """A session whose token is only in the cookie."""

    name: str
    role: RoleText
    seconds: Annotated[int, Meta(description="Until when the cookie is valid.")]


class ProposedLimitRequest(Struct, forbid_unknown_fields=True):
    """The most that can be paid without the owner's approval."""

    asset: AssetCode
    payment: Annotated[str, Meta(description="In one payment.", examples=["10.00"])]
    day: Annotated[str, Meta(description="In any 24 hours.", examples=["20.00"])]


class CorrectionRequest(Struct, forbid_unknown_fields=True):
    """A transfer that corrects the ledger, between two accounts of one asset, named by their codes."""

    debit: Annotated[str, Meta(examples=["wallet:alice:USD"])]
    credit: Annotated[str, Meta(examples=["reserve:USD"])]
    amount: Annotated[str, Meta(examples=["25.00"])]
    asset: AssetCode


class ProposalRequest(Struct, forbid_unknown_fields=True):
    kind: Kind
    reason: Annotated[str, Meta(description="The reason, 1 to 200 characters.", examples=["reported as stolen"])]
    handle: Annotated[
        str | None,
        Meta(description="The wallet's handle, or the handle to return; null for other repairs.", examples=["alice"]),
    ] = None
    limit: Annotated[ProposedLimitRequest | None, Meta(description="Only for wallet.limit.")] = None
    correction: Annotated[CorrectionRequest | None, Meta(description="Only for ledger.correct.")] = None


class ProposalView(Struct):
    id: Annotated[str, typed_id(proposals.PREFIX, "A proposal's id.")]
    kind: Kind
    handle: Annotated[str | None, Meta(description="The wallet's handle; null for a repair.")]
    wallet_id: WalletIdText | None
    reason: str
    terms: Annotated[str, Meta(description="The limit or the repair in words; otherwise empty.")]
    proposed_by: Annotated[str, Meta(description="The name of an operator.")]
    proposed_at: Time
    expires_at: Time
    approved_by: Annotated[str | None, Meta(description="The name of another operator; null: none yet.")]
    state: Annotated[
        proposals.ProposalState,
        Meta(description="`withdrawn`: its proposer was revoked. Only `open` proposals can be approved."),
    ]
    done_at: Annotated[Time | None, Meta(description="When it was approved and carried out.")]


class ProposalsPage(Struct):
    items: list[ProposalView]
    next_cursor: NextCursor


OperatorState = Literal["enrolled", "invited", "revoked"]


class OperatorEntryView(Struct):
    """A current or former operator."""

    name: str
    role: RoleText
    state: Annotated[OperatorState, Meta(description="`invited`: they have no passkey yet.")]
    created_at: Time


class OperatorsPage(Struct):
    items: list[OperatorEntryView]


class FreezeView(Struct):
    """One reason why a wallet is or was frozen."""

    handle: Handle
    reason: Annotated[str, Meta(description="The reason in the operator's words.")]
    placed_at: Time
    expires_at: Annotated[Time | None, Meta(description="When it ends unless a second operator approves it.")]
    ended_at: Time | None
    payment_id: Annotated[
        PaymentIdText | None,
        Meta(description="The payment that the owner reported; null if operators froze the wallet."),
    ]


class FreezesPage(Struct):
    items: list[FreezeView]

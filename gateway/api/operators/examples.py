"""Examples of requests and answers, for the OpenAPI document (api/examples.py)."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.api.example_values import ALICE, ALICE_ADDRESS, NOW
from gateway.api.identity.examples import ANY_PASSKEY, ASSERTION, BYTES, KEY, LINK, NEW_PASSKEY_CHALLENGE
from gateway.api.operators.shapes import (
    EnrolmentChallengeRequest,
    EnrolmentRequest,
    FreezesPage,
    FreezeView,
    OperatorCookieView,
    OperatorEntryView,
    OperatorSessionView,
    OperatorsPage,
    OperatorView,
    ProposalRequest,
    ProposalsPage,
    ProposalView,
    ProposedLimitRequest,
)
from gateway.api.operators.views import (
    AuditEventsPage,
    AuditEventView,
    DetailView,
    DifferenceView,
    FoundPage,
    FoundView,
    FrozenWithdrawalsPage,
    FrozenWithdrawalsView,
    HeadView,
    OperatorPaymentView,
    OperatorWalletView,
    UnfrozenWithdrawalsView,
    VerificationView,
)
from gateway.api.payments.shapes import LimitShape
from gateway.api.wallets.examples import WALLET

OPERATOR = OperatorView("opr_01h455vb4pex5vsknk084sn02q", "ann", "security")
PROPOSAL = ProposalView(
    id="pro_01h455vb4pex5vsknk084sn02q",
    kind="wallet.limit",
    handle="alice",
    wallet_id=ALICE,
    reason="asked by phone",
    terms="10.00 EUR in one payment, 20.00 EUR in a day",
    proposed_by="ann",
    proposed_at=NOW,
    expires_at="2030-01-31T13:00:00.000000Z",
    approved_by=None,
    state="open",
    done_at=None,
)
PAYMENT = "pay_01h455vb4pex5vsknk084sn02q"
AUDIT_EVENT = AuditEventView(
    17,
    NOW,
    "wallet.frozen",
    "operator",
    "ann",
    "alice",
    None,
    [DetailView("expires_at", "2030-01-31T13:00:00.000000Z")],
)
FREEZE = FreezeView("alice", "reported as stolen", NOW, "2030-01-31T13:00:00.000000Z", None, None)

#: The request of each call, by its operation id.
REQUESTS: Final[Mapping[str, Struct]] = {
    "challenge_enrolment": EnrolmentChallengeRequest("ann"),
    "enrol_operator": EnrolmentRequest("ann", "k7fm-2q9x-0c4t-hhz3", BYTES, BYTES),
    "start_operator_session": ASSERTION,
    "start_operator_cookie_session": ASSERTION,
    "start_operator_link_session": LINK,
    "create_proposal": ProposalRequest(
        "wallet.limit", "asked by phone", "alice", ProposedLimitRequest("EUR", "10.00", "20.00")
    ),
    "approve_proposal": ASSERTION,
}

#: The answers of each call, by its operation id: that of its first status, and of others where there are any.
ANSWERS: Final[Mapping[str, Struct]] = {
    "challenge_enrolment": replace(NEW_PASSKEY_CHALLENGE, user_name="ann (operator)"),
    "enrol_operator": OPERATOR,
    "challenge_operator_session": ANY_PASSKEY,
    "start_operator_session": OperatorSessionView("ann", "security", "gop_Zk1vX3…", 1_800),
    "start_operator_cookie_session": OperatorCookieView("ann", "security", 1_800),
    "start_operator_link_session": OperatorCookieView("sandbox", "security", 1_800),
    "end_operator_session": OPERATOR,
    "search": FoundPage("payment", [FoundView("payment", PAYMENT, "5.00 EUR from @alice to @bob")]),
    "list_frozen_withdrawals": FrozenWithdrawalsPage(
        [
            FrozenWithdrawalsView(
                "USDX", NOW, [DifferenceView("wallet:alice:USDX", "25.000000", "24.000000", "1.000000", "the chain")]
            )
        ]
    ),
    "unfreeze_withdrawals": UnfrozenWithdrawalsView("USDX", NOW),
    "get_audit_head": HeadView("5f1c…:954", 954, NOW, None),
    "verify_audit_log": VerificationView(5, 4_210, 312, []),
    "list_audit_events": AuditEventsPage([AUDIT_EVENT], None),
    "get_wallet_as_operator": OperatorWalletView(
        wallet=WALLET,
        addresses=[ALICE_ADDRESS],
        created_at=NOW,
        frozen_at=NOW,
        closed_at=None,
        freezes=[FREEZE],
        passkeys=1,
        sessions=2,
        limits={"EUR": LimitShape("100.00", "300.00")},
        api_keys=[KEY],
        mandates=[],
        payments=[OperatorPaymentView(PAYMENT, "settled", "@alice", "@bob", "5.00", "EUR", NOW)],
        audit_events=[AUDIT_EVENT],
    ),
    "list_operators": OperatorsPage([OperatorEntryView("ann", "security", "enrolled", NOW)]),
    "list_freezes": FreezesPage([FREEZE]),
    "list_proposals": ProposalsPage([PROPOSAL], None),
    "get_proposal": PROPOSAL,
    "create_proposal": PROPOSAL,
    "challenge_proposal": ANY_PASSKEY,
    "approve_proposal": replace(PROPOSAL, approved_by="ben", state="approved", done_at=NOW),
}

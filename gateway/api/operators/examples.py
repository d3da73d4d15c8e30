"""Examples of requests and answers, for the OpenAPI document (api/examples.py)."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.api.identity.examples import ANY_PASSKEY, ASSERTION, BYTES, LINK, NEW_PASSKEY_CHALLENGE
from gateway.api.operators.shapes import (
    EnrolmentChallengeRequest,
    EnrolmentRequest,
    OperatorCookieView,
    OperatorSessionView,
    OperatorView,
    ProposalRequest,
    ProposalsPage,
    ProposalView,
    ProposedLimitRequest,
)
from gateway.api.story import ALICE, NOW

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
)

#: What each call is sent, by its operation id.
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

#: What each call is answered, by its operation id: the first of its statuses, and others where they are.
ANSWERS: Final[Mapping[str, Struct]] = {
    "challenge_enrolment": replace(NEW_PASSKEY_CHALLENGE, user_name="ann (operator)"),
    "enrol_operator": OPERATOR,
    "challenge_operator_session": ANY_PASSKEY,
    "start_operator_session": OperatorSessionView("ann", "security", "gop_Zk1vX3…", 1_800),
    "start_operator_cookie_session": OperatorCookieView("ann", "security", 1_800),
    "start_operator_link_session": OperatorCookieView("sandbox", "security", 1_800),
    "end_operator_session": OPERATOR,
    "list_proposals": ProposalsPage([PROPOSAL]),
    "create_proposal": PROPOSAL,
    "challenge_proposal": ANY_PASSKEY,
    "approve_proposal": replace(PROPOSAL, approved_by="ben"),
}

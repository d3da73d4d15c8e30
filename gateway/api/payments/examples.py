"""Examples of requests and answers, for the OpenAPI document (api/examples.py)."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.api.example_values import (
    ALICE_ADDRESS,
    BOB_ADDRESS,
    CONTRACT,
    EUR,
    NONCE,
    NOW,
    SECOND_LATER,
    SIGNATURE,
    TX_HASH,
    USDX,
    WEEK_LATER,
)
from gateway.api.identity.examples import ASSERTION, ASSERTION_CHALLENGE
from gateway.api.payments.authorizations import AuthorizationRequest
from gateway.api.payments.bank import WithdrawalRequest
from gateway.api.payments.shapes import (
    AmountRequest,
    ApprovalView,
    BankMovementView,
    BulkPaymentRequest,
    BulkResultView,
    ConversionRequest,
    ConversionView,
    DrawRequest,
    LimitShape,
    MandateRequest,
    MandatesPage,
    MandateView,
    MoneyRequest,
    NothingRequest,
    PaymentRequest,
    PaymentsPage,
    PaymentView,
    PolicyRequest,
    PolicyView,
    PreviewView,
    RefundRequest,
    SignatureRequest,
)
from gateway.api.payments.unauthorized import ReportLinkView, ReportView, UnfrozenView
from gateway.payments.model.route import ledger_route, token_route

LEDGER = ledger_route(EUR.parse("0"))
CHAIN = token_route(USDX, False, 1.0)
SETTLED = PaymentView(
    id="pay_01h455vb4pex5vsknk084sn02q",
    state="settled",
    from_="@alice",
    to="@bob",
    amount="12.50",
    asset="EUR",
    fee="0.00",
    memo="lunch",
    route=LEDGER,
    captured="12.50",
    refunded="0.00",
    refund_of=None,
    tx_hash=None,
    failure=None,
    created_at=NOW,
    expires_at=None,
    settled_at=NOW,
    to_sign=None,
    approval=None,
    undo_until=None,
    reference="order-17",
    metadata={"shop": "berlin"},
)
QUEUED = replace(
    SETTLED,
    state="queued",
    asset="USDX",
    amount="5.000000",
    captured="0.000000",
    refunded="0.000000",
    fee="0.000000",
    route=CHAIN,
    settled_at=None,
)
CAPTURED = replace(SETTLED, captured="10.00", settled_at=SECOND_LATER)
VOIDED = replace(SETTLED, state="voided", captured="0.00", settled_at=None)
REFUND = replace(
    SETTLED,
    id="pay_01h455vb4pex5vsknk084sn02r",
    from_="@bob",
    to="@alice",
    amount="2.50",
    captured="2.50",
    refund_of=SETTLED.id,
    reference="return-3",
    metadata=None,
)
WAITING = replace(
    VOIDED, state="requires_confirmation", approval=ApprovalView(["amount"], WEEK_LATER), expires_at=WEEK_LATER
)
DECLINED = replace(VOIDED, state="declined")
TO_SIGN = {
    "domain": {"name": "USDX", "version": "1", "chainId": 31337, "verifyingContract": CONTRACT},
    "types": {
        "TransferWithAuthorization": [
            {"name": "from", "type": "address"},
            {"name": "to", "type": "address"},
            {"name": "value", "type": "uint256"},
            {"name": "validAfter", "type": "uint256"},
            {"name": "validBefore", "type": "uint256"},
            {"name": "nonce", "type": "bytes32"},
        ]
    },
    "primaryType": "TransferWithAuthorization",
    "message": {
        "from": ALICE_ADDRESS,
        "to": BOB_ADDRESS,
        "value": "5000000",
        "validAfter": "0",
        "validBefore": "1896097500",
        "nonce": NONCE,
    },
}
UNSIGNED = replace(
    QUEUED, state="requires_confirmation", to_sign=TO_SIGN, expires_at="2030-01-31T12:15:00.000000Z", metadata=None
)
DRAWN = replace(SETTLED, to="@shop", memo="January", metadata=None)
MANDATE = MandateView(
    id="mdt_01h455vb4pex5vsknk084sn02q",
    from_="@alice",
    to="@shop",
    asset="EUR",
    rail=None,
    draw="10.00",
    period="20.00",
    period_days=30,
    total="240.00",
    created_at=NOW,
    expires_at=None,
    revoked_at=None,
    needs_approval=False,
)
CONVERSION = ConversionView(
    *("cnv_01h455vb4pex5vsknk084sn02q", "queued", "5.00", "USD", "5.000000", "USDX", None, None, NOW, None)
)
POLICY = PolicyView({"EUR": LimitShape("100.00", "300.00")}, True, True, 7, 24, 0, ["@bob"], "5f70bf18a086007a")
POLICY_REQUEST = PolicyRequest(limits=POLICY.limits, trusted=POLICY.trusted, version=POLICY.version)
REPORTED = ReportView(
    *(SETTLED.id, "@bob", "12.50", "EUR", NOW, "settled"),
    "Was this not you? POST here, and nothing leaves your wallet until you or an operator let it go on.",
)
MONEY = MoneyRequest("100.00", "EUR")
WITHDRAWAL = WithdrawalRequest("25.00", "EUR")

#: The request of each call, by its operation id.
REQUESTS: Final[Mapping[str, Struct | list[BulkPaymentRequest]]] = {
    "submit_authorization": AuthorizationRequest(
        *("USDX", ALICE_ADDRESS, BOB_ADDRESS, "5000000", "0", "1896097500", NONCE, SIGNATURE)
    ),
    "challenge_mandate": MandateRequest("@shop", "EUR", "20.00", draw="10.00", total="240.00"),
    "grant_mandate": MandateRequest("@shop", "EUR", "20.00", draw="10.00", total="240.00"),
    "approve_mandate": ASSERTION,
    "draw": DrawRequest("12.50", memo="January", reference="order-17"),
    "deposit": MONEY,
    "withdraw": WITHDRAWAL,
    "challenge_withdrawal": MoneyRequest(WITHDRAWAL.amount, WITHDRAWAL.asset),
    "convert": ConversionRequest("5.00", "USD", "USDX"),
    "pay": PaymentRequest("@bob", "12.50", "EUR", "lunch", reference="order-17", metadata={"shop": "berlin"}),
    "preview": PaymentRequest("@bob", "12.50", "EUR"),
    "pay_batch": [
        BulkPaymentRequest("@bob", "12.50", "EUR", "lunch", reference="order-17"),
        BulkPaymentRequest("@nobody_here", "1.00", "EUR"),
    ],
    "capture": AmountRequest("10.00"),
    "void": NothingRequest(),
    "sign_payment": SignatureRequest(SIGNATURE),
    "refund": RefundRequest("2.50", "return-3"),
    "challenge_policy": POLICY_REQUEST,
    "change_policy": POLICY_REQUEST,
    "approve_payment": ASSERTION,
    "unfreeze_wallet": ASSERTION,
}

#: The answers of each call, by its operation id: that of its first status, and of others where there are any.
ANSWERS: Final[Mapping[str, Struct | list[BulkResultView]]] = {
    "submit_authorization": replace(QUEUED, memo=None, reference=None, metadata=None),
    "challenge_mandate": ASSERTION_CHALLENGE,
    "grant_mandate": MANDATE,
    "list_mandates": MandatesPage([MANDATE]),
    "revoke_mandate": replace(MANDATE, revoked_at=SECOND_LATER),
    "challenge_mandate_approval": ASSERTION_CHALLENGE,
    "approve_mandate": MANDATE,
    "draw": DRAWN,
    "draw 202": replace(QUEUED, to="@shop", memo="January", metadata=None),
    "deposit": BankMovementView("dep_01h455vb4pex5vsknk084sn02q", "settled", "100.00", "EUR", NOW),
    "withdraw": BankMovementView("wdr_01h455vb4pex5vsknk084sn02q", "settled", "25.00", "EUR", NOW),
    "challenge_withdrawal": ASSERTION_CHALLENGE,
    "convert": CONVERSION,
    "get_conversion": replace(CONVERSION, state="settled", tx_hash=TX_HASH, settled_at=SECOND_LATER),
    "pay": SETTLED,
    "pay 202": QUEUED,
    "preview": PreviewView(LEDGER, "0.00", "470.00", [], None),
    "pay_batch": [
        BulkResultView(0, 201, SETTLED.id, "settled"),
        BulkResultView(
            *(1, 404, None, None),
            {
                "type": "urn:problem:gateway:unknown_payee",
                "title": "unknown payee",
                "status": 404,
                "detail": "'@nobody_here' cannot be paid: nobody has this handle",
                "code": "unknown_payee",
                "retryable": False,
                "to": "@nobody_here",
                "reason": "nobody has this handle",
            },
        ),
    ],
    "list_payments": PaymentsPage([SETTLED], "cGF5XzAxaDQ1NXZiNHBleDV2c2tuazA4NHNuMDJx"),
    "list_waiting_payments": PaymentsPage([WAITING, UNSIGNED], None),
    "get_payment": SETTLED,
    "capture": CAPTURED,
    "void": VOIDED,
    "sign_payment": QUEUED,
    "refund": REFUND,
    "get_policy": POLICY,
    "challenge_policy": ASSERTION_CHALLENGE,
    "change_policy": POLICY,
    "challenge_payment_approval": ASSERTION_CHALLENGE,
    "approve_payment": SETTLED,
    "decline_payment": DECLINED,
    "report_payment": SETTLED,
    "create_report_link": ReportLinkView("/v1/report-links/q2Zx…"),
    "get_report_link": REPORTED,
    "follow_report_link": REPORTED,
    "challenge_unfreeze": ASSERTION_CHALLENGE,
    "unfreeze_wallet": UnfrozenView(False),
}

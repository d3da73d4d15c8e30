"""Examples in the OpenAPI document: what each call is sent and what it is answered, and what each problem looks like.

They are values of the types that requests are read as and answers are written from, and errors that are really raised,
so that an example cannot have a field that the API does not have. All of them are one story: alice pays bob for lunch.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import replace

from gateway import errors
from gateway.api.identity.api_keys import CapView, KeyRequest, KeysPage, KeyView, NewKeyView, ReplaceKeyRequest
from gateway.api.identity.sign_in import (
    AssertionChallengeView,
    AssertionRequest,
    EthereumChallengeRequest,
    EthereumSessionRequest,
    NewPasskeyChallengeView,
    PasskeyRequest,
    PasskeysPage,
    PasskeyView,
    RecoveryCodesView,
    RecoverySessionRequest,
    SessionsPage,
    SessionView,
    SignedUpView,
    SignUpRequest,
)
from gateway.api.operators.operators import (
    EnrolmentChallengeRequest,
    EnrolmentRequest,
    OperatorSessionView,
    OperatorView,
    ProposalRequest,
    ProposalsPage,
    ProposalView,
    ProposedLimitRequest,
)
from gateway.api.payments.approvals import LimitShape, PolicyRequest, PolicyView
from gateway.api.payments.authorizations import AuthorizationRequest
from gateway.api.payments.bank import WithdrawalRequest
from gateway.api.payments.mandates import DrawRequest, MandateRequest, MandatesPage, MandateView
from gateway.api.payments.shapes import (
    AddressRequest,
    AmountRequest,
    ApprovalView,
    BalanceView,
    BankMovementView,
    BindRequest,
    BoundView,
    BulkPaymentRequest,
    BulkResultView,
    ChallengeView,
    ClaimRequest,
    ConversionRequest,
    ConversionView,
    EntriesPage,
    EntryView,
    EventsPage,
    EventView,
    ExportedKeyView,
    HandleRequest,
    HandleView,
    HealthView,
    KeyExportRequest,
    MoneyRequest,
    NewHandleView,
    NothingRequest,
    PaymentRequest,
    PaymentsPage,
    PaymentView,
    PreviewView,
    ReadyView,
    RefundRequest,
    SignatureRequest,
    SolvencyPage,
    SolvencyView,
    WalletView,
)
from gateway.api.payments.unauthorized import ReportLinkView, ReportView, UnfrozenView
from gateway.api.payments.views import KEY_WARNING
from gateway.chain.errors import InvalidSignature
from gateway.custody.errors import AddressNotEmpty, PaymentsUnderWay
from gateway.errors import GatewayError
from gateway.http.errors import BodyTooLarge, IdempotencyKeyMissing, UnsupportedMediaType
from gateway.identity.errors import (
    AddressTaken,
    HandleTaken,
    InvalidChallenge,
    InvalidHandle,
    InvalidPasskey,
    InvalidRecoveryCode,
    LastOwnerKey,
    LastPasskey,
    TooManyTries,
    UnknownHandle,
)
from gateway.identity.sign_in.siwe import SignIn
from gateway.ledger.errors import InsufficientFunds
from gateway.money import Asset, fiat
from gateway.payments.errors import (
    ApprovalRequired,
    GrantNotApproved,
    InRecovery,
    InvalidAddress,
    MandateTotalExceeded,
    NonceTaken,
    OwnKey,
    PaymentCapExceeded,
    PaymentRestored,
    RefundExceedsPayment,
    SelfPayment,
    UnknownPayee,
    WalletFrozen,
    WithdrawalsFrozen,
)
from gateway.payments.model.route import ledger_route, token_route
from gateway.postgres.errors import DatabaseUnavailable

EUR, USDX = fiat("EUR"), Asset("USDX", "token", 6, "USD")

ALICE, ALICE_ADDRESS = "wal_01h455vb4pex5vsknk084sn02q", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
BOB_ADDRESS = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
CONTRACT = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
SIGNATURE, NONCE, TX_HASH = "0x" + "1c" * 65, "0x" + "7d" * 32, "0x" + "9a" * 32

NOW, MONTH_LATER = "2030-01-31T12:00:00.000000Z", "2030-03-02T12:00:00.000000Z"
SECOND_LATER, MINUTES_LATER, WEEK_LATER = (
    *("2030-01-31T12:00:01.250000Z", "2030-01-31T12:05:00.000000Z", "2030-02-07T12:00:00.000000Z"),
)

_LEDGER = ledger_route(EUR.parse("0"))
_CHAIN = token_route(USDX, False, 1.0)

_SETTLED = PaymentView(
    id="pay_01h455vb4pex5vsknk084sn02q",
    state="settled",
    from_="@alice",
    to="@bob",
    amount="12.50",
    asset="EUR",
    fee="0.00",
    memo="lunch",
    route=_LEDGER,
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
_QUEUED = replace(
    _SETTLED,
    state="queued",
    asset="USDX",
    amount="5.000000",
    captured="0.000000",
    refunded="0.000000",
    fee="0.000000",
    route=_CHAIN,
    settled_at=None,
)
_CAPTURED = replace(_SETTLED, captured="10.00", settled_at=SECOND_LATER)
_VOIDED = replace(_SETTLED, state="voided", captured="0.00", settled_at=None)
_REFUND = replace(
    _SETTLED,
    id="pay_01h455vb4pex5vsknk084sn02r",
    from_="@bob",
    to="@alice",
    amount="2.50",
    captured="2.50",
    refund_of=_SETTLED.id,
    reference="return-3",
    metadata=None,
)
_WAITING = replace(
    _VOIDED, state="requires_confirmation", approval=ApprovalView(["amount"], WEEK_LATER), expires_at=WEEK_LATER
)
_REFUSED = replace(_VOIDED, state="refused")
_TO_SIGN = {
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
_UNSIGNED = replace(
    _QUEUED, state="requires_confirmation", to_sign=_TO_SIGN, expires_at="2030-01-31T12:15:00.000000Z", metadata=None
)
_DRAWN = replace(_SETTLED, to="@shop", memo="January", metadata=None)

#: Bytes in base64url, as WebAuthn has them.
_BYTES = "Y2hhbGxlbmdlLW9mLTMyLWJ5dGVzLWluLWJhc2U2NHVybA"

_ASSERTION = AssertionRequest(_BYTES, _BYTES, _BYTES, _BYTES)
_ASSERTION_CHALLENGE = AssertionChallengeView(_BYTES, _BYTES, "pay.example", [_BYTES], MINUTES_LATER)
_ANY_PASSKEY = replace(_ASSERTION_CHALLENGE, allow=[])
_NEW_PASSKEY_CHALLENGE = NewPasskeyChallengeView(
    _BYTES, "pay.example", _BYTES, "@alice", [-8, -7, -257], [], MINUTES_LATER
)
_PASSKEY = PasskeyView("psk_01h455vb4pex5vsknk084sn02q", "Laptop", True, NOW, None)
_SESSION = SessionView(
    id="ses_01h455vb4pex5vsknk084sn02q",
    handle="alice",
    wallet_id=ALICE,
    begun_by="passkey",
    device="Mozilla/5.0 (X11; Linux x86_64) Chrome/149.0",
    current=True,
    created_at=NOW,
    last_used_at=NOW,
    expires_at=MONTH_LATER,
    fresh_until=MINUTES_LATER,
)
_SIGN_IN = SignIn(
    domain="pay.example",
    address=ALICE_ADDRESS,
    statement="I sign in to the wallet of @alice.",
    uri="https://pay.example",
    chain_id=31337,
    nonce="q8k2m4x7z1c5v9b3",
    issued_at=datetime.fromisoformat(NOW),
    expires_at=datetime.fromisoformat(MINUTES_LATER),
    resource=f"urn:gateway:wallet:{ALICE}",
).text()
_KEY = KeyView(
    id="key_01h455vb4pex5vsknk084sn02q",
    name="Web shop",
    scopes=["pay", "read"],
    caps=[CapView("EUR", "ledger", "@bob", "50.00", "200.00")],
    networks=["192.0.2.0/24"],
    created_at=NOW,
    expires_at=MONTH_LATER,
    last_used_at=None,
    current=False,
    waits_for_approval=False,
)
_NEW_KEY = NewKeyView(**msgspec.structs.asdict(_KEY), api_key="gw_Zk1vX3…")
_MANDATE = MandateView(
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
    waits_for_approval=False,
)
_CONVERSION = ConversionView(
    *("cnv_01h455vb4pex5vsknk084sn02q", "queued", "5.00", "USD", "5.000000", "USDX", None, None, NOW, None)
)
_POLICY = PolicyView({"EUR": LimitShape("100.00", "300.00")}, True, True, 7, 24, 0, ["@bob"])
_POLICY_REQUEST = PolicyRequest(limits=_POLICY.limits, trusted=_POLICY.trusted)
_REPORTED = ReportView(
    *(_SETTLED.id, "@bob", "12.50", "EUR", NOW, "settled"),
    "Was this not you? POST here, and nothing leaves your wallet until you or an operator let it go on.",
)
_OPERATOR = OperatorView("opr_01h455vb4pex5vsknk084sn02q", "ann")
_PROPOSAL = ProposalView(
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
_MONEY = MoneyRequest("100.00", "EUR")
_WITHDRAWAL = WithdrawalRequest("25.00", "EUR")

#: What each call is sent, by its operation id.
REQUESTS: Final[Mapping[str, Struct | list[BulkPaymentRequest]]] = {
    "claim_handle": ClaimRequest("alice"),
    "challenge_sign_up": HandleRequest("alice"),
    "sign_up": SignUpRequest("alice", _BYTES, "Laptop", _BYTES, _BYTES),
    "export_private_key": KeyExportRequest(f"@alice exports the key of {ALICE_ADDRESS}"),
    "challenge_address": AddressRequest(ALICE_ADDRESS),
    "bind_address": BindRequest(_SIGN_IN, SIGNATURE),
    "submit_authorization": AuthorizationRequest(
        *("USDX", ALICE_ADDRESS, BOB_ADDRESS, "5000000", "0", "1896097500", NONCE, SIGNATURE)
    ),
    "add_passkey": PasskeyRequest("Laptop", _BYTES, _BYTES),
    "start_passkey_session": _ASSERTION,
    "challenge_ethereum_session": EthereumChallengeRequest("alice"),
    "start_ethereum_session": EthereumSessionRequest(_SIGN_IN, SIGNATURE),
    "start_recovery_session": RecoverySessionRequest("alice", "k7fm-2q9x-0c4t-hhz3"),
    "challenge_mandate": MandateRequest("@shop", "EUR", "20.00", draw="10.00", total="240.00"),
    "grant_mandate": MandateRequest("@shop", "EUR", "20.00", draw="10.00", total="240.00"),
    "approve_mandate": _ASSERTION,
    "draw": DrawRequest("12.50", memo="January", reference="order-17"),
    "create_api_key": KeyRequest("Web shop", ["read", "pay"], list(_KEY.caps), ["192.0.2.0/24"], 2_592_000),
    "replace_api_key": ReplaceKeyRequest(600),
    "deposit": _MONEY,
    "withdraw": _WITHDRAWAL,
    "challenge_withdrawal": MoneyRequest(_WITHDRAWAL.amount, _WITHDRAWAL.asset),
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
    "challenge_policy": _POLICY_REQUEST,
    "change_policy": _POLICY_REQUEST,
    "approve_payment": _ASSERTION,
    "unfreeze_wallet": _ASSERTION,
    "challenge_enrolment": EnrolmentChallengeRequest("ann"),
    "enrol_operator": EnrolmentRequest("ann", "k7fm-2q9x-0c4t-hhz3", _BYTES, _BYTES),
    "start_operator_session": _ASSERTION,
    "create_proposal": ProposalRequest(
        "wallet.limit", "asked by phone", "alice", ProposedLimitRequest("EUR", "10.00", "20.00")
    ),
    "approve_proposal": _ASSERTION,
}

#: What each call is answered, by its operation id: the first of its statuses, and others where they are.
ANSWERS: Final[Mapping[str, Struct | list[BulkResultView]]] = {
    "claim_handle": NewHandleView("alice", ALICE, ALICE_ADDRESS, "gw_Zk1vX3…"),
    "get_handle": HandleView("alice", ALICE, ALICE_ADDRESS, "gateway"),
    "challenge_sign_up": _NEW_PASSKEY_CHALLENGE,
    "sign_up": SignedUpView("alice", ALICE, ALICE_ADDRESS, "gw_Zk1vX3…", _SESSION),
    "get_wallet": WalletView(
        *("alice", ALICE, ALICE_ADDRESS, "gateway", None),
        [
            BalanceView("EUR", "fiat", "482.50", "12.50", "470.00", None),
            BalanceView("USDX", "token", "20.000000", "0.000000", "20.000000", 48_213),
        ],
    ),
    "export_private_key": ExportedKeyView(ALICE_ADDRESS, "0x" + "…", KEY_WARNING),
    "challenge_address": ChallengeView(_SIGN_IN, ALICE_ADDRESS, MINUTES_LATER),
    "bind_address": BoundView("alice", ALICE, ALICE_ADDRESS, "owner"),
    "submit_authorization": replace(_QUEUED, memo=None, reference=None, metadata=None),
    "challenge_passkey": _NEW_PASSKEY_CHALLENGE,
    "list_passkeys": PasskeysPage([_PASSKEY], 10),
    "add_passkey": _PASSKEY,
    "revoke_passkey": _PASSKEY,
    "create_recovery_codes": RecoveryCodesView(["k7fm-2q9x-0c4t-hhz3", "9w3d-1xk8-vq5n-7rj2"]),
    "challenge_passkey_session": _ANY_PASSKEY,
    "start_passkey_session": _SESSION,
    "challenge_ethereum_session": ChallengeView(_SIGN_IN, ALICE_ADDRESS, MINUTES_LATER),
    "start_ethereum_session": replace(_SESSION, begun_by="ethereum"),
    "start_recovery_session": replace(_SESSION, begun_by="recovery_code", fresh_until=None),
    "list_sessions": SessionsPage([_SESSION]),
    "end_session": _SESSION,
    "challenge_mandate": _ASSERTION_CHALLENGE,
    "grant_mandate": _MANDATE,
    "list_mandates": MandatesPage([_MANDATE]),
    "revoke_mandate": replace(_MANDATE, revoked_at=SECOND_LATER),
    "challenge_mandate_approval": _ASSERTION_CHALLENGE,
    "approve_mandate": _MANDATE,
    "draw": _DRAWN,
    "draw 202": replace(_QUEUED, to="@shop", memo="January", metadata=None),
    "create_api_key": _NEW_KEY,
    "list_api_keys": KeysPage([_KEY]),
    "replace_api_key": _NEW_KEY,
    "revoke_api_key": _KEY,
    "approve_api_key": _KEY,
    "list_entries": EntriesPage(
        [
            EntryView(
                *(2, "EUR", "12.50", "debit", "87.50", _SETTLED.id, "payment", _SETTLED.id, None, None, NOW),
            ),
            EntryView(
                *(1, "EUR", "100.00", "credit", "100.00", None, "deposit", "dep_01h455vb4pex5vsknk084sn02q"),
                *(None, None, NOW),
            ),
        ],
        None,
    ),
    "list_events": EventsPage(
        [
            EventView(
                *(17, "payment.settled"),
                {"payment_id": _SETTLED.id, "from": "@alice", "to": "@bob", "amount": "12.50", "asset": "EUR"},
                NOW,
            )
        ],
        17,
    ),
    "deposit": BankMovementView("dep_01h455vb4pex5vsknk084sn02q", "settled", "100.00", "EUR", NOW),
    "withdraw": BankMovementView("wdr_01h455vb4pex5vsknk084sn02q", "settled", "25.00", "EUR", NOW),
    "challenge_withdrawal": _ASSERTION_CHALLENGE,
    "convert": _CONVERSION,
    "get_conversion": replace(_CONVERSION, state="settled", tx_hash=TX_HASH, settled_at=SECOND_LATER),
    "pay": _SETTLED,
    "pay 202": _UNSIGNED,
    "preview": PreviewView(_LEDGER, "0.00", "470.00", []),
    "pay_batch": [
        BulkResultView(0, 201, _SETTLED.id, "settled"),
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
    "list_payments": PaymentsPage([_SETTLED], "cGF5XzAxaDQ1NXZiNHBleDV2c2tuazA4NHNuMDJx"),
    "list_waiting_payments": PaymentsPage([_WAITING], None),
    "get_payment": _SETTLED,
    "capture": _CAPTURED,
    "void": _VOIDED,
    "sign_payment": _QUEUED,
    "refund": _REFUND,
    "get_policy": _POLICY,
    "challenge_policy": _ASSERTION_CHALLENGE,
    "change_policy": _POLICY,
    "challenge_payment_approval": _ASSERTION_CHALLENGE,
    "approve_payment": _SETTLED,
    "refuse_payment": _REFUSED,
    "report_payment": _SETTLED,
    "create_report_link": ReportLinkView("/v1/not-me/q2Zx…"),
    "get_report_link": _REPORTED,
    "follow_report_link": _REPORTED,
    "challenge_unfreeze": _ASSERTION_CHALLENGE,
    "unfreeze_wallet": UnfrozenView(False),
    "challenge_enrolment": _ANY_PASSKEY,
    "enrol_operator": _OPERATOR,
    "challenge_operator_session": _ANY_PASSKEY,
    "start_operator_session": OperatorSessionView("ann", "op_Zk1vX3…", 1_800),
    "end_operator_session": _OPERATOR,
    "list_proposals": ProposalsPage([_PROPOSAL]),
    "create_proposal": _PROPOSAL,
    "challenge_proposal": _ANY_PASSKEY,
    "approve_proposal": replace(_PROPOSAL, approved_by="ben"),
    "get_solvency": SolvencyPage(
        [
            SolvencyView(
                *("USDX", "1000.000000", "980.000000", "20.000000", "1000.00"),
                *(48_213, 48_213, "0.000000"),
            )
        ],
        [],
    ),
    "get_liveness": HealthView("ok"),
    "get_readiness": ReadyView("ok", "ok", "ok", "ok", None),
}

#: An error of every code that a route can answer, but for internal_error.
PROBLEM_EXAMPLES: Final[tuple[GatewayError, ...]] = (
    errors.InvalidRequest("missing_field", "the field 'to' is missing"),
    BodyTooLarge(65_536),
    UnsupportedMediaType(
        *("media_type", "the body is 'text/plain'; send application/json as Content-Type", ("application/json",))
    ),
    errors.PreconditionFailed("If-Match"),
    errors.Unauthenticated(),
    errors.Forbidden("this key has no scope 'pay'; use one that has"),
    errors.NotFound(f"payment {_SETTLED.id}"),
    IdempotencyKeyMissing(),
    errors.IdempotencyKeyReused("lunch-17"),
    errors.IdempotencyKeyInProgress("lunch-17"),
    errors.InvalidAmount("malformed", "12,50"),
    errors.AmountTooPrecise("12.505", "EUR", 2),
    errors.UnknownAsset("GBP", ("EUR", "USD", "THB", "JPY", "USDX")),
    errors.AssetClosed("EUR", ("USD", "USDX")),
    InsufficientFunds("wallet:alice:EUR", EUR.parse("90000.00"), EUR.parse("482.50")),
    errors.StateConflict(_SETTLED.id, "settled", "void"),
    InvalidHandle("a!", "a handle is 2 to 30 of a-z, 0-9 and _"),
    HandleTaken("alice"),
    UnknownHandle("nobody_here"),
    InvalidAddress("0x12", "an address is 0x and 40 hex digits"),
    InvalidChallenge("expired", "it has expired; ask for another"),
    InvalidSignature(ALICE_ADDRESS, "another key has signed it"),
    AddressTaken(BOB_ADDRESS),
    NonceTaken(NONCE),
    AddressNotEmpty(ALICE_ADDRESS, USDX.parse("5")),
    PaymentsUnderWay(ALICE_ADDRESS, 2),
    OwnKey("alice", "hold nothing, but pay, and sign the payment"),
    InvalidPasskey("challenge", "its challenge was used already, or has expired; ask for another"),
    LastPasskey(_PASSKEY.id),
    LastOwnerKey(_KEY.id),
    InvalidRecoveryCode(),
    TooManyTries("sign-ins", 60),
    UnknownPayee("@nobody_here", "nobody has this handle"),
    SelfPayment("alice"),
    WithdrawalsFrozen("USDX", NOW),
    WalletFrozen("alice", NOW),
    ApprovalRequired(("amount",)),
    GrantNotApproved(_KEY.id),
    MandateTotalExceeded(EUR.parse("12.50"), EUR.parse("5.00"), EUR.parse("5.00")),
    PaymentCapExceeded(EUR.parse("90.00"), EUR.parse("50.00")),
    RefundExceedsPayment(EUR.parse("12.50"), EUR.parse("2.50")),
    PaymentRestored(_SETTLED.id, TX_HASH),
    InRecovery(),
    DatabaseUnavailable("the connection was refused"),
)


def request_example(operation_id: str) -> Any:
    """What the call is sent, as JSON has it: without the fields that it need not name."""
    found = REQUESTS[operation_id]
    return [_sent(one) for one in found] if isinstance(found, list) else _sent(found)


def answer_example(operation_id: str, status: str) -> Any:
    """What the call is answered with this status, as JSON has it."""
    return msgspec.to_builtins(ANSWERS.get(f"{operation_id} {status}", ANSWERS[operation_id]))


def _sent(request: Struct) -> dict[str, Any]:
    named = {}
    for field in msgspec.structs.fields(request):
        value = getattr(request, field.name)
        default = field.default if field.default_factory is NODEFAULT else field.default_factory()
        if value != default:
            named[field.encode_name] = _sent(value) if isinstance(value, Struct) else msgspec.to_builtins(value)
    return named

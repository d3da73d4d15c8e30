"""Examples in the OpenAPI document: the request and the answer of each call, and each problem.

They are values of the types of requests and answers, and errors that were really raised, so an example cannot have a
field that the API does not have. Each subject has its own examples beside its routes; all of them use the same people
and amounts (example_values.py).
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import NODEFAULT, Struct

from gateway import errors
from gateway.api.events import examples as events
from gateway.api.example_values import ALICE_ADDRESS, BOB_ADDRESS, EUR, NONCE, NOW, TX_HASH, USDX
from gateway.api.identity import examples as identity
from gateway.api.identity.examples import KEY, PASSKEY
from gateway.api.notifications import examples as notifications
from gateway.api.operators import examples as operators
from gateway.api.operators.running import examples as running
from gateway.api.payments import examples as payments
from gateway.api.payments.examples import POLICY, SETTLED
from gateway.api.payments.shapes import (
    BulkPaymentRequest,
    BulkResultView,
)
from gateway.api.requests import examples as requests
from gateway.api.requests.examples import REQUEST
from gateway.api.status import examples as status
from gateway.api.wallets import examples as wallets
from gateway.api.webhooks import examples as webhooks
from gateway.chain.errors import InvalidSignature
from gateway.custody.errors import AddressNotEmpty, PaymentsUnderWay, WalletNotEmpty
from gateway.errors import GatewayError
from gateway.events.errors import TooManyStreams
from gateway.http.errors import BodyTooLarge, IdempotencyKeyMissing, UnsupportedMediaType
from gateway.identity.errors import (
    AddressTaken,
    HandleTaken,
    InvalidChallenge,
    InvalidHandle,
    InvalidLink,
    InvalidPasskey,
    InvalidRecoveryCode,
    LastOwnerKey,
    LastPasskey,
    TooManyTries,
    UnknownHandle,
)
from gateway.ledger.errors import InsufficientFunds
from gateway.notifications.errors import InvalidCode
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
    PolicyChanged,
    RefundExceedsPayment,
    RequestLimit,
    RequestMismatch,
    RequestNotOpen,
    SelfPayment,
    UnknownPayee,
    WalletFrozen,
    WithdrawalsFrozen,
)
from gateway.postgres.errors import DatabaseUnavailable
from gateway.reconciliation.errors import FreezeStays
from gateway.statements.errors import StatementTooLong

#: The request of each call, by its operation id.
REQUESTS: Final[Mapping[str, Struct | list[BulkPaymentRequest]]] = {
    **identity.REQUESTS,
    **wallets.REQUESTS,
    **payments.REQUESTS,
    **requests.REQUESTS,
    **operators.REQUESTS,
    **running.REQUESTS,
    **webhooks.REQUESTS,
    **notifications.REQUESTS,
}

#: The answers of each call, by its operation id: that of its first status, and of others where there are any.
ANSWERS: Final[Mapping[str, Struct | list[BulkResultView]]] = {
    **identity.ANSWERS,
    **events.ANSWERS,
    **wallets.ANSWERS,
    **payments.ANSWERS,
    **requests.ANSWERS,
    **operators.ANSWERS,
    **running.ANSWERS,
    **status.ANSWERS,
    **webhooks.ANSWERS,
    **notifications.ANSWERS,
}

#: An event of each stream, by its operation id.
STREAMED: Final[Mapping[str, Mapping[str, str]]] = events.STREAMED

#: The media type and the text of each file that a call returns, by its operation id.
FILES: Final[Mapping[str, tuple[str, str]]] = wallets.FILES

#: An error of every code that a route can answer, except internal_error.
PROBLEM_EXAMPLES: Final[tuple[GatewayError, ...]] = (
    errors.InvalidRequest("missing_field", "the field 'to' is missing"),
    BodyTooLarge(65_536),
    UnsupportedMediaType(
        *("media_type", "the body is 'text/plain'; send application/json as Content-Type", ("application/json",))
    ),
    errors.PreconditionFailed("If-Match"),
    errors.Unauthenticated(),
    errors.Forbidden("this key has no scope 'pay'; use one that has"),
    errors.NotFound(f"payment {SETTLED.id}"),
    IdempotencyKeyMissing(),
    errors.IdempotencyKeyReused("lunch-17"),
    errors.IdempotencyKeyInProgress("lunch-17"),
    errors.InvalidAmount("malformed", "12,50"),
    errors.AmountTooPrecise("12.505", "EUR", 2),
    errors.UnknownAsset("GBP", ("EUR", "USD", "THB", "JPY", "USDX")),
    StatementTooLong(12_000, 2_000),
    errors.AssetClosed("EUR", ("USD", "USDX")),
    InsufficientFunds("wallet:alice:EUR", EUR.parse("90000.00"), EUR.parse("482.50")),
    errors.StateConflict(SETTLED.id, "settled", "void"),
    InvalidHandle("a!", "a handle is 2 to 30 of a-z, 0-9 and _"),
    HandleTaken("alice"),
    UnknownHandle("nobody_here"),
    InvalidAddress("0x12", "an address is 0x and 40 hex digits"),
    InvalidCode("wrong", "this is not the code that was sent to the address: look at the newest message"),
    InvalidChallenge("expired", "it has expired; ask for another"),
    InvalidSignature(ALICE_ADDRESS, "another key has signed it"),
    AddressTaken(BOB_ADDRESS),
    NonceTaken(NONCE),
    AddressNotEmpty(ALICE_ADDRESS, USDX.parse("5")),
    PaymentsUnderWay(ALICE_ADDRESS, 2),
    WalletNotEmpty("wallet:alice:EUR", EUR.parse("5.00"), EUR.parse("0.00")),
    OwnKey("alice", "hold nothing, but pay, and sign the payment"),
    InvalidPasskey("challenge", "its challenge was used already, or has expired; ask for another"),
    LastPasskey(PASSKEY.id),
    LastOwnerKey(KEY.id),
    InvalidLink(),
    InvalidRecoveryCode(),
    TooManyTries("sign-ins", 60),
    TooManyStreams(100),
    UnknownPayee("@nobody_here", "nobody has this handle"),
    SelfPayment("alice"),
    WithdrawalsFrozen("USDX", NOW),
    FreezeStays("USDX", ("wallet:alice:USDX has 25.000000 USDX in the ledger and 24.000000 USDX on the chain",)),
    WalletFrozen("alice", NOW),
    ApprovalRequired(("amount",)),
    GrantNotApproved(KEY.id),
    PolicyChanged(POLICY.version),
    MandateTotalExceeded(EUR.parse("12.50"), EUR.parse("5.00"), EUR.parse("5.00")),
    PaymentCapExceeded(EUR.parse("90.00"), EUR.parse("50.00")),
    RefundExceedsPayment(EUR.parse("12.50"), EUR.parse("2.50")),
    RequestMismatch(REQUEST.id, "amount", "12.50", "10.00"),
    RequestNotOpen(REQUEST.id, "paid"),
    RequestLimit(10),
    PaymentRestored(SETTLED.id, TX_HASH),
    InRecovery(),
    DatabaseUnavailable("the connection was refused"),
)


def request_example(operation_id: str) -> Any:
    """The example request of a call, as JSON, without optional fields."""
    found = REQUESTS[operation_id]
    return [_sent(one) for one in found] if isinstance(found, list) else _sent(found)


def answer_example(operation_id: str, status: str) -> Any:
    """The example answer of a call with this status, as JSON."""
    return msgspec.to_builtins(ANSWERS.get(f"{operation_id} {status}", ANSWERS[operation_id]))


def _sent(request: Struct) -> dict[str, Any]:
    named = {}
    for field in msgspec.structs.fields(request):
        value = getattr(request, field.name)
        default = field.default if field.default_factory is NODEFAULT else field.default_factory()
        if value != default:
            named[field.encode_name] = _sent(value) if isinstance(value, Struct) else msgspec.to_builtins(value)
    return named

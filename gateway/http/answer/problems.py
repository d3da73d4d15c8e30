"""The one table from error to HTTP: status, stable `code`, and whether the same request may succeed later.

Answers are `application/problem+json` (RFC 9457). `type` is finer than `code` if one code has several causes, and the
error's own values are in the document, money as decimal strings. Nothing else about the inside leaves the gateway.
"""

import logging
import re
from dataclasses import dataclass, fields
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from gateway import errors
from gateway.chain.errors import InvalidSignature, RelayerNotResumable
from gateway.custody.errors import AddressNotEmpty, PaymentsUnderWay, WalletNotEmpty
from gateway.errors import GatewayError, InvalidRequest
from gateway.events.errors import TooManyStreams
from gateway.http import instrumentation
from gateway.http.answer.headers import security_headers
from gateway.http.errors import BodyTooLarge, IdempotencyKeyMissing, MethodNotAllowed, NoSuchRoute, UnsupportedMediaType
from gateway.http.request import parameters
from gateway.http.request.body import BODY_BYTES_MAX
from gateway.http.request.framing import Malformed
from gateway.http.request_id import request_id
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
from gateway.ledger.errors import CaptureExceedsHold, InsufficientFunds, TransferEnded
from gateway.money import Money
from gateway.notifications.errors import InvalidCode
from gateway.payments.errors import (
    ApprovalRequired,
    CapExceeded,
    DayCapExceeded,
    GrantNotApproved,
    InRecovery,
    InvalidAddress,
    LineRefused,
    MandateExceeded,
    MandatePeriodExceeded,
    NonceTaken,
    OwnKey,
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
from gateway.reconciliation.errors import FreezeStays
from gateway.statements.errors import StatementTooLong

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Problem:
    """How one kind of error is answered. `retryable`: the same request may succeed later."""

    status: int
    code: str
    retryable: bool = False


#: Every error that can be explained. An error that is not here is looked up by its base classes.
PROBLEMS: dict[type[GatewayError], Problem] = {
    errors.InvalidRequest: Problem(400, "invalid_request"),
    BodyTooLarge: Problem(413, "body_too_large"),
    UnsupportedMediaType: Problem(415, "unsupported_media_type"),
    errors.PreconditionFailed: Problem(412, "precondition_failed"),
    errors.Unauthenticated: Problem(401, "unauthenticated"),
    errors.Forbidden: Problem(403, "forbidden"),
    errors.NotFound: Problem(404, "not_found"),
    MethodNotAllowed: Problem(405, "method_not_allowed"),
    IdempotencyKeyMissing: Problem(400, "idempotency_key_missing"),
    errors.IdempotencyKeyReused: Problem(422, "idempotency_key_reused"),
    errors.IdempotencyKeyInProgress: Problem(409, "idempotency_key_in_progress", retryable=True),
    errors.InvalidAmount: Problem(422, "invalid_amount"),
    errors.AmountTooPrecise: Problem(422, "amount_too_precise"),
    errors.UnknownAsset: Problem(422, "unknown_asset"),
    errors.AssetClosed: Problem(422, "asset_closed"),
    StatementTooLong: Problem(422, "statement_too_long"),
    InsufficientFunds: Problem(409, "insufficient_funds", retryable=True),
    TransferEnded: Problem(409, "state_conflict"),
    CaptureExceedsHold: Problem(409, "state_conflict"),
    InvalidHandle: Problem(422, "invalid_handle"),
    HandleTaken: Problem(409, "handle_taken"),
    UnknownHandle: Problem(404, "unknown_handle"),
    InvalidAddress: Problem(422, "invalid_address"),
    InvalidChallenge: Problem(422, "invalid_challenge"),
    InvalidSignature: Problem(422, "invalid_signature"),
    AddressTaken: Problem(409, "address_taken"),
    NonceTaken: Problem(409, "nonce_taken"),
    AddressNotEmpty: Problem(409, "address_not_empty", retryable=True),
    PaymentsUnderWay: Problem(409, "payments_under_way", retryable=True),
    WalletNotEmpty: Problem(409, "wallet_not_empty", retryable=True),
    OwnKey: Problem(422, "own_key"),
    InvalidPasskey: Problem(422, "invalid_passkey"),
    LastPasskey: Problem(409, "last_passkey"),
    LastOwnerKey: Problem(409, "last_owner_key"),
    InvalidCode: Problem(422, "invalid_code"),
    InvalidLink: Problem(422, "invalid_link"),
    InvalidRecoveryCode: Problem(422, "invalid_recovery_code"),
    TooManyTries: Problem(429, "too_many_tries", retryable=True),
    TooManyStreams: Problem(429, "too_many_streams", retryable=True),
    UnknownPayee: Problem(404, "unknown_payee"),
    SelfPayment: Problem(422, "self_payment"),
    errors.StateConflict: Problem(409, "state_conflict"),
    RelayerNotResumable: Problem(409, "state_conflict"),
    WithdrawalsFrozen: Problem(409, "withdrawals_frozen", retryable=True),
    FreezeStays: Problem(409, "freeze_stays", retryable=True),
    WalletFrozen: Problem(409, "wallet_frozen", retryable=True),
    ApprovalRequired: Problem(403, "approval_required"),
    GrantNotApproved: Problem(403, "grant_not_approved"),
    PolicyChanged: Problem(409, "policy_changed"),
    MandateExceeded: Problem(409, "mandate_exceeded"),
    MandatePeriodExceeded: Problem(409, "mandate_exceeded", retryable=True),
    CapExceeded: Problem(409, "cap_exceeded"),
    DayCapExceeded: Problem(409, "cap_exceeded", retryable=True),
    RefundExceedsPayment: Problem(409, "refund_exceeds_payment"),
    RequestMismatch: Problem(422, "request_mismatch"),
    RequestNotOpen: Problem(409, "request_not_open"),
    RequestLimit: Problem(409, "request_limit", retryable=True),
    PaymentRestored: Problem(409, "payment_restored"),
    InRecovery: Problem(503, "in_recovery", retryable=True),
    errors.Unavailable: Problem(503, "unavailable", retryable=True),
}

#: For errors of the machine or the gateway that the caller cannot fix: shown as a 500.
INTERNAL = Problem(500, "internal_error", retryable=True)

#: Codes that come together, for the routes that declare which they may answer (`problems=`): of an amount of an asset,
#: of an Idempotency-Key, of the payee and the rail, of the payment request, of the end of a payment.
MONEY_PROBLEMS = ("unknown_asset", "invalid_amount", "amount_too_precise")
KEY_PROBLEMS = ("idempotency_key_missing", "idempotency_key_reused", "idempotency_key_in_progress")
PAY_PROBLEMS = (
    *("unknown_payee", "self_payment", "cap_exceeded", "grant_not_approved"),
    *("withdrawals_frozen", "wallet_frozen", "own_key"),
)
REQUEST_PROBLEMS = ("not_found", "request_mismatch", "request_not_open")
END_PROBLEMS = ("invalid_amount", "amount_too_precise", "not_found", "state_conflict", "insufficient_funds")

_MEDIA_TYPE = "application/problem+json"

#: Litestar's text for a missing parameter.
_MISSING_PARAMETER = re.compile(r"Missing required \w+ parameter '(\w+)'")


def problem_of(error: GatewayError) -> Problem:
    """Return the problem of an error: its own, or that of its nearest base class."""
    for kind in type(error).__mro__:
        if kind in PROBLEMS:
            return PROBLEMS[kind]
    return INTERNAL


def refuse(request: Request[Any, Any, Any], error: GatewayError) -> Response[Any]:
    """Return the answer to one of the gateway's errors."""
    if isinstance(error, errors.PreconditionFailed) and request.method == "GET" and error.header == "If-None-Match":
        return Response(None, status_code=304)  # RFC 9110, 13.1.2: the client's copy is current
    document = problem_document(error)
    instrumentation.note_refusal(request.scope, str(document["code"]))
    return _answer(document)


def as_bytes(error: GatewayError) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Return the same answer as a status, headers and a body, for code without a handler to encode it."""
    document = problem_document(error)
    status, headers = _start_of(document)
    named = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return status, [(b"content-type", _MEDIA_TYPE.encode()), *named], msgspec.json.encode(document)


def malformed(fault: Malformed, scope: Any) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return the headers and body of the answer to a request that could not be read. Its connection is then closed."""
    document = problem_document(InvalidRequest(fault.kind, fault.detail)) | {"status": fault.status}
    body = msgspec.json.encode(document)
    headers = [(b"content-type", _MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(body))]
    named = [*security_headers(""), (b"x-request-id", request_id(scope))]
    return [*headers, *named, (b"connection", b"close")], body


def problem_document(error: GatewayError) -> dict[str, object]:
    """Return the problem document of an error (RFC 9457)."""
    if isinstance(error, LineRefused):
        return problem_document(error.cause) | {"detail": str(error), "index": error.index}
    problem = problem_of(error)
    if problem is INTERNAL:
        log.error("a request failed: %s", error)
        return _document(problem, "", "something went wrong on our side", {})
    values = {field.name: getattr(error, field.name) for field in fields(error)}
    return _document(problem, str(values.get("kind", "")), str(error), values)


def refuse_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[dict[str, object]]:
    """Return the answer to one of Litestar's errors: a parameter it could not decode, an unknown path or method."""
    return refuse(request, _of_http(request, error))


def fail(request: Request[Any, Any, Any], error: Exception) -> Response[dict[str, object]]:
    """Return the answer to a bug: its details go to the log, with the request's id, and nowhere else."""
    id = request_id(request.scope).decode()
    log.error("request %s to %s failed", id, instrumentation.route_of(request.scope), exc_info=error)
    instrumentation.note_refusal(request.scope, INTERNAL.code)
    return _answer(internal_document())


def internal_document() -> dict[str, object]:
    """Return the problem document of a bug, which says nothing about it."""
    return _document(INTERNAL, "", "something went wrong on our side; the same request may be sent again", {})


def _document(problem: Problem, kind: str, detail: str, values: dict[str, object]) -> dict[str, object]:
    body: dict[str, object] = {
        "type": f"urn:problem:gateway:{problem.code}" + (f":{kind}" if kind else ""),
        "title": problem.code.replace("_", " "),
        "status": problem.status,
        "detail": detail,
        "code": problem.code,
        "retryable": problem.retryable,
    }
    return body | {name: _plain(value) for name, value in values.items() if name not in body}


def _answer(document: dict[str, object]) -> Response[dict[str, object]]:
    status, headers = _start_of(document)
    return Response(document, status_code=status, media_type=_MEDIA_TYPE, headers=headers)


def _start_of(document: dict[str, object]) -> tuple[int, dict[str, str]]:
    """Return the status, and its headers."""
    status, headers = document["status"], {}
    assert isinstance(status, int)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if document["code"] == "too_many_tries":
        headers["Retry-After"] = str(document["seconds"])
    if document["code"] == "method_not_allowed":
        allowed = document["allowed"]
        assert isinstance(allowed, tuple)
        headers["Allow"] = ", ".join(allowed)
    if document["code"] == "unsupported_media_type":  # RFC 9110, 15.5.16: what is accepted
        accepted = document["accepted"]
        assert isinstance(accepted, tuple)
        headers["Accept" if accepted else "Accept-Encoding"] = ", ".join(accepted) or "identity"
    if document["code"] in ("idempotency_key_in_progress", "unavailable"):
        headers["Retry-After"] = "1"  # seconds; other retryable errors wait for somebody to act
    return status, headers


def _plain(value: object) -> object:
    if isinstance(value, Money):
        return value.amount
    return value if isinstance(value, str | int | tuple | None) else str(value)


def _of_http(request: Request[Any, Any, Any], error: HTTPException) -> GatewayError:
    """Return the gateway's error for one of Litestar's."""
    path = request.url.path
    match error.status_code:
        case 404 if path in _API_ROOTS or path.startswith(tuple(f"{root}/" for root in _API_ROOTS)):
            return NoSuchRoute(path[:80])
        case 404:
            return errors.NotFound("such page")
        case 413:
            return BodyTooLarge(BODY_BYTES_MAX)
        case 405:
            return MethodNotAllowed(request.method, path[:80], request.app.state.methods.of(path))
        case 400 if isinstance(error, ValidationException):
            return _of_validation(request, error)
        case status if 400 <= status < 500:
            return InvalidRequest("request", "the request is malformed")
    return GatewayError()


def _of_validation(request: Request[Any, Any, Any], error: ValidationException) -> InvalidRequest:
    """Return what is wrong with a parameter. Bodies are read in `body.py`, except a missing one."""
    if missing := _MISSING_PARAMETER.match(error.detail):
        return InvalidRequest("missing_parameter", f"the query parameter {missing.group(1)} is missing")
    fault = error.extra[0] if isinstance(error.extra, list) and error.extra else {}
    name = fault.get("key", "")
    if name == "data":
        return InvalidRequest("object", "the body is empty: send a JSON object, {} where no field is needed")
    return parameters.misfit(request, name)


#: The roots of the API's paths; everything else is a page.
_API_ROOTS = ("/v1", "/health")

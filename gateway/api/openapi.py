"""What OpenAPI says beyond the handlers' own types: the problems of every route, keys, and who may call.

One table, so that a route's problems stand in one place; the tests hold every answer of the server to the document.
"""

from typing import Any

import msgspec
from litestar import Request
from litestar.openapi.plugins import JsonRenderPlugin

from gateway.api.problems import INTERNAL, PROBLEMS, Problem
from gateway.api.shapes import BulkPaymentRequest
from gateway.payments import bulk

#: Every problem by its code.
_BY_CODE: dict[str, Problem] = {problem.code: problem for problem in (*PROBLEMS.values(), INTERNAL)}

_MONEY = ("unknown_asset", "invalid_amount", "amount_too_precise")
_KEY = ("idempotency_key_missing", "idempotency_key_reused", "idempotency_key_in_progress")
_END = ("invalid_amount", "amount_too_precise", "not_found", "state_conflict", "insufficient_funds")

#: The problems of a route beyond those that many have (`_common`).
_OWN: dict[tuple[str, str], tuple[str, ...]] = {
    ("post", "/v1/handles"): ("invalid_handle", "handle_taken"),
    ("post", "/v1/sign-ups/challenge"): ("invalid_handle", "handle_taken"),
    ("post", "/v1/sign-ups"): ("forbidden", "invalid_handle", "handle_taken", "invalid_passkey"),
    ("get", "/v1/handles/{handle}"): ("invalid_handle", "unknown_handle"),
    ("post", "/v1/wallet/address/challenge"): ("invalid_address", "address_taken"),
    ("post", "/v1/wallet/address"): (
        *("invalid_challenge", "invalid_signature", "address_taken", "address_not_empty", "payments_under_way"),
    ),
    ("post", "/v1/passkeys"): ("invalid_passkey",),
    ("delete", "/v1/passkeys/{id}"): ("not_found", "last_passkey"),
    ("delete", "/v1/sessions/{id}"): ("not_found",),
    ("post", "/v1/sessions/passkey"): ("forbidden", "invalid_passkey"),
    ("post", "/v1/sessions/ethereum/challenge"): ("invalid_handle", "unknown_handle", "invalid_challenge"),
    ("post", "/v1/sessions/ethereum"): ("forbidden", "invalid_challenge", "invalid_signature"),
    ("post", "/v1/sessions/recovery-code"): (
        *("forbidden", "invalid_handle", "unknown_handle", "invalid_recovery_code"),
    ),
    ("post", "/v1/operator/enrolment"): ("invalid_passkey",),
    ("post", "/v1/operator/session"): ("invalid_passkey",),
    ("post", "/v1/operator/proposals"): (*_MONEY, "invalid_handle", "unknown_handle", "state_conflict"),
    ("post", "/v1/operator/proposals/{id}/challenge"): ("not_found",),
    ("post", "/v1/operator/proposals/{id}/approve"): (
        *("not_found", "invalid_passkey", "state_conflict", "insufficient_funds", "unknown_handle"),
    ),
    ("post", "/v1/mandates/challenge"): (*_MONEY, "invalid_handle", "unknown_handle"),
    ("post", "/v1/mandates"): (*(*_MONEY, "invalid_handle", "unknown_handle", "approval_required", "invalid_passkey"),),
    ("delete", "/v1/mandates/{id}"): ("not_found",),
    ("post", "/v1/mandates/{id}/draws"): (
        *(*_KEY, "invalid_amount", "amount_too_precise", "not_found", "state_conflict", "mandate_exceeded"),
        *("insufficient_funds", "wallet_frozen", "grant_not_approved"),
    ),
    ("post", "/v1/mandates/{id}/approval/challenge"): ("not_found", "state_conflict"),
    ("post", "/v1/mandates/{id}/approval"): ("not_found", "state_conflict", "invalid_passkey"),
    ("post", "/v1/keys/{id}/approval"): ("not_found",),
    ("post", "/v1/keys"): (*_MONEY, "invalid_handle", "unknown_handle"),
    ("post", "/v1/keys/{id}/replacement"): ("not_found",),
    ("delete", "/v1/keys/{id}"): ("not_found", "last_owner_key"),
    ("get", "/v1/entries"): ("unknown_asset",),
    ("get", "/v1/payments"): ("unknown_asset",),
    ("post", "/v1/deposits"): (*_MONEY, *_KEY, "asset_closed"),
    ("post", "/v1/withdrawals"): (
        *(*_MONEY, *_KEY, "insufficient_funds", "withdrawals_frozen", "wallet_frozen"),
        *("approval_required", "invalid_passkey"),
    ),
    ("post", "/v1/conversions"): (
        *(*_MONEY, *_KEY, "insufficient_funds", "withdrawals_frozen", "own_key", "wallet_frozen", "asset_closed"),
    ),
    ("get", "/v1/conversions/{id}"): ("not_found",),
    ("post", "/v1/payments"): (
        *_MONEY,
        *_KEY,
        "unknown_payee",
        "self_payment",
        "cap_exceeded",
        "grant_not_approved",
        "insufficient_funds",
        "withdrawals_frozen",
        "wallet_frozen",
        "own_key",
    ),
    ("post", "/v1/payments/preview"): (
        *(*_MONEY, "unknown_payee", "self_payment", "withdrawals_frozen", "wallet_frozen", "own_key"),
        *("cap_exceeded", "grant_not_approved"),
    ),
    ("post", "/v1/payments/batch"): (
        *_MONEY,
        *_KEY,
        "unknown_payee",
        "self_payment",
        "cap_exceeded",
        "grant_not_approved",
        "insufficient_funds",
        "withdrawals_frozen",
        "wallet_frozen",
        "own_key",
    ),
    ("post", "/v1/authorizations"): (
        *("unknown_asset", "not_found", "nonce_taken", "invalid_signature", "unknown_payee", "self_payment"),
        *("insufficient_funds", "withdrawals_frozen", "wallet_frozen"),
    ),
    ("post", "/v1/payments/{id}/not-me"): ("not_found",),
    ("post", "/v1/payments/{id}/not-me/link"): ("not_found",),
    ("get", "/v1/not-me/{token}"): ("not_found",),
    ("post", "/v1/not-me/{token}"): ("not_found",),
    ("post", "/v1/wallet/unfreeze"): ("invalid_passkey",),
    ("get", "/v1/policy"): ("not_found",),
    ("post", "/v1/policy/challenge"): (*_MONEY, "unknown_payee", "self_payment"),
    ("put", "/v1/policy"): (
        *(*_MONEY, "not_found", "approval_required", "invalid_passkey", "unknown_payee", "self_payment"),
    ),
    ("post", "/v1/withdrawals/challenge"): _MONEY,
    ("post", "/v1/payments/{id}/approval/challenge"): ("not_found", "state_conflict"),
    ("post", "/v1/payments/{id}/approval"): (
        *("not_found", "state_conflict", "invalid_passkey", "withdrawals_frozen", "wallet_frozen", "own_key"),
    ),
    ("post", "/v1/payments/{id}/refusal"): ("not_found", "state_conflict"),
    ("get", "/v1/payments/{id}"): ("not_found",),
    ("post", "/v1/payments/{id}/capture"): (*_KEY, *_END, "withdrawals_frozen", "own_key", "wallet_frozen"),
    ("post", "/v1/payments/{id}/void"): (*_KEY, "not_found", "state_conflict"),
    ("post", "/v1/payments/{id}/signature"): (
        "not_found",
        "invalid_signature",
        "state_conflict",
        "withdrawals_frozen",
        "wallet_frozen",
    ),
    ("post", "/v1/payments/{id}/refund"): (
        *(*_KEY, *_END, "refund_exceeds_payment", "wallet_frozen", "cap_exceeded", "grant_not_approved"),
    ),
}

#: What may repeat a payment that a restore has lost, and what else waits while the gateway is in recovery.
_MAY_REPEAT = (
    *("/v1/payments", "/v1/payments/batch", "/v1/conversions", "/v1/mandates/{id}/draws"),
    *(f"/v1/payments/{{id}}/{name}" for name in ("capture", "refund", "approval")),
)
_WAITS_IN_RECOVERY = (
    *("/v1/handles", "/v1/sign-ups", "/v1/withdrawals", "/v1/authorizations", "/v1/payments/preview"),
    "/v1/payments/{id}/signature",
)

#: Who calls these sends no API key.
_PUBLIC = (
    *("/v1/handles", "/v1/handles/{handle}", "/v1/solvency", "/health/live", "/health/ready"),
    *("/v1/sign-ups/challenge", "/v1/sign-ups"),
    *("/v1/sessions/passkey/challenge", "/v1/sessions/passkey", "/v1/sessions/recovery-code"),
    *("/v1/not-me/{token}", "/v1/authorizations"),
    *("/v1/sessions/ethereum/challenge", "/v1/sessions/ethereum"),
    *("/v1/operator/enrolment/challenge", "/v1/operator/enrolment"),
    *("/v1/operator/session/challenge", "/v1/operator/session"),
)

#: Nothing limits how often these are called: one answer serves everybody for a while.
_UNLIMITED = ("/v1/solvency", "/health/live", "/health/ready")

#: Who calls these shows the token of an operator's session.
_OPERATORS = "/v1/operator/"

#: RFC 9457. The values that the detail speaks of stand beside these members.
_PROBLEM = {
    "title": "Problem",
    "description": "Why a request was refused (RFC 9457), with the values that its detail speaks of beside it.",
    "type": "object",
    "properties": {
        "type": {"type": "string", "description": "The code, and the cause where a code has several."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "enum": sorted(_BY_CODE), "description": "Stable: decide by this."},
        "retryable": {"type": "boolean", "description": "Whether the same request may succeed later."},
    },
    "required": ["type", "title", "status", "detail", "code", "retryable"],
}

_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Of your own making, new for every new request: the same key gives the first answer again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    "example": "lunch-2030-01-31",
}

_ORIGIN = {
    "name": "Origin",
    "in": "header",
    "required": False,
    "description": "The gateway's own origin, that of GATEWAY_PUBLIC_URL, as browsers send it from its pages (RFC "
    "6454). Without it, or Sec-Fetch-Site: same-origin, the answer is 403.",
    "schema": {"type": "string"},
    "example": "https://pay.example",
}

#: What begins a session, and so has to come from a page of the gateway's.
_FROM_OWN_PAGES = ("/v1/sign-ups", *(f"/v1/sessions/{way}" for way in ("passkey", "ethereum", "recovery-code")))

_REPLAYED = {"description": "Present when this is the first answer again.", "schema": {"const": "true"}}


#: What the handler of many payments reads by itself, element by element or line by line.
_BATCH = "/v1/payments/batch"
(_BULK_REFERENCE,), _BULK_SCHEMAS = msgspec.json.schema_components(
    (BulkPaymentRequest,), ref_template="#/components/schemas/{name}"
)
_BATCH_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"type": "array", "items": _BULK_REFERENCE, "minItems": 1, "maxItems": bulk.MOST}
        },
        "application/x-ndjson": {"schema": _BULK_REFERENCE},
    },
}


#: What it answers to lines: a line for each, as it is paid.
_BATCH_LINES = {"schema": {"$ref": "#/components/schemas/BulkResultView"}}


class Document(JsonRenderPlugin):
    """Serves the document at /openapi.json."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        return super().render(request, described(openapi_schema))


def described(generated: dict[str, Any]) -> dict[str, Any]:
    """The document that the handlers' types make, with their problems, keys and callers."""
    paths = {
        path: {method: _operation(method, path, operation) for method, operation in operations.items()}
        for path, operations in generated["paths"].items()
    }
    components = {**generated["components"]["schemas"], **_BULK_SCHEMAS}
    schemas = {name: _closed(name, _one_of(schema)) for name, schema in components.items()}
    schemas["Problem"] = _PROBLEM
    return {**generated, "paths": paths, "components": {**generated["components"], "schemas": schemas}}


def _one_of(schema: Any) -> Any:
    """The schema, where a whole number fits one alternative and not two: every `integer` is a `number` besides."""
    if isinstance(schema, list):
        parts = [_one_of(part) for part in schema]
        return [part for part in parts if part != {"type": "integer"}] if {"type": "number"} in parts else parts
    return {name: _one_of(part) for name, part in schema.items()} if isinstance(schema, dict) else schema


def _closed(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A request's schema says that it refuses unknown fields."""
    return {**schema, "additionalProperties": False} if name.endswith("Request") else schema


def _operation(method: str, path: str, operation: dict[str, Any]) -> dict[str, Any]:
    if path == _BATCH:
        operation = {**operation, "requestBody": _BATCH_BODY}
    codes = {*_common(method, path, operation), *_OWN.get((method, path), ())}
    answers = {status: answer for status, answer in operation["responses"].items() if status < "400"}
    if path == _BATCH:
        content = {**answers["200"]["content"], "application/x-ndjson": _BATCH_LINES}
        answers["200"] = {**answers["200"], "content": content}
    changed = dict(operation)
    if "idempotency_key_missing" in codes:
        changed["parameters"] = [*operation.get("parameters", []), _IDEMPOTENCY_KEY]
        answers = {
            status: {**answer, "headers": {"Idempotency-Replayed": _REPLAYED}} for status, answer in answers.items()
        }
    if path in _FROM_OWN_PAGES:
        changed["parameters"] = [*operation.get("parameters", []), _ORIGIN]
    if _is_public(method, path):
        changed["security"] = []
    elif path.startswith(_OPERATORS):
        changed["security"] = [{"operator": []}]
    by_status: dict[int, list[str]] = {}
    for code in sorted(codes):
        by_status.setdefault(_BY_CODE[code].status, []).append(code)
    return {
        **changed,
        "responses": answers | {str(status): _refusal(by_status[status]) for status in sorted(by_status)},
    }


def _is_public(method: str, path: str) -> bool:
    return path in _PUBLIC and method != "delete"


def _common(method: str, path: str, operation: dict[str, Any]) -> set[str]:
    """The problems that a route has for what it takes: a body, parameters, a key, the database."""
    codes = {"internal_error", "invalid_request", "precondition_failed"}
    if path != "/health/live":
        codes.add("unavailable")
    if path not in _UNLIMITED:
        codes.add("too_many_tries")
    if method == "post" and path in (*_MAY_REPEAT, *_WAITS_IN_RECOVERY):
        codes.add("in_recovery")
    if method == "post" and path in _MAY_REPEAT:
        codes.add("payment_restored")
    if not _is_public(method, path):
        codes |= {"unauthenticated", "forbidden"}
    if "requestBody" in operation:
        codes |= {"body_too_large", "unsupported_media_type"}
    return codes


def _refusal(codes: list[str]) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    only = {"type": "object", "properties": {"code": {"enum": codes}}}
    return {
        "description": ", ".join(codes),
        "content": {"application/problem+json": {"schema": {"allOf": [schema, only]}}},
    }

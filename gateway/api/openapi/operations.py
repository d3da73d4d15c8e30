"""One operation of the document: its description, parameters, body, answers and problems."""

import inspect
from http import HTTPStatus
from typing import Final

import msgspec
from litestar.handlers import HTTPRouteHandler

from gateway.api import examples
from gateway.api.openapi.schemas import BY_CODE, REFERENCE, Json, shown_schema
from gateway.api.payments.shapes import BulkPaymentRequest
from gateway.identity.credential import SCOPES
from gateway.payments import batch

#: The header of calls that start a session, and so have to come from a page of the gateway (`own_page=`).
_ORIGIN: Final = {
    "name": "Origin",
    "in": "header",
    "description": "The gateway's own origin, that of GATEWAY_PUBLIC_URL, as browsers send it from its pages (RFC "
    "6454). Without it, or `Sec-Fetch-Site: same-origin`, the answer is 403.",
    "schema": {"type": "string", "examples": ["https://pay.example"]},
}


#: The description of Retry-After, by problem.
_WAIT: Final = ("too_many_tries", "unavailable", "idempotency_key_in_progress")


_STATUSES: Final = {"200": "Done.", "201": "Created.", "202": "Accepted: it settles later."}


def operation(handler: HTTPRouteHandler, generated: dict[str, Json]) -> dict[str, Json]:
    name, codes = generated["operationId"], _codes(handler, generated)
    shown = {key: generated[key] for key in ("operationId", "tags", "summary")}
    shown["security"], shown["description"] = _security(handler.opt["needs"]), _described(handler)
    parameters = [_parameter(one) for one in generated.get("parameters", ())]
    if "idempotency_key_missing" in codes:
        parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
    if handler.opt.get("own_page"):
        parameters.append(_ORIGIN)
    if parameters:
        shown["parameters"] = parameters
    if name in examples.REQUESTS:
        shown["requestBody"] = _body(name, generated)
    answers = {status: answer for status, answer in generated["responses"].items() if status < "400"}
    shown["responses"] = {status: _answer(name, status, answer, codes) for status, answer in answers.items()}
    by_status: dict[int, list[str]] = {}
    for code in sorted(codes):
        by_status.setdefault(BY_CODE[code].status, []).append(code)
    for status, several in sorted(by_status.items()):
        shared = {"$ref": f"#/components/responses/{several[0]}"}
        shown["responses"][str(status)] = refusal(several) if several[1:] else shared
    return shown


def _codes(handler: HTTPRouteHandler, operation: dict[str, Json]) -> set[str]:
    """The problems that a route declares, and those that follow from its needs: a body, a caller, the database."""
    codes = {"internal_error", "invalid_request", "precondition_failed", *handler.opt.get("problems", ())}
    if handler.parsed_fn_signature.parameters:
        codes.add("unavailable")
    if handler.opt.get("counts", "requests") is not None:
        codes.add("too_many_tries")
    if handler.opt["needs"] != "nothing":
        codes |= {"unauthenticated", "forbidden"}
    if operation["operationId"] in examples.REQUESTS:
        codes |= {"body_too_large", "unsupported_media_type"}
    return codes


def _security(need: str) -> list[dict[str, list[str]]]:
    """The security requirements of an operation."""
    match need:
        case "nothing":
            return []
        case "operator":
            return [{"operator": []}, {"operator_session": []}]
    return [{"api_key": []}, {"session": []}]


def _described(handler: HTTPRouteHandler) -> str:
    """The handler's docstring, and the scope that it needs. (In `security`, only OAuth can have scopes.)"""
    said, need = inspect.getdoc(handler.fn) or "", handler.opt["needs"]
    if need == "passkey":
        return f"{said}\n\nNeeds the `owner` scope, or a session that was started with a recovery code."
    return f"{said}\n\nNeeds the `{need}` scope." if need in SCOPES else said


def _parameter(generated: dict[str, Json]) -> dict[str, Json]:
    """A parameter. An optional one may be absent, but is never null."""
    schema = dict(generated["schema"])
    schema.pop("description", None)
    if "oneOf" in schema:
        (one,) = (part for part in schema.pop("oneOf") if part != {"type": "null"})
        schema = {**one, **schema}
    if "enum" in schema:
        schema = {**schema, "type": "string", "enum": [value for value in schema["enum"] if value is not None]}
    for bound in ("minimum", "maximum"):
        if bound in schema:
            schema[bound] = int(schema[bound])
    shown = {key: generated[key] for key in ("name", "in", "description")}
    return {**shown, **({"required": True} if generated.get("required") else {}), "schema": shown_schema(schema)}


def _body(name: str, operation: dict[str, Json]) -> dict[str, Json]:
    """The request body. The body of a batch is read line by line, so the handler has no type for it."""
    example = examples.request_example(name)
    if name == "pay_batch":
        (one,), _ = msgspec.json.schema_components((BulkPaymentRequest,), ref_template=REFERENCE)
        array = {"type": "array", "items": one, "minItems": 1, "maxItems": batch.PAYMENTS_MAX}
        lines = {"schema": one, "example": example[0]}
        content = {"application/json": {"schema": array, "example": example}, "application/x-ndjson": lines}
    else:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        content = {"application/json": {"schema": shown_schema(schema), "example": example}}
    return {"required": True, "content": content}


#: The fields of an event in a stream (WHATWG HTML, 9.2).
_SERVER_SENT_EVENT: Final = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "The event's id."},
        "event": {"type": "string", "description": "Its type."},
        "data": {"type": "string", "description": "An `Event`, as JSON."},
    },
    "required": ["id", "event", "data"],
}


#: The header with the name of a downloaded file (RFC 6266).
_DISPOSITION: Final = {
    "Content-Disposition": {
        "description": "The name of the file.",
        "schema": {"type": "string", "examples": ['attachment; filename="statement-alice-2026-11.csv"']},
    }
}


def _answer(name: str, status: str, generated: dict[str, Json], codes: set[str]) -> dict[str, Json]:
    if "text/event-stream" in generated["content"]:
        stream = {"schema": _SERVER_SENT_EVENT, "example": examples.STREAMED[name]}
        return {"description": generated["description"], "content": {"text/event-stream": stream}}
    if name in examples.FILES:
        media_type, text = examples.FILES[name]
        file = {"schema": {"type": "string"}, "example": text}
        return {"description": "A file.", "headers": _DISPOSITION, "content": {media_type: file}}
    example = examples.answer_example(name, status)
    schema = shown_schema(generated["content"]["application/json"]["schema"])
    content = {"application/json": {"schema": schema, "example": example}}
    if name == "pay_batch":  # a line per payment, as it is paid
        content["application/x-ndjson"] = {"schema": schema["items"], "example": example[0]}
    said = generated["description"]
    described = _STATUSES[status] if said == HTTPStatus(int(status)).description else said
    replayed = {"Idempotency-Replayed": {"$ref": "#/components/headers/Idempotency-Replayed"}}
    headers = {"headers": replayed} if "idempotency_key_missing" in codes else {}
    return {"description": described, **headers, "content": content}


def refusal(codes: list[str]) -> dict[str, Json]:
    """A response that has one of these codes, each with an example."""
    named = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
    problem = {"schema": {"$ref": REFERENCE.format(name="Problem")}, "examples": named}
    wait = {"headers": {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}}
    return {
        "description": ", ".join(f"`{code}`" for code in codes),
        **(wait if set(codes) & set(_WAIT) else {}),
        "content": {"application/problem+json": problem},
    }

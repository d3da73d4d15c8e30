"""The OpenAPI document: what Litestar reads off the routes, and what their types alone do not say.

    operation ids  the handler's name: a verb and what it acts on (list_payments); where money moves, the verb (pay)
    schemas        msgspec's own, of the very types that requests are read as and answers are written from
    problems       one schema; a route's decorator names the codes that it may answer (`problems=`)
    security       what a route needs of its caller (`needs=`)
    examples       examples.py

Everything that many operations share stands in `components` once, so that what generators make of it is small. The
tests hold every answer of the server to the document, and every example to its type.
"""

import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final, get_args

import msgspec
from litestar import Litestar, Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, Contact, License, SecurityScheme, Server, Tag
from litestar.routes import HTTPRoute

from gateway.api import examples
from gateway.api.payments.shapes import BulkPaymentRequest, BulkResultView, CustodyText, MetadataObject, TypedData
from gateway.http import cookie
from gateway.http.meanings import MEANINGS
from gateway.http.problems import INTERNAL, PROBLEMS, Problem, internal_document, problem_document
from gateway.identity.credential import SCOPES
from gateway.identity.sign_in.ceremony import party_of
from gateway.operators import operators
from gateway.payments import batch
from gateway.payments.checks.policy import Reason
from gateway.payments.model.payment import State
from gateway.payments.model.route import RailName

Json = Any

_DESCRIPTION: Final = """
A handle such as `@alice` stands for a wallet with balances in fiat currencies, kept in a double-entry ledger, and in
tokens, kept by an ERC-20 contract. The gateway takes each payment, chooses its rail and settles it exactly once.

**Authentication.** Send an API key as `Authorization: Bearer <key>`. `POST /v1/handles` gives the first one. People
sign in with a passkey instead, and their browser sends a session's cookie.

**Money** is a decimal string and an asset, such as `"12.50"` and `"EUR"`: never a JSON number, and never rounded.
**Times** are RFC 3339 in UTC.

**Idempotency.** Every call that moves money needs an `Idempotency-Key` of your own making, one for each thing that you
want done. When an answer was lost, send the same request with the same key: it is done once, and answered as the first
time, with `Idempotency-Replayed: true`. Keys are kept for ever.

**Problems** are `application/problem+json` (RFC 9457). Decide by `code`, which is stable; `detail` is for people, the
values that it speaks of stand beside it, and `retryable` says whether the same request may succeed later. Unknown
fields and unknown query parameters are refused.

**Lists** are newest first, in pages: pass `next_cursor` as `cursor` until it is null. Every answer has an
`X-Request-Id`, which the gateway's log knows too.
""".strip()

#: What operations are grouped by, in the order in which an integrator meets them.
_TAGS: Final = {
    "Payments": "Pay a handle or an address; hold, capture and void; refund; find payments.",
    "Wallet": "Balances, statement and events of a wallet, and an address of your own.",
    "Handles": "Claim a handle, and look one up.",
    "Bank": "Deposits, withdrawals, and conversions between a currency and its token.",
    "API keys": "Keys for programs, with scopes, caps and networks.",
    "Mandates": "What an owner lets somebody draw without asking.",
    "Approvals": "The policy of a wallet, and the passkey approvals that it asks for.",
    "Sign-in": "Sign-up, passkeys, sessions and recovery codes. For pages of the gateway.",
    "Freezes": "Report a payment as unauthorized, which freezes the wallet; unfreeze it.",
    "Operators": "For the operators of the gateway: enrol, sign in, propose and approve.",
    "Status": "Solvency and health, for anybody.",
}

#: The values of a text that several schemas have, under one name.
_ENUMS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "PaymentState": ("Where a payment is in its life.", tuple(state.value for state in State)),
    "Rail": ("The way that a payment takes.", get_args(RailName)),
    "Scope": ("What an API key or a session may do.", SCOPES),
    "Custody": (
        "Who keeps an address's key: the gateway, its owner, or nobody, since it is a contract.",
        get_args(get_args(CustodyText)[0]),
    ),
    "ApprovalReason": ("Why a payment needs its payer's approval.", get_args(Reason)),
    "ProposalKind": ("What operators propose.", operators.KINDS),
}

#: Objects that are no structs of msgspec's, which have their name as a title.
_OBJECTS: Final = ("Problem", "Metadata", "TypedData")

#: Every problem by its code.
_BY_CODE: Final[Mapping[str, Problem]] = {problem.code: problem for problem in (*PROBLEMS.values(), INTERNAL)}

#: RFC 9457. The values that the detail speaks of stand beside these members.
_PROBLEM: Final = {
    "title": "Problem",
    "description": "Why a request was refused (RFC 9457), with the values that its detail speaks of beside it.",
    "type": "object",
    "properties": {
        "type": {"type": "string", "description": "The code, and the cause where a code has several."},
        "title": {"type": "string", "description": "The code in words."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "What happened and what to do, for people."},
        "code": {"$ref": "#/components/schemas/ProblemCode"},
        "retryable": {"type": "boolean", "description": "Whether the same request may succeed later."},
    },
    "required": ["type", "title", "status", "detail", "code", "retryable"],
    "additionalProperties": True,
}

_PROBLEM_CODE: Final = {
    "title": "ProblemCode",
    "description": "Stable: decide by this.",
    "type": "string",
    "enum": sorted(_BY_CODE),
}

#: The header of every call that moves money.
_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Of your own making, new for every new request: the same key gives the first answer again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$", "examples": ["lunch-17"]},
}

#: The header of what begins a session, and so has to come from a page of the gateway (`own_page=`).
_ORIGIN: Final = {
    "name": "Origin",
    "in": "header",
    "description": "The gateway's own origin, that of GATEWAY_PUBLIC_URL, as browsers send it from its pages (RFC "
    "6454). Without it, or `Sec-Fetch-Site: same-origin`, the answer is 403.",
    "schema": {"type": "string", "examples": ["https://pay.example"]},
}

_HEADERS: Final = {
    "Idempotency-Replayed": {
        "description": "Present when this is the first answer again.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Retry-After": {
        "description": "Seconds after which to send the same request again.",
        "schema": {"type": "integer", "minimum": 1},
    },
}

#: What problems with a Retry-After say that it is worth waiting for.
_WAIT: Final = ("too_many_tries", "unavailable", "idempotency_key_in_progress")

_STATUSES: Final = {"200": "Done.", "201": "Created.", "202": "Accepted: it settles later."}

_REFERENCE: Final = "#/components/schemas/{name}"

#: In the order in which the operations of a path stand.
_METHODS: Final = ("post", "get", "put", "delete")


def config(public_url: str) -> OpenAPIConfig:
    """How Litestar makes the document of a gateway that people find here."""
    return OpenAPIConfig(
        title="Wallet gateway",
        version="1",
        description=_DESCRIPTION,
        license=License(name="Apache-2.0", url="https://www.apache.org/licenses/LICENSE-2.0"),
        contact=Contact(name="The operators of this gateway", url=public_url),
        servers=[Server(url=public_url, description="This gateway")],
        tags=[Tag(name, description) for name, description in _TAGS.items()],
        path="/openapi.json",
        operation_id_creator=lambda handler, *_: handler.handler_name,
        render_plugins=[_Document(path=["/", "/openapi.json"])],
        components=Components(
            security_schemes={
                "api_key": SecurityScheme(
                    type="http",
                    scheme="bearer",
                    bearer_format="gw_…",
                    description="An API key, which has the scopes that it was created with.",
                ),
                "session": SecurityScheme(
                    type="apiKey",
                    name=cookie.name_of(party_of(public_url)),
                    security_scheme_in="cookie",
                    description="The cookie that signing in sets. A request that changes something also says that it "
                    "comes from a page of the gateway: by its Origin header, or by `Sec-Fetch-Site: same-origin`.",
                ),
                "operator": SecurityScheme(
                    type="http", scheme="bearer", description="The token of an operator's session."
                ),
            }
        ),
    )


class _Document(JsonRenderPlugin):
    """Serves the document at /openapi.json."""

    def render(self, request: Request[Any, Any, Any], _: dict[str, Any]) -> bytes:
        return msgspec.json.encode(request.app.state.document())


def document(app: Litestar) -> dict[str, Any]:
    """The document of the application's routes."""
    generated = app.openapi_schema.to_schema()
    handlers = {(method.lower(), path): handler for method, path, handler in _handlers(app)}
    paths = {
        path: {
            method: _operation(handlers[method, path], operations[method])
            for method in _METHODS
            if method in operations
        }
        for path, operations in generated["paths"].items()
    }
    alone = set(re.findall(r'"#/components/responses/(\w+)"', msgspec.json.encode(paths).decode()))
    components = {
        "schemas": _schemas(handlers.values()),
        "responses": {code: _refusal([code]) for code in sorted(alone)},
        "parameters": {"IdempotencyKey": _IDEMPOTENCY_KEY},
        "headers": _HEADERS,
        "examples": _problem_examples(),
        "securitySchemes": generated["components"]["securitySchemes"],
    }
    return {**generated, "paths": paths, "components": components}


def _handlers(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                yield str(method), route.path_format, handler


# ---- schemas --------------------------------------------------------------------------------------------------------


def _schemas(handlers: Iterable[HTTPRouteHandler]) -> dict[str, Json]:
    """Every type that a request or an answer has, and what those are made of."""
    types = [kind for handler in handlers if handler.resolve_include_in_schema() for kind in _types(handler)]
    _, found = msgspec.json.schema_components([*types, BulkPaymentRequest, BulkResultView], ref_template=_REFERENCE)
    enums = {
        name: {"title": name, "description": description, "type": "string", "enum": list(values)}
        for name, (description, values) in _ENUMS.items()
    }
    shown = {_name(name): _shown(schema) for name, schema in found.items() if name != "State"}
    for schema in shown.values():
        schema["properties"] = {name: _optional(field) for name, field in schema["properties"].items()}
    objects = {str(one["title"]): one for one in map(msgspec.json.schema, (MetadataObject, TypedData))}
    return dict(sorted((shown | enums | objects | {"Problem": _PROBLEM, "ProblemCode": _PROBLEM_CODE}).items()))


def _types(handler: HTTPRouteHandler) -> Iterator[type[msgspec.Struct]]:
    """The structs that a handler takes and answers."""
    signature = handler.parsed_fn_signature
    answer = signature.return_type
    fields = [*answer.inner_types] if answer.is_subclass_of(Response) else [answer]
    for field in (*fields, *(value for name, value in signature.parameters.items() if name == "data")):
        if field.is_subclass_of(msgspec.Struct):
            yield field.annotation


def _name(name: str) -> str:
    """What a type is called outside: `Payment`, not `PaymentView`."""
    return "PaymentState" if name == "State" else name.removesuffix("View").removesuffix("Shape")


def _shown(schema: Json) -> Json:
    """The schema with names as they are outside, and what others share in its own place."""
    if isinstance(schema, list):
        return [_shown(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("title") in _OBJECTS:
        return {"$ref": _REFERENCE.format(name=schema["title"])}
    for name, (description, values) in _ENUMS.items():
        if set(schema.get("enum", ())) == set(values):
            own = schema.get("description", description)
            reference = {"$ref": _REFERENCE.format(name=name)}
            return reference if own == description else {**reference, "description": own}
    shown = {key: _shown(part) for key, part in schema.items()}
    if "$ref" in shown:
        shown["$ref"] = _REFERENCE.format(name=_name(shown["$ref"].rpartition("/")[2]))
    if isinstance(shown.get("title"), str):
        shown["title"] = _name(shown["title"])
    match shown.get("anyOf"):
        case [{"description": _} as one, {"type": "null"}]:  # what is said of it is said of it where it is null, too
            said = {key: one.pop(key) for key in ("description", "examples") if key in one}
            shown = {**said, **shown}
    return shown


def _optional(field: Json) -> Json:
    """A field with its default in words: generators take one that has a `default` for one that is always there."""
    default = field.get("default")
    without = {key: value for key, value in field.items() if key != "default"}
    if default in (None, [], {}):
        return without
    return {**without, "description": f"{field.get('description', '')} Default: `{json.dumps(default)}`.".strip()}


# ---- operations -----------------------------------------------------------------------------------------------------


def _operation(handler: HTTPRouteHandler, operation: dict[str, Json]) -> dict[str, Json]:
    name, codes = operation["operationId"], _codes(handler, operation)
    shown = {key: operation[key] for key in ("operationId", "tags", "summary")}
    shown["security"], shown["description"] = _security(handler.opt["needs"]), _described(handler)
    parameters = [_parameter(one) for one in operation.get("parameters", ())]
    if "idempotency_key_missing" in codes:
        parameters.append({"$ref": "#/components/parameters/IdempotencyKey"})
    if handler.opt.get("own_page"):
        parameters.append(_ORIGIN)
    if parameters:
        shown["parameters"] = parameters
    if name in examples.REQUESTS:
        shown["requestBody"] = _body(name, operation)
    answers = {status: answer for status, answer in operation["responses"].items() if status < "400"}
    shown["responses"] = {status: _answer(name, status, answer, codes) for status, answer in answers.items()}
    by_status: dict[int, list[str]] = {}
    for code in sorted(codes):
        by_status.setdefault(_BY_CODE[code].status, []).append(code)
    for status, several in sorted(by_status.items()):
        shared = {"$ref": f"#/components/responses/{several[0]}"}
        shown["responses"][str(status)] = _refusal(several) if several[1:] else shared
    return shown


def _codes(handler: HTTPRouteHandler, operation: dict[str, Json]) -> set[str]:
    """The problems that a route says it has, and those it has for what it takes: a body, a caller, the database."""
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
    """Who may call."""
    match need:
        case "nothing":
            return []
        case "operator":
            return [{"operator": []}]
    return [{"api_key": []}, {"session": []}]


def _described(handler: HTTPRouteHandler) -> str:
    """What the handler says of itself, and the scope that it needs: only OAuth's are for `security` to say."""
    said, need = inspect.getdoc(handler.fn) or "", handler.opt["needs"]
    if need == "passkey":
        return f"{said}\n\nNeeds the `owner` scope, or a session that was started with a recovery code."
    return f"{said}\n\nNeeds the `{need}` scope." if need in SCOPES else said


def _parameter(generated: dict[str, Json]) -> dict[str, Json]:
    """A parameter: one that is not sent is not there, which is no null."""
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
    return {**shown, **({"required": True} if generated.get("required") else {}), "schema": _shown(schema)}


def _body(name: str, operation: dict[str, Json]) -> dict[str, Json]:
    """What the operation is sent. The body of many payments is read line by line, and so no type of its handler's."""
    example = examples.request_example(name)
    if name == "pay_batch":
        (one,), _ = msgspec.json.schema_components((BulkPaymentRequest,), ref_template=_REFERENCE)
        array = {"type": "array", "items": one, "minItems": 1, "maxItems": batch.MOST}
        lines = {"schema": one, "example": example[0]}
        content = {"application/json": {"schema": array, "example": example}, "application/x-ndjson": lines}
    else:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        content = {"application/json": {"schema": _shown(schema), "example": example}}
    return {"required": True, "content": content}


def _answer(name: str, status: str, generated: dict[str, Json], codes: set[str]) -> dict[str, Json]:
    example = examples.answer_example(name, status)
    schema = _shown(generated["content"]["application/json"]["schema"])
    content = {"application/json": {"schema": schema, "example": example}}
    if name == "pay_batch":  # a line for each, as it is paid
        content["application/x-ndjson"] = {"schema": schema["items"], "example": example[0]}
    said = generated["description"]
    described = _STATUSES[status] if said == HTTPStatus(int(status)).description else said
    replayed = {"Idempotency-Replayed": {"$ref": "#/components/headers/Idempotency-Replayed"}}
    headers = {"headers": replayed} if "idempotency_key_missing" in codes else {}
    return {"description": described, **headers, "content": content}


def _refusal(codes: list[str]) -> dict[str, Json]:
    """A response that has one of these codes, each with an example."""
    named = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
    problem = {"schema": {"$ref": _REFERENCE.format(name="Problem")}, "examples": named}
    wait = {"headers": {"Retry-After": {"$ref": "#/components/headers/Retry-After"}}}
    return {
        "description": ", ".join(f"`{code}`" for code in codes),
        **(wait if set(codes) & set(_WAIT) else {}),
        "content": {"application/problem+json": problem},
    }


def _problem_examples() -> dict[str, Json]:
    documents = [problem_document(error) for error in examples.PROBLEM_EXAMPLES] + [internal_document()]
    return {
        str(shown["code"]): {"summary": MEANINGS[str(shown["code"])], "value": msgspec.to_builtins(shown)}
        for shown in sorted(documents, key=lambda one: str(one["code"]))
    }

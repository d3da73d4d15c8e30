"""The OpenAPI document: what Litestar derives from the routes, completed with what their types do not tell.

    operation ids  the handler's name: a verb and its object (list_payments); if money moves, the verb alone (pay)
    schemas        msgspec's own, of the same types that requests are decoded into and answers are encoded from
    problems       one schema; a route's decorator names the codes that it can answer (`problems=`)
    security       the scope that a route needs (`needs=`)
    examples       examples.py

Everything that many operations share is in `components` once, so that generated clients are small. The tests check
every answer of the server against the document, and every example against its type.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from litestar import Litestar, Request
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, Contact, License, SecurityScheme, Server, Tag
from litestar.routes import HTTPRoute

from gateway.api import examples
from gateway.api.events.catalogue import CATALOGUE
from gateway.api.events.shapes import OBJECTS
from gateway.api.openapi.operations import operation, refusal
from gateway.api.openapi.schemas import Json, schemas
from gateway.http import cookie
from gateway.http.answer.descriptions import DESCRIPTIONS
from gateway.http.answer.problems import internal_document, problem_document
from gateway.identity.sign_in.passkey_verification import party_of

_DESCRIPTION: Final = """
A handle such as `@alice` stands for a wallet with balances in fiat currencies, kept in a double-entry ledger, and in
tokens, kept by an ERC-20 contract. The gateway takes each payment, chooses its rail and settles it exactly once.

**Authentication.** Send an API key as `Authorization: Bearer <key>`. `POST /v1/handles` gives the first one. People
sign in with a passkey instead, and their browser sends a session's cookie.

**Money** is a decimal string and an asset, such as `"12.50"` and `"EUR"`: never a JSON number, and never rounded.
**Times** are RFC 3339 in UTC.

**Idempotency.** Every call that moves money needs an `Idempotency-Key` of your own making, one for each thing that you
want done. When an answer was lost, send the same request with the same key: it is done once, and answered as the first
time, with `Idempotency-Replayed: true`. Keys are kept for ever. A refused request does not use up its key: send it, or
another one, with the same key.

**Problems** are `application/problem+json` (RFC 9457). Branch on `code`, which is stable; `detail` is for people, its
values are members of their own, and `retryable` says whether the same request may succeed later. Unknown fields and
unknown query parameters are refused.

**Lists** are newest first, in pages: pass `next_cursor` as `cursor` until it is null. Events are oldest first: continue
with `after`. The API keys and mandates of a wallet are listed in full, without pages. Every answer has an
`X-Request-Id`, which is in the gateway's log too.
""".strip()


#: The groups of operations, in the order in which an integrator needs them.
_TAGS: Final = {
    "Payments": "Pay a handle or an address; hold, capture and void; refund; find payments.",
    "Wallet": "Balances and statement of a wallet, and an address of your own.",
    "Events": "List and stream what happened to a wallet, in order.",
    "Webhooks": "Endpoints that events are sent to, and their deliveries.",
    "Notifications": "What the owner of a wallet is told, where, and by which channel.",
    "Handles": "Claim a handle, and look one up.",
    "Bank": "Deposits, withdrawals, and conversions between a currency and its token.",
    "API keys": "Keys for programs, with scopes, caps and networks.",
    "Requests": "Ask another wallet for money; it pays with a payment, or declines.",
    "Mandates": "What an owner lets somebody draw without an approval.",
    "Approvals": "The policy of a wallet, and the passkey approvals that payments need.",
    "Sign-in": "Sign-up, passkeys, sessions and recovery codes. For pages of the gateway.",
    "Freezes": "Report a payment as unauthorized, which freezes the wallet; unfreeze it.",
    "Operators": "For the operators of the gateway: enrol, sign in, propose and approve.",
    "Status": "Solvency and health, for anybody.",
}


#: The header of every call that moves money.
_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Of your own making, new for every new request: the same key gives the first answer again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$", "examples": ["lunch-17"]},
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


#: The order of the operations of a path.
_METHODS: Final = ("post", "get", "put", "patch", "delete")


def config(public_url: str) -> OpenAPIConfig:
    """The configuration with which Litestar makes the document of a gateway at this public URL."""
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
                "operator_session": SecurityScheme(
                    type="apiKey",
                    name=cookie.name_of(party_of(public_url), cookie.OPERATOR),
                    security_scheme_in="cookie",
                    description="The cookie that signing in as an operator in a browser sets. As with a session's, a "
                    "request that changes something also says that it comes from a page of the gateway.",
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
            method: operation(handlers[method, path], operations[method]) for method in _METHODS if method in operations
        }
        for path, operations in generated["paths"].items()
    }
    alone = set(re.findall(r'"#/components/responses/(\w+)"', msgspec.json.encode(paths).decode()))
    components = {
        "schemas": schemas(handlers.values()),
        "responses": {code: refusal([code]) for code in sorted(alone)},
        "parameters": {"IdempotencyKey": _IDEMPOTENCY_KEY},
        "headers": _HEADERS,
        "examples": _problem_examples(),
        "securitySchemes": generated["components"]["securitySchemes"],
    }
    return {**generated, "paths": paths, "webhooks": _webhooks(), "components": components}


def _webhooks() -> dict[str, Json]:
    """The requests that are sent to webhook endpoints: one for each event type, with its object."""
    data = {name: {"$ref": f"#/components/schemas/{kind.__name__}"} for name, kind in OBJECTS.items()}
    return {
        kind: {
            "post": {
                "operationId": kind.replace(".", "_"),
                "tags": ["Events"],
                "summary": kind,
                "security": [],
                "description": said,
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": _event(kind, data[name])}},
                },
                "responses": {"2XX": {"description": "Received."}},
            }
        }
        for kind, (name, said) in CATALOGUE.items()
    }


def _event(kind: str, data: Json) -> Json:
    own = {"type": "object", "properties": {"type": {"const": kind}, "data": data}}
    return {"allOf": [{"$ref": "#/components/schemas/Event"}, own]}


def _handlers(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                yield str(method), route.path_format, handler


def _problem_examples() -> dict[str, Json]:
    documents = [problem_document(error) for error in examples.PROBLEM_EXAMPLES] + [internal_document()]
    return {
        str(shown["code"]): {"summary": DESCRIPTIONS[str(shown["code"])], "value": msgspec.to_builtins(shown)}
        for shown in sorted(documents, key=lambda one: str(one["code"]))
    }

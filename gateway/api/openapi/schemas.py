"""The schemas of the document: every type of requests and answers, under its public name.

Parts of several schemas are schemas of their own: enumerations, metadata, typed data, problems.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, get_args

import msgspec
from litestar import Response
from litestar.handlers import HTTPRouteHandler

from gateway.api.events.catalogue import TYPES
from gateway.api.fields import CustodyText, MetadataObject, TypedData
from gateway.api.operators.running.shapes import StepDetails
from gateway.api.operators.shapes import OperatorState
from gateway.api.operators.views import FoundKind, SearchedFor
from gateway.api.payments.shapes import BulkPaymentRequest, BulkResultView
from gateway.http.answer.problems import INTERNAL, PROBLEMS, Problem
from gateway.identity.credential import SCOPES
from gateway.notifications.vocabulary import CHANNELS, KINDS, LOCALES, MODES
from gateway.operators import proposals, roles
from gateway.operators.roles import ROLES
from gateway.payments.model.payment import State
from gateway.payments.model.policy import Reason
from gateway.payments.model.route import RailName
from gateway.payments.requests.rows import Direction
from gateway.payments.requests.state import STATES
from gateway.payments.timeline.step import KINDS as STEPS
from gateway.reconciliation.diagnosis import State as CheckState
from gateway.settlement.relayer_accounts import State as RelayerState
from gateway.webhooks.vocabulary import OUTCOMES
from gateway.webhooks.vocabulary import State as DeliveryState

Json = Any


#: The names of enumerations that several schemas have.
_ENUMS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = {
    "PaymentState": ("The state of a payment.", tuple(state.value for state in State)),
    "ConversionState": ("The state of a conversion.", ("queued", "submitted", "settled", "failed")),
    "RequestState": ("The state of a request for money.", STATES),
    "RequestDirection": ("Asked of the wallet, or by it.", get_args(Direction)),
    "Rail": ("How a payment is settled.", get_args(RailName)),
    "Scope": ("What an API key or a session may do.", SCOPES),
    "Custody": (
        "Who keeps an address's key: the gateway, its owner, or nobody, since it is a contract.",
        get_args(get_args(CustodyText)[0]),
    ),
    "ApprovalReason": ("Why a payment needs its payer's approval.", get_args(Reason)),
    "OperatorRole": ("What an operator may do beside reading.", ROLES),
    "ProposalKind": ("What operators propose.", roles.KINDS),
    "PaymentStepKind": ("What a step of a payment's timeline was.", STEPS),
    "RelayerState": ("How a relayer account stands.", get_args(RelayerState)),
    "CheckState": ("How a check of the gateway went.", get_args(CheckState)),
    "WebhookDeliveryState": ("The state of a delivery.", get_args(DeliveryState)),
    "WebhookOutcome": ("What came of an attempt to deliver.", OUTCOMES),
    "ProposalState": ("What became of a proposal.", get_args(proposals.ProposalState)),
    "OperatorState": ("Whether somebody is an operator.", get_args(OperatorState)),
    "FoundKind": ("What a search leads to.", get_args(FoundKind)),
    "SearchedFor": ("As what a search has read a text.", get_args(SearchedFor)),
    "SignInMethod": ("How somebody signs in.", ("passkey", "ethereum", "recovery_code", "link")),
    "WebhookDisabledBy": ("Why an endpoint is disabled.", ("owner", "gone", "failing")),
    "EventType": ("What happened.", TYPES),
    "NotificationTopic": ("What a notification is about.", tuple(KINDS)),
    "NotificationChannel": ("How notifications are sent.", CHANNELS),
    "NotificationMode": ("When a kind of notification is sent by a channel.", MODES),
    "NotificationLocale": ("A language of notifications.", LOCALES),
}


#: Objects that are not msgspec structs; their name is their title.
_OBJECTS: Final = ("Problem", "Metadata", "TypedData", "StepDetails")


#: Every problem by its code.
BY_CODE: Final[Mapping[str, Problem]] = {problem.code: problem for problem in (*PROBLEMS.values(), INTERNAL)}


#: Problem details (RFC 9457). The values in `detail` are also members of their own.
_PROBLEM: Final = {
    "title": "Problem",
    "description": "Why a request was refused (RFC 9457). The values in its detail are further members.",
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
    "description": "Stable: branch on this.",
    "type": "string",
    "enum": sorted(BY_CODE),
}


REFERENCE: Final = "#/components/schemas/{name}"


def schemas(handlers: Iterable[HTTPRouteHandler]) -> dict[str, Json]:
    """Every type of a request or an answer, and the types that it contains."""
    types = [kind for handler in handlers if handler.resolve_include_in_schema() for kind in _types(handler)]
    _, found = msgspec.json.schema_components([*types, BulkPaymentRequest, BulkResultView], ref_template=REFERENCE)
    enums = {
        name: {"title": name, "description": description, "type": "string", "enum": list(values)}
        for name, (description, values) in _ENUMS.items()
    }
    shown = {_name(name): shown_schema(schema) for name, schema in found.items() if name != "State"}
    for schema in shown.values():
        schema["properties"] = {name: _optional(field) for name, field in schema["properties"].items()}
    objects = {str(one["title"]): one for one in map(msgspec.json.schema, (MetadataObject, TypedData, StepDetails))}
    return dict(sorted((shown | enums | objects | {"Problem": _PROBLEM, "ProblemCode": _PROBLEM_CODE}).items()))


def _types(handler: HTTPRouteHandler) -> Iterator[type[msgspec.Struct]]:
    """The structs of a handler's request and answer."""
    signature = handler.parsed_fn_signature
    answer = signature.return_type
    fields = [*answer.inner_types] if answer.is_subclass_of(Response) else [answer]
    for field in (*fields, *(value for name, value in signature.parameters.items() if name == "data")):
        if field.is_subclass_of(msgspec.Struct):
            yield field.annotation


def _name(name: str) -> str:
    """The public name of a type: `Payment`, not `PaymentView`."""
    return "PaymentState" if name == "State" else name.removesuffix("View").removesuffix("Shape")


def shown_schema(schema: Json) -> Json:
    """The schema with public names, in which shared parts are references."""
    if isinstance(schema, list):
        return [shown_schema(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("title") in _OBJECTS:
        return {"$ref": REFERENCE.format(name=schema["title"])}
    for name, (description, values) in _ENUMS.items():
        if set(schema.get("enum", ())) == set(values):
            own = schema.get("description", description)
            reference = {"$ref": REFERENCE.format(name=name)}
            return reference if own == description else {**reference, "description": own}
    shown = {key: shown_schema(part) for key, part in schema.items()}
    if "$ref" in shown:
        shown["$ref"] = REFERENCE.format(name=_name(shown["$ref"].rpartition("/")[2]))
    match shown.get("enum"):
        case [only]:  # a constant: generators would make an enumeration with one value of it
            del shown["enum"]
            shown["const"] = only
    if isinstance(shown.get("title"), str):
        shown["title"] = _name(shown["title"])
    match shown.get("anyOf"):
        case [{"description": _} as one, {"type": "null"}]:  # the description also applies if it is null
            said = {key: one.pop(key) for key in ("description", "examples") if key in one}
            shown = {**said, **shown}
    return shown


def _optional(field: Json) -> Json:
    """A field with its default in words: generators treat a field with a `default` as always present."""
    default = field.get("default")
    without = {key: value for key, value in field.items() if key != "default"}
    if default in (None, [], {}):
        return without
    return {**without, "description": f"{field.get('description', '')} Default: `{json.dumps(default)}`.".strip()}

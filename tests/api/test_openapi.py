"""The document: complete, and its examples are what it says. Answers are held to it in every other file."""

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from litestar.routes import HTTPRoute

from gateway.api.payments.shapes import BulkPaymentRequest
from gateway.http.answer.problems import INTERNAL, PROBLEMS
from gateway.money import Assets
from tests.api import contract
from tests.api.conftest import Api, Person, code_of, opened

pytestmark = pytest.mark.anyio

#: What begins a session, each with a body of its form.
ASSERTION = dict.fromkeys(("credential_id", "client_data", "authenticator_data", "signature"), "AAAA")
FROM_OWN_PAGES: dict[str, Any] = {
    "/v1/operator/session/cookie": ASSERTION,
    "/v1/sessions/passkey": ASSERTION,
    "/v1/sessions/ethereum": {"message": "Sign me in", "signature": "0x11"},
    "/v1/sessions/recovery-code": {"handle": "nobody_here", "code": "k7fm-2q9x-0c4t-hhz3"},
    "/v1/sessions/link": {"code": "gl_nothing"},
    "/v1/operator/session/link": {"code": "gl_nothing"},
    "/v1/sign-ups/ethereum": {"message": "Sign me up", "signature": "0x11"},
    "/v1/sign-ups": {
        "handle": "erin",
        "user_id": "AAAA",
        "name": "Laptop",
        "client_data": "AAAA",
        "attestation": "AAAA",
    },
}

KEYED = (
    "batch",
    "deposits",
    "withdrawals",
    "conversions",
    "payments",
    "capture",
    "void",
    "refund",
    "draws",
    "requests",
)


@pytest.fixture
async def document(shared: Api) -> Any:
    answer = await shared.client.get("/openapi.json")
    assert answer.status_code == 200
    return answer.json()


async def test_it_says_the_same_of_the_calls_whatever_the_operator_has_configured(
    shared: Api, document: Any, assets: Assets
) -> None:
    database, one = shared.services.database, Assets([assets["EUR"]])
    async with opened(database, one, 25, deployed=False, payees=(), public_url="http://pay.example") as other:
        said = (await other.client.get("/openapi.json")).text

    assert json.loads(said.replace("http://pay.example", shared.services.public_url)) == document


def operations(document: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def schemas(node: Any) -> Iterator[Any]:
    """Everything in the document that has a type or a reference."""
    if isinstance(node, dict):
        if isinstance(node.get("type"), str | list) or "$ref" in node:
            yield node
        for inner in node.values():
            yield from schemas(inner)
    elif isinstance(node, list):
        for inner in node:
            yield from schemas(inner)


def refusals(document: Any, operation: Any) -> dict[str, Any]:
    """The problems that an operation announces, by their status."""
    found = {status: contract.response_of(document, operation, status) for status in operation["responses"]}
    return {status: answer for status, answer in found.items() if status >= "400"}


def parameters(document: Any, operation: Any) -> list[Any]:
    listed = operation.get("parameters", [])
    return [contract.resolved(document, one) for one in listed]


async def test_every_route_announces_its_problems_as_one_schema(document: Any) -> None:
    for method, path, operation in operations(document):
        found = refusals(document, operation)
        assert "500" in found, (method, path)
        for answer in found.values():
            assert set(answer["content"]) == {"application/problem+json"}, (method, path)
            schema = answer["content"]["application/problem+json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Problem"}, (method, path)
        public = operation["security"] == []
        assert ("401" in found) is not public, (method, path)
        assert ("413" in found) is ("requestBody" in operation), (method, path)


async def test_every_code_stands_at_some_route_under_its_own_status_with_an_example(document: Any) -> None:
    announced = set()
    for _, _, operation in operations(document):
        for status, answer in refusals(document, operation).items():
            for code, reference in answer["content"]["application/problem+json"]["examples"].items():
                example = contract.resolve(document, reference["$ref"])["value"]
                assert (str(example["status"]), example["code"]) == (status, code)
                assert contract.faults(document, {"$ref": "#/components/schemas/Problem"}, example) == []
                announced.add((int(status), code))
    of_no_route = {(405, "method_not_allowed")}
    assert announced == {(problem.status, problem.code) for problem in (*PROBLEMS.values(), INTERNAL)} - of_no_route


async def test_every_call_that_moves_or_asks_for_money_has_a_key_and_no_other_does(document: Any) -> None:
    for method, path, operation in operations(document):
        named = [one["name"] for one in parameters(document, operation) if one["in"] == "header"]
        moves = method == "post" and path.rpartition("/")[2] in KEYED
        wanted = ["Idempotency-Key"] if moves else ["Origin"] if path in FROM_OWN_PAGES else []
        assert named == wanted, (method, path)


@pytest.mark.parametrize(("path", "body"), FROM_OWN_PAGES.items())
async def test_what_begins_a_session_says_that_it_wants_an_origin(shared: Api, path: str, body: Any) -> None:
    """A program that sends none is told which; with that it is let in as far as what it has signed."""
    refused = await shared.call("POST", path, json=body)
    assert code_of(refused) == (403, "forbidden")
    (origin,) = set(refused.json()["detail"].split()) & {"http://localhost:8000,"}
    answer = await shared.call("POST", path, json=body, headers={"Origin": origin.rstrip(",")})
    assert answer.status_code in (404, 422), answer.text


async def test_every_parameter_is_described_and_every_one_of_a_path_is_there(document: Any) -> None:
    for method, path, operation in operations(document):
        listed = parameters(document, operation)
        named = {one["name"] for one in listed if one["in"] == "path"}
        assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}
        assert [one["name"] for one in listed if not one["description"]] == [], (method, path)


async def test_every_operation_says_what_it_does_under_the_name_of_its_handler(shared: Api, document: Any) -> None:
    assert shared.app is not None
    handlers = {
        (method.lower(), route.path_format): handler.handler_name
        for route in shared.app.routes
        if isinstance(route, HTTPRoute)
        for method, (handler, _) in route.route_handler_map.items()
    }
    tags = [tag["name"] for tag in document["tags"] if tag["description"]]
    used = set()
    for method, path, operation in operations(document):
        assert operation["operationId"] == handlers[method, path]
        assert operation["summary"][-1] not in ".…", (method, path)
        assert operation["description"], (method, path)
        (tag,) = operation["tags"]
        used.add(tag)
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    assert used == set(tags)
    assert len(tags) == len(used)


async def test_every_reference_leads_somewhere_and_every_component_is_referred_to(document: Any) -> None:
    found = set(re.findall(r'"\$ref": ?"#/components/([^"]+)"', json.dumps(document)))
    there = {f"{kind}/{name}" for kind, named in document["components"].items() for name in named}
    assert found == there - {f"securitySchemes/{name}" for name in document["components"]["securitySchemes"]}


async def test_times_are_times_and_states_are_named(document: Any) -> None:
    """A field's name says which it is: a text that could be anything is of no use to a generated client."""
    for name, schema in document["components"]["schemas"].items():
        for field, kind in schema.get("properties", {}).items():
            if field.endswith(("_at", "_until")) or field in ("at", "since"):
                forms = [one.get("format") for one in kind.get("anyOf", [kind]) if one.get("type") != "null"]
                assert forms == ["date-time"], (name, field)
            if field in ("state", "rail", "custody", "side", "scopes", "sign_in_method"):
                listed = kind.get("items", kind)
                named = [one for one in listed.get("anyOf", [listed]) if one.get("type") != "null"]
                for one in named:
                    assert {"enum", "const"} & set(contract.resolved(document, one)), (name, field)


async def test_every_example_is_what_its_schema_says(document: Any) -> None:
    """Wherever it stands: of a type, of a parameter, of a body and of an answer."""
    checked = 0
    for schema in schemas(document["components"]["schemas"]):
        for example in schema.get("examples", []):
            assert contract.faults(document, schema, example) == []
            checked += 1
    for method, path, operation in operations(document):
        for parameter in parameters(document, operation):
            for example in parameter["schema"].get("examples", []):
                assert contract.faults(document, parameter["schema"], example) == []
                checked += 1
        answers = [contract.response_of(document, operation, status) for status in operation["responses"]]
        for part in (operation.get("requestBody", {}), *answers):
            for media in part.get("content", {}).values():
                if "example" in media:
                    assert contract.faults(document, media["schema"], media["example"]) == [], (method, path)
                    checked += 1
    assert checked > 200


async def test_every_example_is_read_as_the_type_that_its_handler_takes_or_answers(shared: Api, document: Any) -> None:
    """By the decoder of the API, which knows more than a schema can say."""
    assert shared.app is not None
    for route in shared.app.routes:
        for method, (handler, _) in getattr(route, "route_handler_map", {}).items():
            if not handler.resolve_include_in_schema():
                continue
            operation = document["paths"][route.path_format][method.lower()]
            signature = handler.parsed_fn_signature
            answered = signature.return_type
            kind = answered.inner_types[0].raw if answered.inner_types else answered.raw
            for status, answer in operation["responses"].items():
                if status < "400" and "application/json" in answer["content"]:  # a stream and a file are none
                    example = answer["content"]["application/json"]["example"]
                    read = msgspec.convert(example, kind)
                    assert msgspec.json.decode(msgspec.json.encode(read)) == example, operation["operationId"]
            takes = signature.parameters.get("data")
            taken = takes.raw if takes else list[BulkPaymentRequest]
            assert ("requestBody" in operation) is (takes is not None or handler.handler_name == "pay_batch")
            for name, media in operation.get("requestBody", {}).get("content", {}).items():
                msgspec.convert([media["example"]] if name.endswith("ndjson") else media["example"], taken)


async def test_examples_of_calls_are_answered_as_their_examples_say(api: Api, document: Any) -> None:
    """The first calls of an integrator, as they stand in the document, one after the other."""
    alice, bob = await api.person("alice", "482.50 EUR", "20 USDX", "5.00 USD"), await api.person("bob")
    await api.person("shop")

    async def calls(asker: Person, path: str, id: str = "", method: str = "post") -> Any:
        operation = document["paths"][path][method]
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
        if body is None:
            answer = await asker.get(path.replace("{id}", id))
        else:
            answer = await asker.post(path.replace("{id}", id), body)
        example = operation["responses"][str(answer.status_code)]["content"]["application/json"]["example"]
        assert stripped(answer.json()) == stripped(example), path
        return answer.json()

    await calls(alice, "/v1/payments/preview")
    paid = await calls(alice, "/v1/payments")
    await calls(alice, "/v1/payments/{id}", paid["id"], "get")
    await calls(bob, "/v1/payments/{id}/refund", paid["id"])
    held = (await alice.pay("@bob", "12.50 EUR", memo="lunch", capture=False)).json()
    await calls(bob, "/v1/payments/{id}/capture", held["id"])
    held = (await alice.pay("@bob", "12.50 EUR", memo="lunch", capture=False)).json()
    await calls(bob, "/v1/payments/{id}/void", held["id"])
    queued = (await alice.pay("@bob", "5 USDX", memo="lunch")).json()
    signed = document["paths"]["/v1/payments/{id}/signature"]["post"]["responses"]["200"]
    assert stripped(queued) == stripped(signed["content"]["application/json"]["example"])
    await calls(alice, "/v1/payments/batch")
    await calls(alice, "/v1/deposits")
    await calls(alice, "/v1/withdrawals")
    await calls(alice, "/v1/conversions")
    await calls(alice, "/v1/mandates")
    await calls(alice, "/v1/requests")
    await calls(alice, "/v1/keys")


#: What is another one at each call: ids, times, keys, and what the story of the examples has before them.
_ITS_OWN = ("id", "refund_of", "created_at", "settled_at", "expires_at", "api_key", "available_after")

#: What the wallet that wrote it is shown alone.
_NOTES = ("reference", "metadata")


def stripped(value: Any) -> Any:
    """The value without what is another one at each call."""
    if isinstance(value, list):
        return [stripped(one) for one in value]
    if isinstance(value, dict):
        return {name: stripped(one) for name, one in value.items() if name not in (*_ITS_OWN, *_NOTES)}
    return value


#: What a browser writes, and may write more of one day: pages send it on as it is.
OF_BROWSERS = {"PushSubscriptionRequest", "PushKeys"}


async def test_requests_in_the_document_have_no_room_for_unknown_fields(document: Any) -> None:
    for _, _, operation in operations(document):
        for media in operation.get("requestBody", {}).get("content", {}).values():
            schema = contract.resolve(document, media["schema"].get("items", media["schema"])["$ref"])
            if schema["title"] not in OF_BROWSERS:
                assert schema.get("additionalProperties") is False, schema["title"]


async def test_the_examples_of_a_payments_answers_are_the_usual_ones(document: Any) -> None:
    answers = document["paths"]["/v1/payments"]["post"]["responses"]
    shown = {status: answers[status]["content"]["application/json"]["example"] for status in ("201", "202")}
    assert {status: (one["state"], one["route"]["rail"]) for status, one in shown.items()} == {
        "201": ("settled", "ledger"),
        "202": ("queued", "chain"),
    }
    waiting = document["paths"]["/v1/payments/waiting"]["get"]["responses"]["200"]["content"]["application/json"]
    assert any(one["to_sign"] for one in waiting["example"]["items"]), "what is to be signed is shown there"

"""The document: complete, and its examples are what it says. Answers are held to it in every other file."""

from collections.abc import Iterator
from typing import Any

import pytest

from gateway.api.problems import INTERNAL, PROBLEMS
from tests.api import contract
from tests.api.conftest import Api, code_of

pytestmark = pytest.mark.anyio

#: What begins a session, each with a body of its form.
ASSERTION = dict.fromkeys(("credential_id", "client_data", "authenticator_data", "signature"), "AAAA")
FROM_OWN_PAGES: dict[str, Any] = {
    "/v1/sessions/passkey": ASSERTION,
    "/v1/sessions/ethereum": {"message": "Sign me in", "signature": "0x11"},
    "/v1/sessions/recovery-code": {"handle": "nobody_here", "code": "k7fm-2q9x-0c4t-hhz3"},
    "/v1/sign-ups": {
        "handle": "erin",
        "user_id": "AAAA",
        "name": "Laptop",
        "client_data": "AAAA",
        "attestation": "AAAA",
    },
}

KEYED = ("batch", "deposits", "withdrawals", "conversions", "payments", "capture", "void", "refund", "draws")


@pytest.fixture
async def document(shared: Api) -> Any:
    answer = await shared.client.get("/openapi.json")
    assert answer.status_code == 200
    return answer.json()


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


async def test_every_route_announces_its_problems_as_such(document: Any) -> None:
    for method, path, operation in operations(document):
        refusals = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert "500" in refusals, (method, path)
        for answer in refusals.values():
            assert set(answer["content"]) == {"application/problem+json"}, (method, path)
        public = operation.get("security") == []
        assert ("401" in refusals) is not public, (method, path)
        assert ("413" in refusals) is ("requestBody" in operation), (method, path)


async def test_every_code_stands_at_some_route_under_its_own_status(document: Any) -> None:
    announced = {
        (int(status), code)
        for _, _, operation in operations(document)
        for status, answer in operation["responses"].items()
        for part in answer["content"].get("application/problem+json", {}).get("schema", {}).get("allOf", [])
        for code in part.get("properties", {}).get("code", {}).get("enum", [])
    }
    of_no_route = {(405, "method_not_allowed")}
    assert announced == {(problem.status, problem.code) for problem in (*PROBLEMS.values(), INTERNAL)} - of_no_route


async def test_every_call_that_moves_money_asks_for_a_key_and_no_other_does(document: Any) -> None:
    for method, path, operation in operations(document):
        named = [one["name"] for one in operation.get("parameters", []) if one["in"] == "header"]
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


async def test_every_path_parameter_is_described(document: Any) -> None:
    for _, path, operation in operations(document):
        named = {one["name"] for one in operation.get("parameters", []) if one["in"] == "path"}
        assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}


async def test_every_route_has_a_summary_a_description_and_an_id_of_its_own(document: Any) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    for method, path, operation in operations(document):
        assert operation["summary"], (method, path)
        assert operation["description"], (method, path)


async def test_every_reference_leads_somewhere(document: Any) -> None:
    for schema in schemas(document):
        if "$ref" in schema:
            assert contract.resolve(document, schema["$ref"])


async def test_every_example_is_what_its_schema_says(document: Any) -> None:
    checked = 0
    for schema in schemas(document["components"]["schemas"]):
        for example in schema.get("examples", []):
            assert contract.faults(document, schema, example) == []
            checked += 1
    for _, _, operation in operations(document):
        for parameter in operation.get("parameters", []):
            if "example" in parameter:
                assert contract.faults(document, parameter["schema"], parameter["example"]) == []
                checked += 1
    assert checked > 10


async def test_requests_in_the_document_have_no_room_for_unknown_fields(document: Any) -> None:
    for _, _, operation in operations(document):
        for media in operation.get("requestBody", {}).get("content", {}).values():
            schema = contract.resolve(document, media["schema"].get("items", media["schema"])["$ref"])
            assert schema.get("additionalProperties") is False, schema["title"]

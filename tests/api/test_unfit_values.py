"""Values that PostgreSQL cannot take, wherever a request may have one: the caller's mistake, and found before.

NUL is in no text of PostgreSQL's, an integer has 32 or 64 bits, and a time with an offset may lie outside all years.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from gateway.identity.rate_limits import Limits, Rate, Rates
from gateway.money import Assets
from gateway.postgres.pool import Database
from tests.api import contract
from tests.api.conftest import Person, code_of, opened
from tests.api.test_operators import operator

pytestmark = pytest.mark.anyio

TEXTS = ["a\0b", "\0", "@alice\0", "x" * 10_000, "\ufffe", "\U0010ffff"]
NUMBERS = [2**31, 2**63, 2**64, 10**30, -1, -(2**63) - 1]
TIMES = [
    "9999-12-31T23:59:59-23:59",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59.999999Z",
    "0001-01-01T00:00:00Z",
]
QUERIES = ["%00", "a%00b", "9" * 30, "-1", "%ff", "%ed%a0%80"]

#: What a field may be so that the rest of a body is read on, by its name. Any other text is `x`.
FIT = {
    "amount": "1.00",
    "asset": "EUR",
    "to_asset": "USD",
    "to": "@bob",
    "payee": "@bob",
    "handle": "bob",
    "period": "1.00",
    "payment": "1.00",
    "day": "2.00",
    "draw": "1.00",
    "total": "1.00",
    "scopes": ["read"],
    "kind": "wallet.freeze",
    "rail": "ledger",
    "address": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "value": "1",
    "validAfter": "0",
    "validBefore": "1900000000",
    "nonce": "0x" + 64 * "7",
    "signature": "0x" + 130 * "1",
    "from": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
    "networks": [],
    "trusted": [],
    "code": "x",
    "limits": {},
}


def fit(document: Any, schema: Any, name: str = "") -> Any:
    """A value that the schema allows."""
    if "$ref" in schema:
        schema = contract.resolve(document, schema["$ref"])
    if name in FIT:
        return FIT[name]
    for choice in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        return fit(document, choice, name)
    match schema.get("type"):
        case "object":
            return {one: fit(document, schema["properties"][one], one) for one in schema.get("required", ())}
        case "array":
            return []
        case "integer":
            return schema.get("minimum", 1)
        case "boolean":
            return True
    return "x"


def unfit(document: Any, schema: Any, name: str = "") -> Iterator[Any]:
    """Values of the schema's kind, one unfit thing in each."""
    if "$ref" in schema:
        schema = contract.resolve(document, schema["$ref"])
    for choice in (*schema.get("oneOf", ()), *schema.get("anyOf", ())):
        yield from unfit(document, choice, name)
    match schema.get("type"):
        case "object" if "properties" in schema:
            whole = fit(document, schema)
            for one, inner in schema["properties"].items():
                yield from (whole | {one: value} for value in unfit(document, inner, one))
        case "object" if isinstance(schema.get("additionalProperties"), dict):
            yield from ({"EUR": value} for value in unfit(document, schema["additionalProperties"]))
            yield from ({text: fit(document, schema["additionalProperties"])} for text in TEXTS)
        case "array":
            yield from ([value] for value in unfit(document, schema["items"]))
        case "integer":
            yield from NUMBERS
        case "string":
            yield from TIMES if schema.get("format") == "date-time" else TEXTS


def calls(document: Any) -> Iterator[tuple[str, str, Any]]:
    """Every call with one unfit value: method, path and body."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            place = path.replace("{", "").replace("}", "")
            for parameter in (contract.resolved(document, one) for one in operation.get("parameters", ())):
                if parameter["in"] == "query":
                    required = "asset=EUR&" if path == "/v1/entries" and parameter["name"] != "asset" else ""
                    yield from ((method, f"{place}?{required}{parameter['name']}={value}", None) for value in QUERIES)
                if parameter["in"] == "path":
                    yield from ((method, path.replace(f"{{{parameter['name']}}}", value), {}) for value in QUERIES)
            for content in operation.get("requestBody", {}).get("content", {}).values():
                yield from ((method, place, body) for body in unfit(document, content["schema"]))


async def test_a_value_that_postgresql_cannot_take_is_refused_before_it_is_asked(
    database: Database, assets: Assets
) -> None:
    plenty = Rate(1_000_000, timedelta(hours=1))
    async with opened(database, assets, limits=Limits(Rates(plenty, plenty, plenty))) as api:
        alice, ann = await api.person("alice", "100.00 EUR"), await operator(api, "ann")
        await api.person("bob")
        document = (await api.client.get("/openapi.json")).json()
        found, tried = [], 0
        for method, path, body in calls(document):
            token = ann.token if path.startswith("/v1/operator/") else alice.api_key
            headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": uuid4().hex}
            answer = await api.call(method.upper(), path, json=body, headers=headers)
            tried += 1
            if answer.status_code >= 500:
                found.append((method, path, body, answer.json()["detail"]))
        assert found == []
        assert tried > 500


@pytest.mark.parametrize(
    ("method", "path", "body", "detail"),
    [
        (
            "GET",
            "/v1/payments?memo=a%00b",
            None,
            "the query parameter memo has a NUL character, which no text here has",
        ),
        (
            "POST",
            "/v1/mandates",
            {"payee": "@bob", "asset": "EUR", "period": "1.00", "expires_at": "9999-12-31T23:59:59-23:59"},
            "expires_at is outside the years 1 to 9999 in UTC",
        ),
    ],
)
async def test_it_is_told_what_is_wrong_with_it(
    alice: Person, bob: Person, method: str, path: str, body: Any, detail: str
) -> None:
    answer = await alice.api.call(method, path, json=body, headers=alice.bearer)
    assert (code_of(answer), answer.json()["detail"]) == ((400, "invalid_request"), detail)

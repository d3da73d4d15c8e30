"""HEAD, OPTIONS and Allow on every path there is, and query parameters on every route."""

from typing import Any

import pytest

from tests.api.conftest import Api, Person, code_of

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def paths(shared: Api) -> dict[str, set[str]]:
    """Every path of the document, with the methods it has there."""
    document = (await shared.client.get("/openapi.json")).json()
    return {path: {method.upper() for method in operations} for path, operations in document["paths"].items()}


def filled(path: str) -> str:
    return path.replace("{", "").replace("}", "")


async def test_options_and_allow_name_just_the_methods_that_a_path_takes(
    shared: Api, paths: dict[str, set[str]]
) -> None:
    assert len(paths) > 50
    for path, methods in paths.items():
        takes = ", ".join(sorted(methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())))
        for written in (filled(path), filled(path) + "/"):
            options = await shared.client.options(written)
            assert (options.status_code, options.headers["allow"], options.content) == (204, takes, b""), path
        for wrong in {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "TRACE"} - set(takes.split(", ")):
            refused = await shared.client.request(wrong, filled(path))
            assert (refused.status_code, refused.headers["allow"]) == (405, takes), (wrong, path)


async def test_options_of_no_path_is_not_found(shared: Api) -> None:
    assert (await shared.client.options("/v1/nothing")).status_code == 404


async def test_head_has_the_headers_of_get_and_no_body(alice: Person, bob: Person, paths: dict[str, set[str]]) -> None:
    payment = (await alice.pay("@bob", "1.00 EUR")).json()["id"]
    asked = [filled(path) for path, methods in paths.items() if "GET" in methods and "{" not in path]
    asked.remove("/v1/events/stream")  # it never ends; test_stream.py has its HEAD
    assert len(asked) > 10
    changing = ("x-request-id", "retry-after")
    for path in (
        *asked,
        "/v1/entries?asset=EUR",
        "/v1/handles/bob",
        f"/v1/payments/{payment}",
        "/nope",
        "/openapi.json",
    ):
        get, head = [await alice.api.client.request(method, path, headers=alice.bearer) for method in ("GET", "HEAD")]
        told = [{name: value for name, value in one.headers.items() if name not in changing} for one in (get, head)]
        assert (head.status_code, head.content) == (get.status_code, b""), path
        assert told[1] == told[0], path
    assert (await alice.api.client.head("/v1/wallet")).status_code == 401


#: Parameters that people try, where there are none of that name.
UNKNOWN = ["Mode=all", "x", "x=", "limit =1", "%6Cimit2=1", "LIMIT=1", "=1", "a&b"]


async def test_no_route_takes_a_query_parameter_that_it_does_not_know(
    shared: Api, alice: Person, paths: dict[str, set[str]]
) -> None:
    for path, methods in paths.items():
        for method in methods:
            for query in UNKNOWN:
                answer = await shared.call(
                    method, f"{filled(path)}?{query}", headers={**alice.bearer, "Idempotency-Key": "k"}, json={}
                )
                assert code_of(answer) == (400, "invalid_request"), (method, path, query)
                assert answer.json()["kind"] == "unknown_parameter", (method, path, query)


@pytest.mark.parametrize(
    "query", ["Mode=all", "mode=all&Mode=all", "mode=All", "mode=all&mode=all", "mode=each&mode=all"]
)
async def test_a_payroll_meant_all_or_none_is_not_paid_in_part(alice: Person, bob: Person, query: str) -> None:
    body: Any = [{"to": "@bob", "amount": "1.00", "asset": "EUR"}, {"to": "@nobody", "amount": "1.00", "asset": "EUR"}]
    before = await alice.balance("EUR")
    answer = await alice.post(f"/v1/payments/batch?{query}", body)
    assert code_of(answer) == (400, "invalid_request")
    assert await alice.balance("EUR") == before


async def test_a_payment_with_a_query_is_refused_as_on_every_route(alice: Person, bob: Person) -> None:
    before = await alice.balance("EUR")
    answer = await alice.post("/v1/payments?capture=false", {"to": "@bob", "amount": "1.00", "asset": "EUR"})
    assert (code_of(answer), answer.json()["kind"]) == ((400, "invalid_request"), "unknown_parameter")
    assert "capture" in answer.json()["detail"]
    assert await alice.balance("EUR") == before


async def test_an_unknown_parameter_is_told_with_those_that_there_are(alice: Person) -> None:
    detail = (await alice.get("/v1/events?since=3")).json()["detail"]
    takes = "it takes after, before, from, limit, object, order, type, until"
    assert detail == f"this call has no query parameter 'since': {takes}"
    assert (await alice.get("/v1/policy?since=3")).json()["detail"].endswith("it takes none")


@pytest.mark.parametrize("query", ["limit=1&limit=1", "limit=1&limit=2", "after=0&limit=1&after=1"])
async def test_a_parameter_stands_once(alice: Person, query: str) -> None:
    answer = await alice.get(f"/v1/events?{query}")
    assert (code_of(answer), answer.json()["kind"]) == ((400, "invalid_request"), "repeated_parameter")

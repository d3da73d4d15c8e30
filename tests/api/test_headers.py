"""What every answer tells browsers, whichever it is and whoever gave it."""

import httpx
import pytest

from gateway.http.answer.headers import security_headers
from tests.api.conftest import Api, Person

pytestmark = pytest.mark.anyio

#: What every answer of the API says, once each.
HEADERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


def holds(answer: httpx.Response) -> None:
    for name, value in HEADERS.items():
        assert answer.headers.get_list(name) == [value], (answer.request.url, answer.status_code)
    assert len(answer.headers.get_list("x-request-id")) == 1


async def test_every_route_says_how_browsers_are_to_hold_its_answer(shared: Api) -> None:
    document = (await shared.client.get("/openapi.json")).json()
    asked = [(method, path) for path, operations in document["paths"].items() for method in operations]
    assert len(asked) > 50

    for method, path in asked:
        holds(await shared.client.request(method, path.replace("{", "").replace("}", "")))


async def test_what_no_route_answers_says_it_too(shared: Api) -> None:
    for answer in (
        await shared.client.get("/openapi.json"),
        await shared.client.get("/nope"),
        await shared.client.delete("/v1/wallet"),
        await shared.client.post("/v1/handles", content=b"x" * 100_000),
    ):
        holds(answer)


async def test_payments_that_are_answered_before_the_router_say_it_too(alice: Person, bob: Person) -> None:
    paid, queued = await alice.pay("@bob", "1.00 EUR"), await alice.pay("@bob", "1 USDX")
    refused = await alice.pay("@bob", "1000.00 EUR")

    assert (paid.status_code, queued.status_code, refused.status_code) == (201, 202, 409)
    for answer in (paid, queued, refused):
        holds(answer)


def test_a_gateway_that_people_find_over_https_is_asked_over_https_alone() -> None:
    assert (b"strict-transport-security", b"max-age=31536000") in security_headers("https://pay.example")
    assert b"strict-transport-security" not in dict(security_headers("http://127.0.0.1:8000"))

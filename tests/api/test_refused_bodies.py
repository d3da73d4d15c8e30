"""Bodies that cannot be read or understood: each is its own problem, and none leaves a trace."""

from typing import Any

import pytest

from tests.api.conftest import Person, code_of
from tests.api.test_refusals import GOOD, refused

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("to", wrong) for wrong in (5, None, [], {}, True)),
        *(("asset", wrong) for wrong in (5, None, ["EUR"], {})),
        *(("memo", wrong) for wrong in (5, [], {}, False, "x" * 281, "a\0b")),
        *(("capture", wrong) for wrong in ("false", "true", 0, 1, None, "", [])),
    ],
)
async def test_a_field_of_another_type_is_refused(alice: Person, bob: Person, field: str, value: object) -> None:
    problem = await refused(alice, "/v1/payments", GOOD | {field: value})
    assert (problem["status"], problem["code"]) == (400, "invalid_request")
    assert field in problem["detail"]


CAP: dict[str, Any] = {"asset": "EUR", "payment": "1.00"}


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("/v1/payments", GOOD | {"to": 5}, "to should be a string, not a number: write it in quotes"),
        ("/v1/payments", GOOD | {"memo": []}, "memo should be a string or null, not an array"),
        ("/v1/payments", GOOD | {"capture": "false"}, "capture should be a boolean, not a string"),
        ("/v1/keys", {"name": "x", "scopes": {}}, "scopes should be an array, not an object"),
        (
            "/v1/keys",
            {"name": "x", "scopes": [], "caps": [CAP | {"payment": 5.0}]},
            "caps[0].payment should be a string or null, not a number: write it in quotes",
        ),
        (
            "/v1/keys",
            {"name": "x", "scopes": [], "caps": [CAP, CAP | {"rail": "bank"}]},
            "caps[1].rail cannot be 'bank': it should be chain or ledger",
        ),
        ("/v1/keys", {"name": "x", "scopes": [], "caps": [{"day": "5.00"}]}, "the field 'asset' is missing in caps[0]"),
        (
            "/v1/keys",
            {"name": "x", "scopes": [], "caps": [CAP | {"week": "5.00"}]},
            "there is no field 'week' in caps[0]; there are: asset, rail, payee, payment, day",
        ),
        (
            "/v1/payments",
            GOOD | {"note": "x"},
            "there is no field 'note' here; there are: to, amount, asset, memo, capture, reference, metadata, request",
        ),
        (
            "/v1/payments",
            GOOD | {"metadata": {"order": []}},
            "a value in metadata should be a boolean, a number or a string, not an array",
        ),
        (
            "/v1/mandates",
            {"payee": "@bob", "asset": "EUR", "period": "1.00", "expires_at": "tomorrow"},
            "expires_at should be a date, a time and an offset (RFC 3339), such as 2030-01-31T12:00:00Z",
        ),
        (
            "/v1/mandates",
            {"payee": "@bob", "asset": "EUR", "period": "1.00", "draw": "1.01"},
            "draw is 1.01 EUR, more than the 1.00 EUR of a whole period: make one of them fit the other",
        ),
        (
            "/v1/keys",
            {"name": "x", "scopes": []},
            "a key has one scope at least; there are: read, pay, refund, webhooks",
        ),
        (
            "/v1/keys",
            {"name": "x", "scopes": ["owner"]},
            "no key is made with the scope 'owner': what only the owner does takes a passkey",
        ),
        (
            "/v1/keys",
            {"name": "x", "scopes": ["write"]},
            "'write' is not a scope; there are: read, pay, refund, webhooks",
        ),
        ("/v1/keys", {"name": "x", "scopes": [], "expires_in": 0}, "expires_in should be an integer >= 1"),
        (
            "/v1/keys",
            {"name": "x", "scopes": [], "expires_in": 1.5},
            "expires_in should be an integer or null, not a number with decimals",
        ),
    ],
)
async def test_what_is_wrong_in_a_body_is_said_in_words_of_json(
    alice: Person, bob: Person, path: str, body: object, detail: str
) -> None:
    assert (await refused(alice, path, body))["detail"] == detail


async def test_an_empty_body_is_told_what_to_send(alice: Person, bob: Person) -> None:
    held = (await alice.pay("@bob", "1.00 EUR", capture=False)).json()["id"]
    headers = {**bob.bearer, "Idempotency-Key": "empty", "Content-Type": "application/json"}
    answer = await bob.api.call("POST", f"/v1/payments/{held}/void", content=b"", headers=headers)
    assert answer.json()["detail"] == "the body is empty: send a JSON object, {} where no field is needed"


@pytest.mark.parametrize("field", ["to", "amount", "asset"])
async def test_a_field_that_is_missing_is_named(alice: Person, field: str) -> None:
    problem = await refused(alice, "/v1/payments", {name: value for name, value in GOOD.items() if name != field})
    assert (problem["code"], problem["kind"]) == ("invalid_request", "missing_field")
    assert repr(field) in problem["detail"]


@pytest.mark.parametrize("field", ["fee", "Amount", "amount ", "", "a\nb", "ключ", "x` - at `$.amount", "__proto__"])
async def test_a_field_that_is_not_known_is_refused_and_named(alice: Person, bob: Person, field: str) -> None:
    problem = await refused(alice, "/v1/payments", GOOD | {field: 1})
    assert (problem["status"], problem["code"], problem["kind"]) == (400, "invalid_request", "unknown_field")
    assert repr(field) in problem["detail"]


@pytest.mark.parametrize("body", [b'{"to":"@bob","amount":"1.00","amount":"2.00","asset":"EUR"}', b'{"memo":"a",' * 2])
async def test_a_field_that_is_there_twice_is_refused(alice: Person, bob: Person, body: bytes) -> None:
    problem = await refused(alice, "/v1/payments", body)
    assert problem["code"] == "invalid_request"
    assert problem["kind"] in ("repeated_field", "json")


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"3", b'"x"', b"true", b"[[[[" * 15_000, b"[1, 2]"])
@pytest.mark.parametrize("path", ["/v1/payments", "/v1/deposits", "/v1/handles", "/v1/payments/pay_x/void"])
async def test_what_is_not_an_object_is_refused(alice: Person, path: str, body: bytes) -> None:
    problem = await refused(alice, path, body)
    assert (problem["status"], problem["code"], problem["kind"]) == (400, "invalid_request", "object")


@pytest.mark.parametrize(
    "body",
    [
        *(b"{", b"{}}", b"{'to': 1}", b"to=@bob&amount=1.00", b"\x00"),
        *(b'{"to":"\xff"}', b'{"to":"\\ud800"}', b'{"\xff":1}', b'{"to":"@bob","amount":"1.00","asset":"EUR"} x'),
    ],
)
async def test_what_is_not_json_is_refused(alice: Person, body: bytes) -> None:
    problem = await refused(alice, "/v1/payments", body)
    assert (problem["status"], problem["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "body", [b'{"to":' * 10_000, b'{"x":' + b"[" * 60_000, b'{"amount":' + b"[" * 60_000, b"{" * 60_000]
)
async def test_however_deep_a_body_nests_the_server_lives(alice: Person, body: bytes) -> None:
    assert (await refused(alice, "/v1/payments", body))["status"] in (400, 422)
    assert (await alice.get("/v1/wallet")).status_code == 200


async def test_a_body_of_ten_megabytes_is_not_read(alice: Person) -> None:
    for path in ("/v1/payments", "/v1/handles"):
        problem = await refused(alice, path, b"x" * 10_000_000)
        assert (problem["status"], problem["code"], problem["bytes_max"]) == (413, "body_too_large", 65536)


async def test_a_body_without_a_length_is_not_read_beyond_the_limit(alice: Person) -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while True:
            sent += 10_000
            yield b"x" * 10_000

    answer = await alice.api.call("POST", "/v1/handles", content=endless())

    assert code_of(answer) == (413, "body_too_large")
    assert sent < 200_000

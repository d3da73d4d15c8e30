"""Header fields that change what a request means, one by one and in each spelling, on a socket: on the payment path, on
the handler behind it and on an ordinary route alike (RFC 9110, 9457).
"""

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest

from tests.api.conftest import Api, Person
from tests.api.test_framing import WAYS, every_way, moved
from tests.api.wire import Wire, head, listening
from tests.received import Received

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture(scope="module")
async def wire(shared: Api) -> AsyncIterator[Wire]:
    async with listening(shared) as wire:
        yield wire


@pytest.fixture(scope="module")
async def payer(shared: Api) -> Person:
    await shared.person("shop")
    return await shared.person("payer", "1000.00 EUR")


async def ask(
    wire: Wire, line: str, person: Person | None, body: bytes, *fields: str, key: str | None = None
) -> Received:
    """One request, and its answer."""
    framing = [f"Content-Length: {len(body)}"] if body else []
    sent = head(line + " HTTP/1.1", person, *framing, "Connection: close", *fields, key=key) + body
    (answer,) = await wire.send(sent, heads=line.startswith("HEAD"))
    return answer


async def refused(
    wire: Wire, payer: Person, way: str, fields: list[str], body: bytes | None = None, key: str | None = ""
) -> Any:
    """The problem that the call is answered with; nothing has moved."""
    path, whole, _ = WAYS[way]
    before = await moved(wire.api)
    key = uuid4().hex if key == "" else key
    answer = await ask(wire, f"POST {path}", payer, whole if body is None else body, *fields, key=key)
    assert await moved(wire.api) == before
    assert answer.header("x-request-id")
    return answer.problem | {name: value for name, value in answer.headers if name.startswith("accept")}


#: What may be said of a body, and of what is wanted back, without changing what is asked.
UNDERSTOOD = [
    ["Content-Type: application/json"],
    ["content-type:application/json"],
    ["CONTENT-TYPE: \t Application/JSON \t"],
    ["Content-Type: application/json; charset=utf-8"],
    ["Content-Type: application/json;charset=UTF-8"],
    ['Content-Type: application/json; Charset="utf-8"'],
    ["Content-Type: application/json; charset=utf8; profile=x"],
    ["Content-Type: application/json;"],
    ["Content-Encoding: identity"],
    ["Content-Encoding: Identity, ,identity"],
    ["Content-Encoding:"],
    ["Content-Language: fr, en"],
    ["Content-Location: /elsewhere"],
    ["Accept: text/html"],
    ["Accept-Encoding: gzip;q=1.0, *;q=0"],
    ["Accept-Charset: utf-16"],
    ["Accept-Language: fr"],
    ["Range: bytes=0-1"],
    ['If-Range: "x"', "Range: bytes=0-1"],
    ["If-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT"],
    ["If-Unmodified-Since: Sat, 29 Oct 1994 19:43:31 GMT"],
    ['If-None-Match: "x"'],
    ['If-None-Match: W/"x", "y"'],
    ["Cache-Control: only-if-cached", "Pragma: no-cache"],
    ["Cookie: a=b"],
    ["X-Anything: 1", "X-Anything: 2"],
]


@every_way
@pytest.mark.parametrize("fields", UNDERSTOOD, ids=" ".join)
async def test_what_changes_nothing_is_passed_over(wire: Wire, payer: Person, way: str, fields: list[str]) -> None:
    path, body, done = WAYS[way]
    answer = await ask(wire, f"POST {path}", payer, body, *fields, key=uuid4().hex)
    assert answer.status == done, answer.body


@every_way
@pytest.mark.parametrize(
    "content_type",
    [
        *("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", "text/json"),
        *("application/xml", "application/jsonp", "application/json-patch+json", "application/x-ndjson", "json", "*/*"),
        *("application/json, application/json", "application/json charset=utf-8", "application/json; charset", ""),
    ],
)
async def test_a_body_of_another_type_is_refused_with_the_one_that_is_read(
    wire: Wire, payer: Person, way: str, content_type: str
) -> None:
    problem = await refused(wire, payer, way, [f"Content-Type: {content_type}"])
    assert (problem["status"], problem["code"], problem["kind"]) == (415, "unsupported_media_type", "media_type")
    assert problem["accept"] == "application/json"
    assert "application/json" in problem["detail"]


@every_way
@pytest.mark.parametrize("charset", ["utf-16", "UTF-16LE", "iso-8859-1", '"latin1"', "us-ascii", "utf-7"])
async def test_a_body_in_another_charset_is_refused(wire: Wire, payer: Person, way: str, charset: str) -> None:
    problem = await refused(wire, payer, way, [f"Content-Type: application/json; charset={charset}"])
    assert (problem["status"], problem["code"], problem["kind"]) == (415, "unsupported_media_type", "charset")


@every_way
@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip", "br", "zstd", "deflate", "identity, gzip", "aes128gcm"])
async def test_an_encoded_body_is_refused(wire: Wire, payer: Person, way: str, coding: str) -> None:
    problem = await refused(wire, payer, way, [f"Content-Encoding: {coding}"], gzip.compress(WAYS[way][1]))
    assert (problem["status"], problem["code"], problem["kind"]) == (415, "unsupported_media_type", "content_encoding")
    assert problem["accept-encoding"] == "identity"
    assert coding in problem["detail"]


@every_way
@pytest.mark.parametrize(
    "written",
    [
        gzip.compress,
        *(lambda body, name=name: body.decode().encode(name) for name in ("utf-8-sig", "utf-16", "utf-16-le")),
        *(lambda body, name=name: body.decode().encode(name) for name in ("utf-16-be", "utf-32", "utf-32-be")),
    ],
    ids=["gzip", "mark", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"],
)
async def test_a_body_that_is_not_in_utf_8_is_refused_with_what_it_is(
    wire: Wire, payer: Person, way: str, written: Any
) -> None:
    problem = await refused(wire, payer, way, ["Content-Type: application/json"], written(WAYS[way][1]))
    assert (problem["status"], problem["code"], problem["kind"]) == (415, "unsupported_media_type", "encoding")


@every_way
@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize(
    "name", ["Idempotency-Key", "Authorization", "Content-Type", "Cookie", "Origin", "Sec-Fetch-Site"]
)
async def test_a_header_that_has_one_value_stands_once(
    wire: Wire, payer: Person, way: str, name: str, equal: bool
) -> None:
    key, bearer = uuid4().hex, f"Bearer {payer.api_key}"
    own = {"Idempotency-Key": key, "Authorization": bearer, "Content-Type": "application/json"}.get(name, "same-origin")
    there = [] if name in ("Idempotency-Key", "Authorization") else [f"{name}: {own}"]

    problem = await refused(wire, payer, way, [*there, f"{name.lower()}: {own if equal else own[:-1]}"], key=key)

    assert (problem["status"], problem["code"], problem["kind"]) == (400, "invalid_request", "repeated_header")
    assert name in problem["detail"]


#: Fields whose meaning would be lost, and what is answered.
NOT_DONE = [
    (["Content-Range: bytes 0-9/60"], 400, "content_range"),
    (["X-HTTP-Method-Override: DELETE"], 400, "method"),
    (["X-HTTP-Method: PUT"], 400, "method"),
    (["X-Method-Override: GET"], 400, "method"),
    (['If-Match: "x"'], 412, None),
    (['If-Match: W/"x", "y"'], 412, None),
    (["If-Match: x"], 412, None),
    (["If-Match:"], 412, None),
]


@every_way
@pytest.mark.parametrize(("fields", "status", "kind"), NOT_DONE, ids=repr)
async def test_what_would_make_it_another_request_is_refused(
    wire: Wire, payer: Person, way: str, fields: list[str], status: int, kind: str | None
) -> None:
    problem = await refused(wire, payer, way, fields)
    assert (problem["status"], problem.get("kind")) == (status, kind)
    assert problem["code"] == {400: "invalid_request", 412: "precondition_failed"}[status]


async def test_a_condition_on_there_being_anything_is_told_by_what_get_reads(wire: Wire, payer: Person) -> None:
    """There is a list of payments, and nothing to read at /v1/deposits."""
    for way, field, done in (
        ("payment", "If-Match: *", True),
        ("held", "If-Match: *", True),
        ("deposit", "If-Match: *", False),
        ("payment", "If-None-Match: *", False),
        ("held", "If-None-Match: *", False),
        ("deposit", "If-None-Match: *", True),
    ):
        path, body, status = WAYS[way]
        answer = await ask(wire, f"POST {path}", payer, body, field, key=uuid4().hex)
        assert answer.status == (status if done else 412), (way, field)
    for field, status in (("If-None-Match: *", 304), ("If-Match: *", 200), ('If-Match: "x"', 412)):
        for method in ("GET", "HEAD"):
            answer = await ask(wire, f"{method} /v1/wallet", payer, b"", field)
            assert answer.status == status, (method, field)


async def test_conditions_are_held_on_routes_that_anybody_calls(wire: Wire, payer: Person) -> None:
    body = b'{"handle": "somebody_new"}'
    answer = await ask(wire, "POST /v1/handles", None, body, 'If-Match: "x"')
    assert answer.problem["code"] == "precondition_failed"
    assert (await ask(wire, "GET /v1/handles/somebody_new", None, b"")).status == 404


async def test_whoever_may_not_call_is_told_that_and_not_that_a_condition_fails(wire: Wire) -> None:
    answer = await ask(wire, "POST /v1/payments", None, WAYS["payment"][1], 'If-Match: "x"', key="k")
    assert answer.status == 401


@every_way
@pytest.mark.parametrize("written", [" {} ", "\t{}\t", "{} \t ", "{}"])
async def test_blanks_around_a_header_are_not_of_its_value(wire: Wire, payer: Person, way: str, written: str) -> None:
    path, body, done = WAYS[way]
    key = uuid4().hex
    first = await ask(wire, f"POST {path}", payer, body, f"Idempotency-Key:{written.format(key)}")
    again = await ask(wire, f"POST {path}", payer, body, key=key)
    assert (first.status, again.header("idempotency-replayed")) == (done, "true")
    assert again.body == first.body


async def test_options_of_the_server_names_every_method(wire: Wire) -> None:
    answer = await ask(wire, "OPTIONS *", None, b"")
    assert (answer.status, answer.header("allow")) == (204, "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT")


async def test_a_request_id_comes_back_whatever_is_answered(wire: Wire, payer: Person) -> None:
    for line, body, fields, status in (
        ("POST /v1/payments", WAYS["payment"][1], [], 201),
        ("POST /v1/payments", WAYS["payment"][1], ["Content-Encoding: gzip"], 415),
        ("GET /v1/wallet", b"", ["Expect: more"], 417),
        ("GET /v1/wallet?x=1", b"", [], 400),
        ("HEAD /v1/wallet", b"", [], 200),
        ("OPTIONS /v1/wallet", b"", [], 204),
        ("PUT /v1/wallet", b"", [], 405),
    ):
        answer = await ask(wire, line, payer, body, "X-Request-Id: mine-1", *fields, key=uuid4().hex)
        assert (answer.status, answer.header("x-request-id")) == (status, "mine-1"), line


@pytest.mark.parametrize("content_type", ["application/x-ndjson", "Application/X-NDJSON; charset=UTF-8"])
async def test_lines_are_sent_as_such(wire: Wire, payer: Person, content_type: str) -> None:
    line = b'{"to": "@shop", "amount": "0.01", "asset": "EUR"}\n'
    before = await moved(wire.api)
    named = f"Content-Type: {content_type}"
    answer = await ask(wire, "POST /v1/payments/batch", payer, line * 2, named, key=uuid4().hex)
    assert [json.loads(one)["status"] for one in answer.body.splitlines()] == [201, 201]
    assert await moved(wire.api) == before + 2


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "application/x-ndjson; charset=utf-16"]
)
async def test_many_payments_of_another_type_are_refused(wire: Wire, payer: Person, content_type: str) -> None:
    line = b'{"to": "@shop", "amount": "0.01", "asset": "EUR"}\n'
    before = await moved(wire.api)
    answer = await ask(wire, "POST /v1/payments/batch", payer, line, f"Content-Type: {content_type}", key="k")
    assert (answer.problem["code"], await moved(wire.api)) == ("unsupported_media_type", before)
    assert answer.header("accept") == "application/json, application/x-ndjson"

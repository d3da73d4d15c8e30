"""Text that would be something else elsewhere: statements, headers, lines of a log. Here it is text, or is refused."""

import json
import logging
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from gateway.identity import api_key
from tests.api.conftest import Api, Person, code_of

pytestmark = pytest.mark.anyio

SQL = (
    *("'; DROP TABLE wallet; --", "' OR '1'='1", "alice' UNION SELECT hash FROM api_key --", "$1", "\\'; SELECT 1; --"),
    *("%s%s%n", "{0.__class__}", "1; COPY wallet TO PROGRAM 'id'", "pg_sleep(10)", "/* */ --"),
)
LINES = ("a\r\nSet-Cookie: session=stolen", "a\nHTTP/1.1 200 OK\n\n<script>", "a\x1b[2K\x1b[1A", "a\u2028b", "a\x85b")


async def schema(api: Api) -> list[str]:
    async with api.services.database.reading() as connection:
        rows = await connection.fetch("SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' ORDER BY 1")
    return [row[0] for row in rows]


async def calls(person: Person, text: str) -> list[Any]:
    """Every kind of place that text can be in: bodies, paths, queries and headers."""
    api, quoted = person.api, quote(text, safe="")
    said: list[Any] = [
        await person.get(f"/v1/{path}")
        for path in (
            *(f"handles/{quoted}", f"payments/{quoted}", f"conversions/{quoted}", f"payments?cursor={quoted}"),
            *(f"entries?asset={quoted}", f"events?after={quoted}", f"payments?limit={quoted}"),
        )
    ]
    for path, body in (
        ("handles", {"handle": text}),
        ("payments", {"to": text, "amount": "1.00", "asset": "EUR"}),
        ("payments", {"to": "@bob", "amount": text, "asset": "EUR"}),
        ("payments", {"to": "@bob", "amount": "1.00", "asset": text}),
        ("payments/preview", {"to": text, "amount": "1.00", "asset": text}),
        ("keys", {"name": text, "scopes": [text]}),
        ("mandates", {"payee": text, "asset": text, "period": text}),
        ("sessions/recovery-code", {"handle": text, "code": text}),
        ("sessions/link", {"code": text}),
    ):
        said.append(await person.post(f"/v1/{path}", body))
    for name in ("Idempotency-Key", "Authorization", "X-Request-Id", "Cookie", "X-Forwarded-For", "Origin"):
        headers = {**person.bearer, "Idempotency-Key": uuid4().hex, name: text.encode("utf-8", "replace")}
        body = {"to": "@bob", "amount": "0.01", "asset": "EUR"}
        said.append(await api.client.post("/v1/payments", json=body, headers=headers))
    return said


@pytest.mark.parametrize("text", SQL)
async def test_a_statement_is_text_wherever_it_stands(api: Api, text: str) -> None:
    alice, _ = await api.person("alice", "100.00 EUR"), await api.person("bob")
    before = await schema(api)

    answers = await calls(alice, text)
    kept = (await alice.pay("@bob", "1.00 EUR", memo=text)).json()

    assert [answer.text for answer in answers if answer.status_code >= 500] == []
    assert kept["memo"] == text
    assert (await alice.get(f"/v1/payments/{kept['id']}")).json()["memo"] == text
    assert await schema(api) == before
    assert await api.wrong() == []


@pytest.mark.parametrize("text", LINES)
async def test_no_text_becomes_a_header_or_a_line_of_a_log(
    api: Api, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    alice, _ = await api.person("alice", "100.00 EUR"), await api.person("bob")
    caplog.set_level(logging.DEBUG)

    answers = await calls(alice, text)

    assert [answer.text for answer in answers if answer.status_code >= 500] == []
    for answer in answers:
        assert "set-cookie" not in answer.headers
        assert not any(sign in value for value in answer.headers.values() for sign in "\r\n\x1b\x85")
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("gateway")]
    assert [line for line in ours if text in line] == []


@pytest.mark.parametrize("text", LINES)
async def test_a_fault_of_ours_is_one_line_whatever_was_asked(
    api: Api, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with api.services.database.transaction() as connection:
        await connection.execute("ALTER TABLE wallet RENAME TO gone")

    answer = await api.client.get("/v1/handles/alice" + quote("/../" + text, safe=""))
    key = {"Authorization": "Bearer a key"}
    again = await api.client.get("/v1/payments/" + quote(text.replace("/", " "), safe=""), headers=key)

    assert again.status_code == 500
    assert f"request {again.headers['x-request-id']} to /v1/payments/{{id}} failed" in caplog.text
    assert answer.status_code in (404, 422, 500)
    told = [record.getMessage() for record in caplog.records if record.name == "gateway.http.answer.problems"]
    assert told
    assert [line for line in told if any(sign in line for sign in "\r\n\x1b\x85\u2028")] == []


async def test_a_statement_that_is_called_wrongly_is_a_fault_of_ours_and_told_with_its_traceback(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    alice = await api.person("alice")
    monkeypatch.setitem(vars(api_key.sql)["_by_name"], "api_keys", "SELECT 1")

    answer = await alice.get("/v1/keys")

    assert code_of(answer) == (500, "internal_error")
    (told,) = (record for record in caplog.records if record.name == "gateway.http.answer.problems")
    assert told.exc_info is not None
    assert "the server expects 0 arguments for this query, 2 were passed" in str(told.exc_info[1])


@pytest.mark.parametrize(
    "bomb",
    [
        b"[" * 30_000,
        b'{"to":' * 8_000,
        b"[" * 10_000 + b"]" * 10_000,
        b'{"to":"' + b"\\u0000" * 10_000 + b'"}',
        b'{"amount":' + b"9" * 60_000 + b"}",
        b'{"amount":1e999999999}',
        b'{"to":"@bob","to":"@bob",' * 2_000 + b"}",
        json.dumps({f"field{n}": n for n in range(5_000)}).encode(),
        b"\xff\xfe" * 30_000,
    ],
)
async def test_a_json_bomb_is_refused_and_others_are_answered(alice: Person, bob: Person, bomb: bytes) -> None:
    for path in ("/v1/payments", "/v1/keys", "/v1/mandates", "/v1/handles"):
        assert (await alice.post(path, bomb)).status_code in (400, 413, 415, 422), path
    batch = await alice.post("/v1/payments/batch", bomb)
    assert batch.status_code in (400, 413, 415, 422) or {one["status"] for one in batch.json()} <= {400, 422}
    assert (await alice.pay("@bob", "0.01 EUR")).status_code == 201

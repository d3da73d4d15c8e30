"""Payments that are answered inside the HTTP connection: which those are, and that nobody can tell.

What holds for every request holds for them too, and is tested where it is for all: test_framing.py, test_socket.py.
"""

import asyncio
import gc
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from gateway.api.payments.fast.fast_payments import Call, FastPayments
from gateway.http.request.body import BODY_BYTES_MAX
from tests.api.conftest import Api, Person
from tests.api.wire import Wire, head, listening
from tests.databases import until_waiting
from tests.processes import HANG_SECONDS
from tests.received import Received, answers

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

PAYMENT = b'{"to": "@shop", "amount": "0.01", "asset": "EUR"}'
TO_ADDRESS = b'{"to": "0x%b", "amount": "0.01", "asset": "USDX"}' % (b"ab" * 20)
CLOSE = "Connection: close"


@pytest.fixture(scope="module")
async def payer(shared: Api) -> Person:
    return await shared.person("payer", "1000.00 EUR", "10 USDX")


@pytest.fixture(scope="module")
async def shop(shared: Api, payer: Person) -> Person:
    """The first payment in an asset is the ordinary handler's, which opens the account."""
    shop = await shared.person("shop")
    assert [(await payer.pay("@shop", money)).status_code for money in ("0.01 EUR", "0.01 USDX")] == [201, 202]
    return shop


@pytest.fixture(scope="module")
async def wire(shared: Api, payer: Person, shop: Person) -> AsyncIterator[Wire]:
    async with listening(shared) as wire:
        yield wire


def request(payer: Person, *fields: str, body: bytes = PAYMENT, key: str | None = None, line: str = "") -> bytes:
    """A whole payment, by a key of its own."""
    length = f"Content-Length: {len(body)}"
    return head(line or "POST /v1/payments HTTP/1.1", payer, length, *fields, key=key or uuid4().hex) + body


async def paid(wire: Wire) -> int:
    async with wire.api.services.database.reading() as connection:
        count: int = await connection.fetchval("SELECT count(*) FROM payment")
    return count


@asynccontextmanager
async def held_up(wire: Wire) -> AsyncIterator[None]:
    """No payment of the payer's commits meanwhile."""
    async with wire.api.services.database.transaction() as connection:
        await connection.execute("SELECT FROM account WHERE code = 'wallet:payer:EUR' FOR UPDATE")
        yield


@asynccontextmanager
async def in_flight(wire: Wire, sent: bytes) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection whose payment waits to be committed, and is let go at the end."""
    async with held_up(wire), wire.api.services.database.reading() as connection:
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        writer.write(sent)
        await until_waiting(connection, 1)
        yield reader, writer


async def until(true: Callable[[], bool]) -> None:
    give_up = time.monotonic() + HANG_SECONDS
    while not true():
        assert time.monotonic() < give_up
        await asyncio.sleep(0)  # a turn of the loop, in which the server under test runs


async def one(reader: asyncio.StreamReader) -> Received:
    """The next answer."""
    lines = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HANG_SECONDS)
    (length,) = (line.split()[1] for line in lines.splitlines() if line.startswith(b"content-length"))
    (answer,) = answers(lines + await reader.readexactly(int(length)))
    return answer


async def rest(reader: asyncio.StreamReader) -> list[Received]:
    return answers(await asyncio.wait_for(reader.read(), HANG_SECONDS))


PLAIN = {
    "fiat": (PAYMENT, 201),
    "tokens": (PAYMENT.replace(b"EUR", b"USDX"), 202),
    "with a memo": (PAYMENT[:-1] + b', "memo": "lunch \xe2\x98\x95"}', 201),
    "too much": (PAYMENT.replace(b"0.01", b"10000000.00"), 409),
    "held": (PAYMENT[:-1] + b', "capture": false}', 201),
    "with a note": (PAYMENT[:-1] + b', "reference": "r", "metadata": {"a": 1}}', 201),
    "a handle as people type it": (PAYMENT.replace(b"@shop", b"@SHOP"), 201),
    "tokens to an address": (TO_ADDRESS, 202),
}


@pytest.mark.parametrize("what", PLAIN)
async def test_a_plain_payment_is_answered_before_the_application(
    wire: Wire, payer: Person, by_asgi: list[str], what: str
) -> None:
    body, status = PLAIN[what]
    two = await wire.send(request(payer, body=body), request(payer, CLOSE, body=body))

    assert [answer.status for answer in two] == [status, status]
    assert by_asgi == ["/health/live"]  # by which `send` sees that the first part was read


async def test_a_key_with_caps_is_answered_before_the_application(
    wire: Wire, payer: Person, by_asgi: list[str]
) -> None:
    caps = [{"asset": "EUR", "payment": "0.05", "day": "0.10"}]
    made = await payer.post("/v1/keys", {"name": "till", "scopes": ["pay"], "caps": caps})
    till = replace(payer, api_key=made.json()["api_key"])
    by_asgi.clear()

    def of(amount: bytes) -> bytes:
        return request(till, CLOSE, body=PAYMENT.replace(b"0.01", amount))

    answers = [answer for amount in (b"0.05", b"0.06", b"0.04", b"0.02") for answer in await wire.send(of(amount))]

    assert [answer.status for answer in answers] == [201, 409, 201, 409]
    assert [json.loads(answer.body).get("code") for answer in answers] == [None, "cap_exceeded", None, "cap_exceeded"]
    assert by_asgi == []


async def test_a_key_for_some_networks_is_left_to_the_application(
    wire: Wire, payer: Person, by_asgi: list[str]
) -> None:
    made = await payer.post("/v1/keys", {"name": "far", "scopes": ["pay"], "networks": ["192.0.2.0/24"]})
    far = replace(payer, api_key=made.json()["api_key"])
    by_asgi.clear()
    received = [answer for _ in range(2) for answer in await wire.send(request(far, CLOSE))]
    assert [answer.status for answer in received] == [403, 403]
    assert len(by_asgi) == 2


async def test_a_held_payment_sent_again_has_its_first_answer(wire: Wire, payer: Person, by_asgi: list[str]) -> None:
    held = PAYMENT[:-1] + b', "capture": false}'
    before, key = await paid(wire), uuid4().hex
    first, again = [await wire.send(request(payer, CLOSE, body=held, key=key)) for _ in range(2)]
    assert (first[0].status, first[0].body) == (again[0].status, again[0].body)
    assert again[0].header("idempotency-replayed") == "true"
    assert (await paid(wire) - before, len(by_asgi)) == (1, 1)


@pytest.mark.parametrize("end", ["capture", "void", "refund"])
async def test_the_end_of_a_hold_and_a_refund_are_answered_before_the_application(
    wire: Wire, payer: Person, shop: Person, by_asgi: list[str], end: str
) -> None:
    who, body = (shop, PAYMENT) if end == "refund" else (payer, PAYMENT[:-1] + b', "capture": false}')
    made = json.loads((await wire.send(request(payer, CLOSE, body=body)))[0].body)
    line, key = f"POST /v1/payments/{made['id']}/{end} HTTP/1.1", uuid4().hex
    by_asgi.clear()

    first, again, late = [
        await wire.send(request(who, CLOSE, body=b"{}", key=one, line=line)) for one in (key, key, uuid4().hex)
    ]

    assert first[0].status == (201 if end == "refund" else 200)
    done = json.loads(first[0].body)
    assert (done["state"], done["refund_of"]) == {
        "capture": ("settled", None),
        "void": ("voided", None),
        "refund": ("settled", made["id"]),
    }[end]
    assert (again[0].body, again[0].header("idempotency-replayed")) == (first[0].body, "true")
    assert (late[0].status, json.loads(late[0].body)["code"]) == {
        "capture": (409, "state_conflict"),
        "void": (409, "state_conflict"),
        "refund": (409, "refund_exceeds_payment"),
    }[end]
    assert by_asgi == [f"/v1/payments/{made['id']}/{end}"] * 2, "the first answer again, and refusals"


async def test_whatever_else_is_asked_of_a_hold_the_application_answers(
    wire: Wire, payer: Person, by_asgi: list[str]
) -> None:
    held = PAYMENT[:-1] + b', "capture": false}'
    id = json.loads((await wire.send(request(payer, CLOSE, body=held)))[0].body)["id"]
    by_asgi.clear()
    asked = [
        (f"/v1/payments/{id}/capture", b'{"amount": "9.00"}', 409),
        (f"/v1/payments/{id}/capture", b'{"amount": 1}', 422),
        (f"/v1/payments/{id}/capture?all=1", b"{}", 400),
        (f"/v1/payments/{id.replace('pay', '%70ay')}/capture", b"[]", 400),
        (f"/v1/payments/{id}/void", b'{"amount": "1.00"}', 400),
        (f"/v1/payments/{id}/refund", b'{"reference": "r"}', 403),
        ("/v1/payments/pay_x/void", b"{}", 404),
        (f"/v1/payments/{id}x/void", b"{}", 404),
        ("/v1/payments/capture", b"{}", 405),
    ]
    statuses = [
        (await wire.send(request(payer, CLOSE, body=body, line=f"POST {path} HTTP/1.1")))[0].status
        for path, body, _ in asked
    ]

    assert statuses == [status for *_, status in asked]
    assert len(by_asgi) == len(asked)


#: What is left to the ordinary handler, and its answer.
OTHERWISE: list[tuple[str, list[str], bytes, int]] = [
    ("POST /v1/payments HTTP/1.1", [], PAYMENT[:-1] + b', "reference": ""}', 400),
    ("POST /v1/payments HTTP/1.1", [], PAYMENT.replace(b"@shop", b"@nobody"), 404),
    ("POST /v1/payments HTTP/1.1", [], PAYMENT[:-1], 400),
    ("POST /v1/payments HTTP/1.1", [], b"", 400),
    ("POST /v1/payments HTTP/1.1", ["Content-Encoding: gzip"], PAYMENT, 415),
    ("POST /v1/payments HTTP/1.1", ["Idempotency-Key: other"], PAYMENT, 400),
    ("POST /v1/payments HTTP/1.1", ["Content-Type: text/plain"], PAYMENT, 415),
    ("POST /v1/payments HTTP/1.1", ["Expect: 100-continue"], PAYMENT, 201),
    ("POST /v1/payments?unknown=1 HTTP/1.1", [], PAYMENT, 400),
    ("POST /v1/payments/ HTTP/1.1", [], PAYMENT, 201),
    ("PUT /v1/payments HTTP/1.1", [], PAYMENT, 405),
]


@pytest.mark.parametrize(("line", "fields", "body", "status"), OTHERWISE, ids=repr)
async def test_whatever_else_is_asked_the_application_answers_as_it_came(
    wire: Wire, payer: Person, by_asgi: list[str], line: str, fields: list[str], body: bytes, status: int
) -> None:
    received = await wire.send(request(payer, *fields, CLOSE, body=body, line=line))

    assert [answer.status for answer in received if answer.status != 100] == [status]
    assert len(by_asgi) == 1


async def test_its_headers_are_those_of_the_ordinary_handler(wire: Wire, payer: Person, by_asgi: list[str]) -> None:
    for fields in ([], ["X-Request-Id: mine"]):
        plain, held, last = await wire.send(
            request(payer, *fields),
            request(payer, *fields, line="POST /v1/payments/ HTTP/1.1"),
            request(payer, *fields, CLOSE),
        )

        assert {name for name, _ in plain.headers} == {name for name, _ in held.headers}
        assert len(plain.headers) == len(held.headers)
        both = [dict(answer.headers) for answer in (plain, held)]
        varies = {"content-length", "date"} if fields else {"content-length", "date", "x-request-id"}
        assert {name for name in both[0] if both[0][name] != both[1][name]} <= varies
        assert last.header("connection") == "close"
        assert {name for name, _ in last.headers} == {*both[0], "connection"}
    assert "/v1/payments/" in by_asgi


async def test_a_request_that_is_handed_on_is_read_once_and_paid_once(
    wire: Wire, payer: Person, by_asgi: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[bytes] = []
    ordinary = FastPayments.read

    def note(self: FastPayments, *asked: Any) -> Any:
        read.append(asked[-1])
        return ordinary(self, *asked)

    monkeypatch.setattr(FastPayments, "read", note)
    before, key = await paid(wire), uuid4().hex
    sent = request(payer, key=key)

    first, again = await wire.send(sent + request(payer, CLOSE, key=key))

    assert (first.status, again.status, again.body) == (201, 201, first.body)
    assert again.header("idempotency-replayed") == "true"
    assert (read, by_asgi) == ([PAYMENT, PAYMENT], ["/v1/payments"])
    assert await paid(wire) == before + 1


async def test_a_payment_leaves_nothing_to_the_garbage_collector(wire: Wire, payer: Person) -> None:
    gc.disable()
    try:
        await wire.send(*(request(payer, body=PLAIN[what][0]) for what in PLAIN), request(payer, CLOSE))
        left = [one for one in gc.get_objects() if type(one) is Call]
    finally:
        gc.enable()

    assert left == []


@pytest.mark.parametrize("before_it", [0, 1], ids=["first", "behind another"])
async def test_a_body_that_is_too_large_is_refused_before_its_end_and_once(
    wire: Wire, payer: Person, before_it: int
) -> None:
    size = BODY_BYTES_MAX + 2
    large = head("POST /v1/payments HTTP/1.1", payer, "Transfer-Encoding: chunked", key="large")
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)

    writer.write(request(payer) * before_it + large + b"%x\r\n%b" % (size, PAYMENT.ljust(size - 1)))
    started = [await one(reader) for _ in range(before_it + 1)]
    writer.write(b" \r\n0\r\n\r\n" + request(payer, CLOSE))

    assert [answer.status for answer in [*started, *await rest(reader)]] == [201] * before_it + [413, 201]


async def test_a_client_that_reads_no_answers_is_paid_no_further(wire: Wire, payer: Person) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    writer.write(b"GET /health/live HTTP/1.1\r\nHost: h\r\n\r\n")
    await asyncio.wait_for(reader.readuntil(b"}"), HANG_SECONDS)
    connection: Any
    (connection,) = wire.server.server_state.connections
    connection.pause_writing()  # as its transport says when too much is not read
    before = await paid(wire)

    writer.write(request(payer) + request(payer, CLOSE))
    while await paid(wire) < before + 1:
        await wire.turn()
    for _ in range(2):  # groups, in the second of which the next would be if the first were answered
        await wire.send(request(payer, CLOSE))

    assert await paid(wire) == before + 1 + 2
    connection.resume_writing()
    assert [answer.status for answer in await rest(reader)] == [201, 201]
    writer.close()


async def test_answers_keep_the_order_of_requests_whoever_answers_them(
    wire: Wire, payer: Person, by_asgi: list[str]
) -> None:
    left = PAYMENT.replace(b"@shop", b"@nobody")  # to the application
    wallet = head("GET /v1/wallet HTTP/1.1", payer)
    bodies = [PAYMENT, left, PAYMENT, PAYMENT[:-1], PAYMENT, left]

    sent = b"".join(wallet + request(payer, f"X-Request-Id: {n}", body=body) for n, body in enumerate(bodies))
    received = await wire.send(sent + request(payer, "X-Request-Id: last", CLOSE))

    assert [answer.status for answer in received[1:12:2]] == [201, 404, 201, 400, 201, 404]
    assert [answer.header("x-request-id") for answer in received[1:12:2]] == list("012345")
    assert (received[-1].status, received[-1].header("x-request-id")) == (201, "last")
    assert by_asgi.count("/v1/payments") == 3


async def test_a_connection_is_kept_for_the_next_payment_and_closed_idle_by_a_stop(
    shared: Api, payer: Person, shop: Person
) -> None:
    async with listening(shared) as wire:
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        for _ in range(3):  # each sent when the one before is answered
            writer.write(request(payer))
            assert (await one(reader)).status == 201
    assert await rest(reader) == []


# ---- hanging up, stopping, mistakes ---------------------------------------------------------------------------------


async def test_a_payment_whose_client_hung_up_is_paid_and_a_stop_waits_for_it(
    shared: Api, payer: Person, shop: Person
) -> None:
    key = uuid4().hex
    async with listening(shared) as wire:
        before = await paid(wire)
        async with in_flight(wire, request(payer, key=key)) as (_, writer):
            writer.close()
            await until(lambda: not wire.server.server_state.connections)
            wire.server.stop()
            assert wire.server.server_state.tasks  # for which uvicorn waits
            assert await paid(wire) == before
    assert await paid(wire) == before + 1
    again = await payer.post("/v1/payments", PAYMENT, key)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")


async def test_a_stop_lets_a_payment_be_answered_and_then_closes(shared: Api, payer: Person, shop: Person) -> None:
    async with listening(shared) as wire:
        async with in_flight(wire, request(payer)) as (reader, _):
            wire.server.stop()
            connection: Any
            (connection,) = wire.server.server_state.connections
            await until(lambda: not connection.cycle.keep_alive)
        (answer,) = await rest(reader)
    assert (answer.status, answer.header("connection")) == (201, "close")


async def test_a_payment_that_a_stop_cannot_wait_for_is_not_answered(shared: Api, payer: Person, shop: Person) -> None:
    key = uuid4().hex
    async with listening(shared, stop_seconds=0.1) as wire, in_flight(wire, request(payer, key=key)) as (reader, _):
        wire.server.stop()
        assert await rest(reader) == []
    again = await payer.post("/v1/payments", PAYMENT, key)
    assert again.status_code == 201


@pytest.mark.parametrize("what", ["read", "answer"])
async def test_a_mistake_of_ours_is_logged_and_the_application_answers(
    wire: Wire,
    payer: Person,
    by_asgi: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    what: str,
) -> None:
    def mistake(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(FastPayments, what, mistake)
    before = await paid(wire)

    (answer,) = await wire.send(request(payer, CLOSE))

    assert (answer.status, json.loads(answer.body)["state"]) == (201, "settled")
    assert (await paid(wire), by_asgi) == (before + 1, ["/v1/payments"])
    assert "ZeroDivisionError" in caplog.text

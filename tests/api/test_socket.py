"""The same over a socket: what only a real server does to a request."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import httpx
import pytest

from gateway.api import server
from gateway.api.server import UNUSED_BYTES_MAX, Server
from gateway.cli.processes.ports import free_port
from gateway.errors import GatewayError
from gateway.http.request.body import Body, read_each
from gateway.payments import batch
from tests.api.conftest import Api
from tests.applications import application
from tests.databases import until_waiting
from tests.processes import HANG_SECONDS

FIVE = {"amount": "5.00", "asset": "EUR"}

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    port = free_port("127.0.0.1")
    serving_one = Server(application(api.services), "127.0.0.1", port)
    serving = asyncio.create_task(serving_one.serve())
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=HANG_SECONDS) as client:
        while not serving.done():
            with suppress(httpx.TransportError):
                await client.get("/health/live")
                break
        yield client
    serving_one.stop()
    await serving


async def test_people_pay_each_other_over_a_socket(client: httpx.AsyncClient) -> None:
    keys = [(await client.post("/v1/handles", json={"handle": h})).json()["api_key"] for h in ("alice", "bob")]
    bearer = {"Authorization": f"Bearer {keys[0]}"}
    money = {"amount": "5.00", "asset": "EUR"}
    await client.post("/v1/deposits", json=money, headers={**bearer, "Idempotency-Key": "d"})

    first, again = [
        await client.post("/v1/payments", json={"to": "@bob", **money}, headers={**bearer, "Idempotency-Key": "p"})
        for _ in range(2)
    ]

    assert (first.status_code, again.content) == (201, first.content)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.headers["x-request-id"] != again.headers["x-request-id"]


async def test_what_is_hostile_is_answered_and_the_server_lives(client: httpx.AsyncClient) -> None:
    typed = {"Content-Type": "application/json"}
    for path in ("/v1/handles", "/v1/payments"):
        for body, status in ((b"[" * 60_000, 400), (b'{"x":' * 10_000, 400), (b"\xff", 400), (b"x" * 70_000, 413)):
            answer = await client.post(path, content=body, headers=typed)
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    with suppress(httpx.TransportError):  # the server may hang up before all of it was sent
        assert (await client.post("/v1/handles", content=b"x" * 10_000_000, headers=typed)).status_code == 413
    for path in (
        "/v1/handles/%ff",
        "/v1/handles/%00",
        "/v1/handles/..%2f..%2fetc",
        "/nope",
        "//",
        "/v1/wallet?%ff=%ff",
    ):
        assert (await client.get(path)).status_code in (400, 401, 404, 422)
    assert (await client.get("/health/live")).json() == {"status": "ok"}


async def test_a_head_without_an_end_is_cut_off(client: httpx.AsyncClient) -> None:
    _, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    writer.write(b"GET /health/live HTTP/1.1\r\nHost: here\r\nX-Long: ")

    async def go_on() -> None:
        for _ in range(500):  # 32 MB, several times what the kernel takes of it when nobody reads
            writer.write(b"x" * UNUSED_BYTES_MAX)
            await writer.drain()

    with pytest.raises(ConnectionError):
        await go_on()
    assert (await client.get("/health/live")).json() == {"status": "ok"}


async def test_more_than_a_body_may_have_is_refused_though_it_begins_like_a_payment(
    client: httpx.AsyncClient, api: Api
) -> None:
    keys = [(await client.post("/v1/handles", json={"handle": h})).json()["api_key"] for h in ("alice", "bob")]
    bearer = {"Authorization": f"Bearer {keys[0]}"}
    await client.post("/v1/deposits", json=FIVE, headers={**bearer, "Idempotency-Key": "d"})
    await client.post("/v1/payments", json={"to": "@bob", **FIVE}, headers={**bearer, "Idempotency-Key": "1"})
    await client.post("/v1/deposits", json=FIVE, headers={**bearer, "Idempotency-Key": "e"})
    padded = b'{"to": "@bob", "amount": "5.00", "asset": "EUR"}' + b" " * 66_000

    answer = await client.post("/v1/payments", content=padded, headers={**bearer, "Idempotency-Key": "2"})

    assert answer.status_code == 413
    balances = (await client.get("/v1/wallet", headers=bearer)).json()["balances"]
    assert next(one["available"] for one in balances if one["asset"] == "EUR") == "5.00"


async def test_fields_behind_the_body_are_refused(client: httpx.AsyncClient) -> None:
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    writer.write(
        b"POST /v1/payments HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\n{}\r\n0\r\nAuthorization: Bearer x\r\n\r\n"
    )

    assert (await reader.read()).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "started",
    [
        b"",
        b"GET /health/live HTTP/1.1\r\nHost: h",
        b"POST /v1/payments HTTP/1.1\r\nHost: here\r\nContent-Length: 50\r\n\r\n{",
    ],
    ids=["nothing", "half a head", "half a body"],
)
async def test_who_stops_in_the_middle_is_hung_up_on(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, started: bytes
) -> None:
    for patience in ("_IDLE_SECONDS", "_HEAD_SECONDS", "_BODY_SECONDS"):
        monkeypatch.setattr(server, patience, 0.05)
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)

    writer.write(started)

    assert await asyncio.wait_for(reader.read(), HANG_SECONDS) == b""


async def test_an_answer_in_parts_comes_as_they_are_paid(client: httpx.AsyncClient) -> None:
    keys = [(await client.post("/v1/handles", json={"handle": h})).json()["api_key"] for h in ("alice", "bob")]
    bearer = {"Authorization": f"Bearer {keys[0]}"}
    await client.post("/v1/deposits", json=FIVE, headers={**bearer, "Idempotency-Key": "d"})
    line = b'{"to": "@bob", "amount": "0.01", "asset": "EUR"}\n'
    lines = asyncio.Queue[bytes]()

    async def body() -> AsyncIterator[bytes]:
        while one := await lines.get():
            yield one

    lines.put_nowait(line * 400)
    headers = {**bearer, "Idempotency-Key": "many", "Content-Type": "application/x-ndjson"}
    lines.put_nowait(line * 700)
    lines.put_nowait(b"")
    answer = await client.post("/v1/payments/batch", content=body(), headers=headers)

    statuses = [json.loads(one)["status"] for one in answer.text.splitlines()]
    assert statuses == [201] * 500 + [409] * 600


async def test_lines_are_answered_before_more_come_and_understood_while_those_before_are_paid(
    client: httpx.AsyncClient, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [(await client.post("/v1/handles", json={"handle": h})).json()["api_key"] for h in ("alice", "bob")]
    bearer = {"Authorization": f"Bearer {keys[0]}"}
    await client.post("/v1/deposits", json=FIVE, headers={**bearer, "Idempotency-Key": "d"})
    monkeypatch.setattr(batch, "AT_ONCE", 2)
    third = asyncio.Event()

    def told(texts: Sequence[bytes], body_type: type[Body]) -> list[Body | GatewayError]:
        if b"0.03" in texts[0]:
            third.set()
        return read_each(texts, body_type)

    monkeypatch.setattr("gateway.http.request.body.read_each", told)
    reader, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    writer.write(
        b"POST /v1/payments/batch HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\nIdempotency-Key: many\r\n"
        b"Content-Type: application/x-ndjson\r\nAuthorization: Bearer %b\r\n\r\n" % keys[0].encode()
    )

    def send(amount: bytes) -> None:
        lines = b'{"to": "@bob", "amount": "%b", "asset": "EUR"}\n' % amount * 2
        writer.write(b"%x\r\n%b\r\n" % (len(lines), lines))

    async with asyncio.timeout(HANG_SECONDS):
        send(b"0.01")
        await reader.readuntil(b'"index":1')
        async with api.services.database.transaction() as connection:
            await connection.execute("SELECT FROM account FOR UPDATE")
            send(b"0.02")
            await until_waiting(connection, 1)
            send(b"0.03")
            await third.wait()
        await reader.readuntil(b'"index":5')
        writer.write(b"0\r\n\r\n")
        assert (await reader.readuntil(b"0\r\n\r\n")).count(b"index") == 0
    wallet = (await client.get("/v1/wallet", headers=bearer)).json()
    assert next(one["available"] for one in wallet["balances"] if one["asset"] == "EUR") == "4.88"

"""The same over a socket: what only a real server does to a request."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx
import pytest

from gateway.api.app import application
from gateway.api.server import HEAD_BYTES_MAX, Server
from gateway.commands.running import free_port
from tests.api.conftest import Api

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


@pytest.fixture
async def client(api: Api) -> AsyncIterator[httpx.AsyncClient]:
    port = free_port("127.0.0.1")
    server = Server(application(api.house), "127.0.0.1", port)
    serving = asyncio.create_task(server.serve())
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client:
        while not serving.done():
            with suppress(httpx.TransportError):
                await client.get("/health/live")
                break
        yield client
    server.stop()
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
    json = {"Content-Type": "application/json"}
    for path in ("/v1/handles", "/v1/payments"):
        for body, status in ((b"[" * 60_000, 400), (b'{"x":' * 10_000, 400), (b"\xff", 400), (b"x" * 70_000, 413)):
            answer = await client.post(path, content=body, headers=json)
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    with suppress(httpx.TransportError):  # the server may hang up before all of it was sent
        assert (await client.post("/v1/handles", content=b"x" * 10_000_000, headers=json)).status_code == 413
    for path in (
        "/v1/handles/%ff",
        "/v1/handles/%00",
        "/v1/handles/..%2f..%2fetc",
        "/nope",
        "//",
        "/v1/wallet?%ff=%ff",
    ):
        assert (await client.get(path)).status_code in (401, 404, 422)
    assert (await client.get("/health/live")).json() == {"status": "ok"}


async def test_a_head_without_an_end_is_cut_off(client: httpx.AsyncClient) -> None:
    _, writer = await asyncio.open_connection(client.base_url.host, client.base_url.port)
    writer.write(b"GET /health/live HTTP/1.1\r\nHost: here\r\nX-Long: ")

    async def go_on() -> None:
        while True:
            writer.write(b"x" * HEAD_BYTES_MAX)
            await writer.drain()

    with pytest.raises(ConnectionError):
        await go_on()
    assert (await client.get("/health/live")).json() == {"status": "ok"}

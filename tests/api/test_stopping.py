"""A server that is told to stop says so, goes on answering until load balancers have left it, and then ends."""

import asyncio

import httpx
import pytest

from tests.api.conftest import Api
from tests.api.wire import Wire, head, listening
from tests.processes import HANG_SECONDS
from tests.received import Received, answers

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

LIVE = head("GET /health/live HTTP/1.1")

#: Nothing here waits for it to be over: a second `stop` ends it.
DRAIN_SECONDS = HANG_SECONDS


async def next_answer(reader: asyncio.StreamReader) -> Received:
    """To a GET, on a connection that stays open."""
    lines = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), HANG_SECONDS)
    (length,) = (line.split()[1] for line in lines.splitlines() if line.startswith(b"content-length"))
    (answer,) = answers(lines + await reader.readexactly(int(length)))
    return answer


async def readiness(wire: Wire) -> httpx.Response:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{wire.port}", timeout=HANG_SECONDS) as client:
        return await client.get("/health/ready")


async def test_a_server_that_drains_is_not_ready_and_answers_all_the_same(api: Api) -> None:
    async with listening(api, api.services.stopping, DRAIN_SECONDS) as wire:
        assert (await readiness(wire)).status_code == 200

        wire.server.stop()

        refused = await readiness(wire)
        assert (refused.status_code, refused.json()["code"], refused.json()["retryable"]) == (503, "unavailable", True)
        assert refused.json()["detail"] == "this gateway process is shutting down; send requests to another"
        (answer,) = await wire.send(LIVE)
        assert answer.status == 200


async def test_each_answer_of_a_server_that_drains_closes_its_connection(api: Api) -> None:
    async with listening(api, api.services.stopping, DRAIN_SECONDS) as wire:
        reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
        writer.write(LIVE)
        assert (await next_answer(reader)).header("connection") is None

        wire.server.stop()
        writer.write(LIVE)

        (last,) = answers(await asyncio.wait_for(reader.read(), HANG_SECONDS))  # and then it hangs up
        assert (last.status, last.header("connection")) == (200, "close")


async def test_a_client_that_waits_to_be_told_to_go_on_has_its_connection_closed_too(api: Api) -> None:
    body = b'{"handle": "carol"}'
    fields = ("Content-Type: application/json", f"Content-Length: {len(body)}", "Expect: 100-continue")
    async with listening(api, api.services.stopping, DRAIN_SECONDS) as wire:
        wire.server.stop()
        received = await wire.send(head("POST /v1/handles HTTP/1.1", None, *fields), body)
    assert [one.status for one in received] == [100, 201]
    assert received[-1].header("connection") == "close"


async def test_the_end_of_the_drain_closes_idle_connections_and_the_port(api: Api) -> None:
    async with listening(api, api.services.stopping, 0.2) as wire:
        reader, _ = await asyncio.open_connection("127.0.0.1", wire.port)
        wire.server.stop()
        assert await asyncio.wait_for(reader.read(), HANG_SECONDS) == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", wire.port)


async def test_to_ask_twice_ends_the_drain(api: Api) -> None:
    async with listening(api, api.services.stopping, DRAIN_SECONDS) as wire:
        reader, _ = await asyncio.open_connection("127.0.0.1", wire.port)
        wire.server.stop()
        await wire.turn()
        assert not reader.at_eof(), "an idle connection is kept while the server drains"
        wire.server.stop()
        assert await asyncio.wait_for(reader.read(), HANG_SECONDS) == b""

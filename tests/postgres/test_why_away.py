"""Why a database gives no answer, in words, of what the driver really raises."""

import asyncio
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.embedded.postgres import Postgres
from gateway.postgres.connection import DEADLINES, open_connection, why_away
from gateway.postgres.database_url import Host, read
from tests.databases import named

pytestmark = pytest.mark.anyio


async def refusal(url: str, host: Host | None = None) -> str:
    try:
        await open_connection(read(url), "test", DEADLINES, host)
    except Exception as error:  # noqa: BLE001 - whichever it is
        return why_away(error)
    raise AssertionError("it answered")


async def test_each_way_to_be_away_is_told_in_its_own_words(server: Postgres, tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        port = nobody.getsockname()[1]
        refused = await refusal(f"postgresql://127.0.0.1:{port}/x?sslmode=disable")
    assert refused == "its server refuses connections: it may not be running"
    assert await refusal(f"postgresql:///x?host={tmp_path}") == "its server is not running: there is no socket"
    assert await refusal(named(server.dsn, "no_such")) == "its server has no database of that name"
    assert await refusal("postgresql://no-such-host.invalid/x") == "the name of its server cannot be resolved"


async def test_a_server_that_hangs_up_is_told_as_such() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    said = await refusal(f"postgresql://127.0.0.1:{port}/x?sslmode=disable")
    server.close()
    assert said == "the connection to it broke off"

"""A gateway that is killed (SIGKILL) in the middle of a payment, and started again: paid once, and no event missed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from gateway.cli.operate import operations
from gateway.cli.processes.ports import free_port
from gateway.client import AsyncClient, Client
from gateway.config.environment import from_environment
from gateway.embedded.postgres import Postgres
from gateway.postgres.pool import connect
from tests.client.conftest import either_client
from tests.databases import fresh_database, until_waiting
from tests.journeys.test_database_comes_and_goes import answering, line_with, running

pytestmark = pytest.mark.anyio


@dataclass
class Place:
    """Where `gateway serve` runs, as often as it is started."""

    settings: dict[str, str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings['GATEWAY_PORT']}"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[asyncio.subprocess.Process]:
        async with running("serve", self.settings) as process, httpx.AsyncClient(base_url=self.url) as client:
            await line_with(process.stdout, "serving on", [])
            await answering(client)
            yield process


@pytest.fixture
async def place(server: Postgres, tmp_path: Path) -> AsyncIterator[Place]:
    async with fresh_database(server.dsn) as url:
        settings = {"GATEWAY_DATABASE_URL": url, "GATEWAY_HOME": str(tmp_path)}
        await operations.migrate(from_environment(settings))
        yield Place(settings | {"GATEWAY_PORT": str(free_port("127.0.0.1"))})


@pytest.mark.parametrize("kind", [Client, AsyncClient])
async def test_a_payment_in_a_gateway_that_is_killed_is_paid_once(
    kind: type[Client] | type[AsyncClient], place: Place
) -> None:
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(connect(place.settings["GATEWAY_DATABASE_URL"], 2))
        async with place.serving() as process, database.transaction() as connection:
            nobody = await stack.enter_async_context(either_client(kind, place.url, None))
            made = [await nobody.call(nobody.client.handles.claim, handle) for handle in ("alice", "bob")]
            faces = [await stack.enter_async_context(either_client(kind, place.url, one.api_key)) for one in made]
            at_alice, at_bob = faces
            await at_alice.call(at_alice.client.bank.deposit, "10.00", "EUR")
            stream = at_bob.client.events.stream(of_type="payment.settled")
            first = asyncio.create_task(at_bob.next(stream))
            await connection.fetch("SELECT FROM account WHERE code = 'wallet:alice:EUR' FOR UPDATE")
            paying = asyncio.create_task(at_alice.call(at_alice.client.payments.create, "@bob", "1.00", "EUR"))
            await until_waiting(connection, 1, paying)
            process.kill()
            await process.wait()
        async with place.serving(), database.reading() as connection:
            paid = await paying
            more = [await at_alice.call(at_alice.client.payments.create, "@bob", "1.00", "EUR") for _ in range(3)]
            told = [await first, *[await at_bob.next(stream) for _ in more]]
            assert [event.data.id for event in told] == [paid.id, *(one.id for one in more)]
            assert await connection.fetchval("SELECT count(*) FROM payment") == 4
            await at_bob.close(stream)

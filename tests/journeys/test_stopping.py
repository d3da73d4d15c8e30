"""SIGTERM to `gateway serve` and `gateway work` in the middle of their work: each ends with 0, and no payment is lost
or doubled.
"""

import asyncio
import secrets
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from gateway.cli.operate import operations
from gateway.cli.processes.ports import free_port
from gateway.config.environment import from_environment
from gateway.embedded.postgres import Postgres
from gateway.keys.signer import RelayerSigner
from gateway.postgres.pool import Database, connect
from tests.anvils import Chain, running_anvil
from tests.databases import fresh_database, until_waiting
from tests.journeys.test_database_comes_and_goes import answering, line_with, running
from tests.processes import HANG_SECONDS

pytestmark = pytest.mark.anyio

CLIENTS, BALANCER_SECONDS = 16, 0.05

#: So many workers are stopped, with so many token payments for each.
ROUNDS, TOKEN_PAYMENTS = 3, 5


@dataclass
class Place:
    """A migrated database, and what processes over it are told."""

    url: str
    settings: dict[str, str]


@pytest.fixture
async def place(server: Postgres, tmp_path: Path) -> AsyncIterator[Place]:
    async with fresh_database(server.dsn) as url:
        settings = {"GATEWAY_DATABASE_URL": url, "GATEWAY_HOME": str(tmp_path)}
        await operations.migrate(from_environment(settings))
        yield Place(url, settings)


@dataclass
class Server:
    """A `gateway serve` on a port of its own."""

    process: Process
    client: httpx.AsyncClient
    port: str

    async def end(self) -> str:
        """Wait until it has ended, with 0; what it said."""
        assert self.process.stderr is not None
        said = (await self.process.stderr.read()).decode()
        assert await self.process.wait() == 0, said
        assert "Traceback" not in said
        return said


async def until_refused(port: str) -> None:
    """Until a server takes no more connections: it has been told to stop, and answers what it has taken."""
    async with asyncio.timeout(HANG_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                return
            writer.close()
            await asyncio.sleep(0.01)  # another process, which tells nobody


@asynccontextmanager
async def serving(place: Place, **settings: str) -> AsyncIterator[Server]:
    port = str(free_port("127.0.0.1"))
    async with (
        running("serve", place.settings | settings | {"GATEWAY_PORT": port}) as process,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=HANG_SECONDS) as client,
    ):
        await line_with(process.stdout, "serving on", [])
        await answering(client)
        yield Server(process, client, port)


#: What httpx tells of a request (its extension "trace").
Trace = Callable[[str, object], Awaitable[None]]


@dataclass
class Payer:
    """@alice, who pays @bob 0.01 EUR under one key after the other."""

    bearer: str
    asked: list[str] = field(default_factory=list)

    @classmethod
    async def arrive(cls, client: httpx.AsyncClient) -> "Payer":
        claimed = [(await client.post("/v1/handles", json={"handle": handle})).json() for handle in ("alice", "bob")]
        payer = cls(claimed[0]["api_key"])
        for asset in ("EUR", "USD"):
            headers = payer.headers(uuid4().hex)
            paid_in = await client.post("/v1/deposits", json={"amount": "100.00", "asset": asset}, headers=headers)
            assert paid_in.status_code == 201
        assert (await payer.pay(client)).status_code == 201
        return payer

    def headers(self, key: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.bearer}", "Idempotency-Key": key}

    async def pay_tokens(self, client: httpx.AsyncClient) -> str:
        """Pay @bob 1 USDX, which a worker relays; the payment's id."""
        body = {"to": "@bob", "amount": "1.00", "asset": "USDX"}
        answer = await client.post("/v1/payments", json=body, headers=self.headers(uuid4().hex))
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def pay(self, client: httpx.AsyncClient, key: str = "", **extensions: Trace) -> httpx.Response:
        key = key or uuid4().hex
        if key not in self.asked:
            self.asked.append(key)
        body = {"to": "@bob", "amount": "0.01", "asset": "EUR"}
        return await client.post("/v1/payments", json=body, headers=self.headers(key), extensions=extensions)

    async def pay_at_once(self, client: httpx.AsyncClient) -> "list[asyncio.Task[httpx.Response]]":
        """Ask for many payments, and return when the server has read what all of them ask for."""
        sent = asyncio.Semaphore(0)

        async def count(event: str, _: object) -> None:
            if event == "http11.send_request_body.complete":
                sent.release()

        paying = [asyncio.create_task(self.pay(client, trace=count)) for _ in range(CLIENTS)]
        for _ in paying:
            await sent.acquire()
        async with httpx.AsyncClient(base_url=client.base_url, timeout=HANG_SECONDS) as later:
            await later.get("/health/live")  # connections are taken and read in their order: theirs came before
        return paying


async def paid(url: str) -> int:
    async with connect(url, 1) as database, database.reading() as connection:
        count: int = await connection.fetchval("SELECT count(*) FROM payment")
        return count


async def test_a_client_that_leaves_when_it_is_told_to_has_every_payment_answered(place: Place) -> None:
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(serving(place, GATEWAY_DRAIN_SECONDS="2"))
        second = await stack.enter_async_context(serving(place))
        payer, in_front = await Payer.arrive(first.client), [first]
        answers: list[httpx.Response] = []
        stop, answered = asyncio.Event(), asyncio.Condition()

        async def pay_on_and_on() -> None:
            """By one connection, which is the first server's until its answer says `Connection: close`."""
            here = in_front[0]
            async with httpx.AsyncClient(base_url=here.client.base_url, timeout=HANG_SECONDS) as client:
                while not stop.is_set():
                    answer = await payer.pay(client)
                    async with answered:
                        answers.append(answer)
                        answered.notify_all()
                    if answer.headers.get("connection") == "close":
                        client.base_url = second.client.base_url

        async def balance() -> int:
            """What a load balancer does: it asks often, and leaves a server that is not ready."""
            while True:
                async with httpx.AsyncClient(base_url=first.client.base_url, timeout=HANG_SECONDS) as client:
                    status = (await client.get("/health/ready")).status_code
                if status != 200:
                    return status
                await asyncio.sleep(BALANCER_SECONDS)  # another process's readiness, of which nothing tells us

        async def until_answered(count: int) -> None:
            async with asyncio.timeout(HANG_SECONDS), answered:
                await answered.wait_for(lambda: len(answers) >= count)

        balancer = asyncio.create_task(balance())
        paying = [asyncio.create_task(pay_on_and_on()) for _ in range(CLIENTS)]
        await until_answered(5 * CLIENTS)
        first.process.send_signal(signal.SIGTERM)
        assert await balancer == 503
        assert await first.end() == ""
        await until_answered(len(answers) + CLIENTS)  # it goes on at the second
        stop.set()
        await asyncio.gather(*paying)

        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.json()["id"] for answer in answers}) == len(answers)
        assert await paid(place.url) == len(payer.asked) == len(answers) + 1


@asynccontextmanager
async def nobody_pays(database: Database) -> AsyncIterator[None]:
    """No payment of @alice's commits meanwhile."""
    async with database.transaction() as connection:
        await connection.execute("SELECT FROM account WHERE code = 'wallet:alice:EUR' FOR UPDATE")
        yield


async def test_what_is_under_way_is_answered_before_the_process_ends(place: Place) -> None:
    async with serving(place) as server, connect(place.url, 3) as database:
        payer = await Payer.arrive(server.client)
        async with nobody_pays(database), database.reading() as connection:
            paying = await payer.pay_at_once(server.client)
            await until_waiting(connection, 1)
            server.process.send_signal(signal.SIGTERM)
            await until_refused(server.port)
            assert server.process.returncode is None, "it waits for what it has taken"
        answers = await asyncio.gather(*paying)
        assert await server.end() == ""

        assert [(one.status_code, one.headers["connection"]) for one in answers] == [(201, "close")] * CLIENTS
        assert await paid(place.url) == CLIENTS + 1


async def test_what_takes_too_long_is_not_answered_and_is_paid_once_when_asked_again(place: Place) -> None:
    async with serving(place, GATEWAY_STOP_SECONDS="0.5") as server, connect(place.url, 3) as database:
        payer = await Payer.arrive(server.client)
        async with nobody_pays(database), database.reading() as connection:
            paying = await payer.pay_at_once(server.client)
            await until_waiting(connection, 1)
            server.process.send_signal(signal.SIGTERM)
            answers = await asyncio.gather(*paying, return_exceptions=True)
        await server.end()
        assert {type(one) for one in answers} <= {httpx.RemoteProtocolError, httpx.ReadError}

    async with serving(place) as another:
        again = [await payer.pay(another.client, key) for key in payer.asked]
        assert {one.status_code for one in again} == {201}
        assert await paid(place.url) == len(payer.asked) == CLIENTS + 1


# ---- workers --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def site(place: Place, tmp_path: Path) -> AsyncIterator[tuple[Place, Chain]]:
    """The place, with a chain that makes blocks by itself, and its contracts deployed."""
    key = secrets.token_bytes(32)
    relayer = tmp_path / "relayer.key"
    relayer.touch(0o600)
    relayer.write_text(key.hex())
    with running_anvil(tmp_path / "chain", mining="--block-time=0.2") as chain:
        chain.rpc("anvil_setBalance", RelayerSigner(key).address, hex(10**20))
        place.settings |= {
            "GATEWAY_RPC_URL": chain.url, "GATEWAY_RELAYER_KEY_FILE": str(relayer), "GATEWAY_FINALITY": "1",
        }  # fmt: skip
        await operations.deploy(from_environment(place.settings))
        yield place, chain


class Way:
    """The way to a node, which a test can cut: what is asked from then on is heard, and never answered."""

    def __init__(self, url: str) -> None:
        self._port = urlsplit(url).port
        self._cut = False
        self.heard = asyncio.Event()

    def cut(self) -> None:
        self._cut = True

    @asynccontextmanager
    async def open(self) -> AsyncIterator[str]:
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as relay:
            yield f"http://127.0.0.1:{relay.sockets[0].getsockname()[1]}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_node, to_node = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            await asyncio.gather(self._pump(reader, to_node), self._pump(from_node, writer))
        finally:
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                if self._cut:
                    self.heard.set()
                else:
                    writer.write(data)
        writer.close()


async def test_a_worker_ends_in_time_though_its_node_does_not_answer(site: tuple[Place, Chain]) -> None:
    place, chain = site
    way = Way(chain.url)
    async with way.open() as url:
        settings = place.settings | {"GATEWAY_RPC_URL": url, "GATEWAY_STOP_SECONDS": "0.5"}
        async with running("work", settings) as work:
            await line_with(work.stdout, "working", [])
            way.cut()
            await asyncio.wait_for(way.heard.wait(), HANG_SECONDS)
            work.terminate()  # the node would be given up after ten seconds
            _, said = await asyncio.wait_for(work.communicate(), HANG_SECONDS)
    assert work.returncode == 0
    assert "a job did not end within 0.5 s and was stopped; a worker will run it again" in said.decode()


@asynccontextmanager
async def working(place: Place) -> AsyncIterator[None]:
    """A worker, until SIGTERM, after which it ends with 0."""
    async with running("work", place.settings) as worker:
        await line_with(worker.stdout, "working", [])
        yield
        worker.terminate()
        _, said = await asyncio.wait_for(worker.communicate(), HANG_SECONDS)
        assert worker.returncode == 0, said.decode()


async def test_workers_stopped_one_after_the_other_settle_every_token_payment_once(
    site: tuple[Place, Chain],
) -> None:
    place, _ = site
    async with serving(place) as server:
        payer = await Payer.arrive(server.client)
        bearer = {"Authorization": f"Bearer {payer.bearer}"}

        async def settled(path: str) -> None:
            while (await server.client.get(path, headers=bearer)).json()["state"] != "settled":
                pass  # blocks come by themselves

        async with working(place):
            body = {"amount": "50.00", "asset": "USD", "to_asset": "USDX"}
            headers = payer.headers(uuid4().hex)
            bought = await server.client.post("/v1/conversions", json=body, headers=headers)
            await settled(f"/v1/conversions/{bought.json()['id']}")
        ids: list[str] = []
        for _ in range(ROUNDS):
            async with working(place):
                ids += [await payer.pay_tokens(server.client) for _ in range(TOKEN_PAYMENTS)]
        async with working(place):
            await asyncio.gather(*(settled(f"/v1/payments/{id}") for id in ids))

        balances = (await server.client.get("/v1/wallet", headers=bearer)).json()["balances"]
        (left,) = (one["posted"] for one in balances if one["asset"] == "USDX")
        assert left == f"{50 - ROUNDS * TOKEN_PAYMENTS}.000000"
        assert (await operations.reconcile(from_environment(place.settings))).differences == []

"""Where commits wait for a standby, nothing is answered that the standby does not have: if it takes over, what was
answered is still so. Here the standby sleeps, and a commit that waits for it is cut short, as a cancellation does it or
a server that stops: then everybody sees it, and the standby does not have it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from uuid import uuid4

import httpx
import pytest

from gateway.chain.node import HttpNode
from gateway.chain.relayer import outbox, relayers
from gateway.keys.vault import Vault
from gateway.money import Assets
from gateway.postgres import connection, primary_monitor
from gateway.postgres.connection import Deadlines
from gateway.postgres.database_url import read
from gateway.postgres.errors import DatabaseUnavailable
from gateway.postgres.pool import connect
from gateway.postgres.primary import Primary
from gateway.worker import jobs
from tests.anvils import Chain
from tests.api.conftest import MASTER_KEY, Api, Person, code_of, opened
from tests.api.test_attack import known_to
from tests.cuts import CutDatabase, Fate
from tests.factory import Town
from tests.processes import HANG_SECONDS
from tests.replicas import Replicated, replicated

pytestmark = pytest.mark.anyio

#: Answers that come within this are asserted to be refusals, so a slow machine does not change what they are.
SHORT = Deadlines(connect=5, statement=0.3)


@pytest.fixture(scope="module")
async def servers() -> AsyncIterator[Replicated]:
    async with replicated() as servers:
        yield servers


@pytest.fixture(scope="module")
async def patient(servers: Replicated, assets: Assets) -> AsyncIterator[Api]:
    """A gateway over the primary, which waits as long as any."""
    await servers.ask(
        f"ALTER DATABASE {servers.database} SET client_min_messages = error"
    )  # and it is heard all the same
    async with connect(servers.url, 16) as database, opened(database, assets) as api:
        yield api


@pytest.fixture
async def hurried(servers: Replicated, patient: Api, assets: Assets) -> AsyncIterator[Api]:
    """Another over the same, which gives up after a second."""
    async with connect(servers.url, 16, deadlines=SHORT) as database, opened(database, assets) as api:
        yield api


@pytest.fixture
async def payer(patient: Api) -> Person:
    return await patient.person(uuid4().hex[:12], "100.00 EUR", "10 USDX")


@pytest.fixture
async def payee(patient: Api) -> Person:
    return await patient.person(uuid4().hex[:12])


def unavailable(*answers: httpx.Response) -> bool:
    return [code_of(answer) for answer in answers] == [(503, "unavailable")] * len(answers)


@pytest.mark.parametrize(("money", "status"), [("1.00 EUR", 201), ("1 USDX", 202)], ids=["ledger", "chain"])
async def test_a_payment_that_the_standby_lacks_is_not_answered_as_made(
    servers: Replicated, hurried: Api, payer: Person, payee: Person, money: str, status: int
) -> None:
    at_once, to = known_to(hurried, payer), f"@{payee.handle}"
    with servers.cut_off():
        first = await at_once.pay(to, money, key="once")
        await servers.cut_short(
            f"EXISTS (SELECT FROM payment JOIN wallet ON wallet.id = payer WHERE handle = '{payer.handle}')"
        )

        replayed, listed = await asyncio.gather(at_once.pay(to, money, key="once"), at_once.get("/v1/payments"))

        assert unavailable(first, replayed, listed)
    await servers.until_synchronous()

    again = await payer.pay(to, money, key="once")

    assert (again.status_code, again.headers.get("idempotency-replayed")) == (status, "true")
    assert [one["id"] for one in (await payer.get("/v1/payments")).json()["items"]] == [again.json()["id"]]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/payments", {"amount": "1.00", "asset": "EUR"}),
        ("/v1/payments", {"amount": "1", "asset": "USDX"}),
        ("/v1/payments", {"amount": "1.00", "asset": "EUR", "capture": False}),
        ("/v1/deposits", {"amount": "1.00", "asset": "EUR"}),
    ],
    ids=["ledger", "chain", "hold", "deposit"],
)
async def test_a_commit_whose_wait_for_the_standby_is_cut_short_is_not_a_success(
    servers: Replicated, patient: Api, payer: Person, payee: Person, path: str, body: dict[str, object]
) -> None:
    whom = {"to": f"@{payee.handle}"} if path == "/v1/payments" else {}
    await payee.receive("1.00 EUR")  # whose account is open then
    with servers.cut_off():
        asked = asyncio.create_task(payer.post(path, {**body, **whom}, key="once"))
        while not asked.done():
            await servers.cut_short()

        assert unavailable(await asked)
    await servers.until_synchronous()

    again = await payer.post(path, {**body, **whom}, key="once")

    assert again.is_success
    assert again.headers.get("idempotency-replayed") == "true"


@pytest.mark.parametrize(
    "path",
    [
        "/v1/wallet",
        "/v1/payments",
        "/v1/events",
        "/v1/payments/pay_01jaaaaaaaaaaaaaaaaaaaaaaa",
        "/v1/handles/nobody_has_this",
        "/v1/solvency",
        "/health/ready",
    ],
)
async def test_what_is_read_is_not_answered_while_no_standby_confirms_it(
    servers: Replicated, hurried: Api, payer: Person, path: str
) -> None:
    with servers.cut_off():
        assert unavailable(await known_to(hurried, payer).get(path))
    await servers.until_synchronous()

    assert (await payer.get(path)).status_code in (200, 404)


async def test_a_batch_is_not_answered_again_while_no_standby_confirms_it(
    servers: Replicated, hurried: Api, payer: Person, payee: Person
) -> None:
    lines = [{"to": f"@{payee.handle}", "amount": "1.00", "asset": "EUR"}]
    first = await payer.post("/v1/payments/batch", lines, "payroll")
    with servers.cut_off():
        assert unavailable(await known_to(hurried, payer).post("/v1/payments/batch", lines, "payroll"))
    await servers.until_synchronous()

    again = await payer.post("/v1/payments/batch", lines, "payroll")
    assert (again.content, again.headers["idempotency-replayed"]) == (first.content, "true")


async def test_a_refusal_is_not_answered_either(
    servers: Replicated, hurried: Api, payer: Person, payee: Person
) -> None:
    """It may rest on a payment that the standby lacks, or on a server that was replaced: money that came since is
    missing there, and so is who has signed up since.
    """
    at_once, to = known_to(hurried, payer), f"@{payee.handle}"
    for money in ("1.00 EUR", "1 USDX"):
        await payee.receive(money)  # whose accounts are open then, so that one statement decides
    stranger = Person(hurried, "stranger", "gk_" + "x" * 43, "", "")
    with servers.cut_off():
        assert unavailable(
            *await asyncio.gather(
                at_once.pay(to, "1000.00 EUR"),
                at_once.pay(to, "1000 USDX"),
                at_once.pay("@nobody_has_this", "1.00 EUR"),
                stranger.get("/v1/wallet"),
            )
        )
    await servers.until_synchronous()

    answers = [await payer.pay(to, "1000.00 EUR"), await payer.pay("@nobody_has_this", "1.00 EUR")]
    assert [code_of(answer) for answer in answers] == [(409, "insufficient_funds"), (404, "unknown_payee")]


async def test_a_gateway_whose_payments_never_reach_a_commit_gives_the_server_up_too(
    servers: Replicated, hurried: Api, payer: Person, payee: Person, assets: Assets, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A payment that one gateway has given up waits for the standby for ever, and holds the accounts. On the other
    gateway each payment ends at `lock_timeout`, which is shorter than the deadline of a commit.
    """
    to = f"@{payee.handle}"
    await payee.receive("1.00 EUR")  # whose account is open then, so that one statement decides
    monkeypatch.setattr(connection, "_LOCK_TIMEOUT", "50ms")
    monkeypatch.setattr(primary_monitor, "_LOOK_SECONDS", 0.1)
    async with connect(servers.url, 16, deadlines=SHORT) as database, opened(database, assets) as blocked:
        with servers.cut_off():
            assert unavailable(await known_to(hurried, payer).pay(to, "1.00 EUR"))
            async with asyncio.timeout(HANG_SECONDS):
                while database._generation == 0:
                    assert unavailable(await known_to(blocked, payer).pay(to, "1.00 EUR"))
        await servers.until_synchronous()


@pytest.mark.parametrize("answers", [True, False], ids=["gateway", "worker"])
async def test_a_process_that_commits_nothing_gives_the_server_up_too(
    servers: Replicated, answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker skips rows that are locked: it may have nothing to commit as long as another's commit waits."""
    monkeypatch.setattr(primary_monitor, "_LOOK_SECONDS", 0.1)
    async with connect(servers.url, 4, deadlines=SHORT, answers=answers) as database:
        with servers.cut_off():
            async with asyncio.timeout(30):  # it takes less than one; where nobody looks, it takes for ever
                while database._generation == 0:
                    async with database.reading(answers=False) as reads:
                        await reads.fetchval("SELECT pg_sleep(0.05)")
        await servers.until_synchronous()


@dataclass
class Undecided(Fate):
    """After each commit the next connection leads to another server, as after a failover, or through a proxy."""

    move: Callable[[], None] = field(default=lambda: None)

    async def after(self, what: str) -> None:
        self.move()


async def test_a_first_answer_is_read_where_its_key_was_found(
    servers: Replicated, patient: Api, payer: Person, payee: Person, assets: Assets
) -> None:
    to, standby = f"@{payee.handle}", servers.at(servers.standby_socket)
    await payee.receive("1 USDX")  # whose account is open then: the first answer is kept as the payment alone
    await servers.ask("SELECT pg_wal_replay_pause()", standby=True)  # it has what follows, and does not show it
    await servers.until("SELECT pg_get_wal_replay_pause_state() = 'paused'", standby=True)
    first = await payer.pay(to, "1 USDX", key="once")
    async with connect(servers.url, 4) as database:
        cut = CutDatabase(database, fate := Undecided())

        def move() -> None:
            database._primary = Primary(read(standby), "test", SHORT)
            database.start_over("the test has it so")
            cut._generation = database._generation

        fate.move = move
        async with opened(cut, assets) as moved:
            again = await known_to(moved, payer).pay(to, "1 USDX", key="once")
    await servers.ask("SELECT pg_wal_replay_resume()", standby=True)

    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == first.json()


async def test_a_worker_sends_nothing_that_the_standby_lacks(
    servers: Replicated, patient: Api, chain: Chain, assets: Assets
) -> None:
    """What it has sent would move tokens on the chain for a payment that nobody knows any more."""
    node = HttpNode(chain.url)
    town = Town(patient.services.database, chain, node, assets, Vault(MASTER_KEY))
    await town.deploy()
    await town.settle()
    alice, _ = await town.person("alice", "5 USDX"), await town.person("bob")
    await town.pay(alice, "@bob", "1 USDX")
    known = await servers.ask("SELECT count(*) FROM attempt")

    async with connect(servers.url, 4, deadlines=SHORT, answers=False) as database:
        with servers.cut_off():
            with pytest.raises(DatabaseUnavailable):
                await jobs.relay.run(replace(town.worker(), database=database))
            await servers.cut_short(f"(SELECT count(*) FROM attempt) > {known}")
            async with database.reading() as connection:
                attempts = await relayers.open_attempts(connection, town.signer.address)

            with pytest.raises(DatabaseUnavailable):
                await outbox.send_unsent(database, node, town.signer.address)
            with pytest.raises(DatabaseUnavailable):
                await outbox.send_open(database, node, attempts)
            assert chain.rpc("txpool_status")["pending"] == "0x0"
        await servers.until_synchronous()

        await outbox.send_unsent(database, node, town.signer.address)
        assert chain.rpc("txpool_status")["pending"] == "0x1"
    await node.close()

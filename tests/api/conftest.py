"""An application over a database, and people who talk to it. Every answer they get is held to /openapi.json."""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from gateway.api.methods import Gateway
from gateway.bank import movements
from gateway.chain.token.contract import Contract
from gateway.clock import system_clock
from gateway.custody.settle_sweeps import Sweeps
from gateway.embedded.postgres import Postgres
from gateway.http.services import Services
from gateway.ids import TransferId, new_id, read
from gateway.keys.vault import Vault
from gateway.ledger import account, ledger, recount
from gateway.ledger.transfer import Leg, Transfer
from gateway.money import Assets
from gateway.payments import rails, settles
from gateway.payments.model.settings import PaymentSettings
from gateway.payments.payees import RESOLVERS
from gateway.payments.payees.resolver import PayeeResolver
from gateway.postgres.pool import Database, connect
from tests.api import contract
from tests.applications import application
from tests.databases import fresh_database, until_waiting
from tests.front import client_of

MASTER_KEY = bytes(range(32))

#: What Python calls an error, which is no word for whoever asked.
NAME_OF_A_CLASS = re.compile(r"\b[A-Z]\w*(Error|Exception|Timeout)\b|\[Errno")

#: What a refused request may not leave behind, in any of them.
BOOK = (
    *("account", "transfer", "hold", "payment", "conversion", "bank_movement", "sandbox_bank_line"),
    *("idempotency_key", "event", "wallet", "api_key", "token_authorization", "authorization_nonce"),
)


@dataclass
class MovableClock:
    """A clock that the test may move."""

    ahead: timedelta = timedelta()

    def __call__(self) -> datetime:
        return system_clock() + self.ahead


#: /openapi.json, which says the same of every application's calls (test_openapi.py), and takes longer to make than most
#: tests do.
_document: Any = None


async def document_of(client: httpx.AsyncClient) -> Any:
    """What the application says of itself; asked once in a run."""
    global _document
    if _document is None:
        _document = (await client.get("/openapi.json")).json()
    return _document


@dataclass
class Api:
    """One application and a client of it."""

    services: Services
    clock: MovableClock
    client: httpx.AsyncClient
    app: Gateway | None = None

    async def call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Any call; its answer is in the document, or this fails."""
        answer = await self.client.request(method, path, **arguments)
        media_type = answer.headers.get("content-type", "").partition(";")[0]
        is_file = media_type in ("text/csv", "application/pdf")
        shown = answer.text if is_file else json.loads(answer.content or b"null")
        if media_type == "application/problem+json":
            assert not NAME_OF_A_CLASS.search(shown["detail"]), shown
        document = await document_of(self.client)
        contract.check(document, method, httpx.URL(path).path, answer.status_code, media_type, shown)
        return answer

    async def person(self, handle: str, *moneys: str) -> "Person":
        """Somebody with a handle, a key and this much money, such as "100.00 EUR"."""
        claimed = (await self.call("POST", "/v1/handles", json={"handle": handle})).json()
        person = Person(self, handle, claimed["api_key"], claimed["wallet_id"], claimed["address"])
        for money in moneys:
            await person.receive(money)
        return person

    async def counts(self) -> dict[str, int]:
        async with self.services.database.reading() as connection:
            return {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in BOOK}

    async def wrong(self) -> list[object]:
        """Everything that a recount of the ledger and the bank's statement find wrong."""
        async with self.services.database.snapshot() as connection:
            faults: list[object] = [*await recount.recount(connection)]
            return faults + list(await movements.reconcile(connection, self.services.settings.assets))


@dataclass
class Person:
    api: Api
    handle: str
    api_key: str
    wallet_id: str
    address: str

    @property
    def bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.api_key}"}

    async def get(self, path: str) -> httpx.Response:
        return await self.api.call("GET", path, headers=self.bearer)

    async def post(self, path: str, body: Any, key: str | None = None) -> httpx.Response:
        """A call with a key of its own, or with the one given. `bytes` are sent as they are."""
        headers = {**self.bearer, "Idempotency-Key": key or uuid4().hex, "Content-Type": "application/json"}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.api.call("POST", path, content=content, headers=headers)

    async def pay(self, to: str, money: str, key: str | None = None, **fields: Any) -> httpx.Response:
        return await self.post("/v1/payments", {"to": to, **amount(money), **fields}, key)

    async def receive(self, money: str) -> None:
        """Fiat by a deposit; tokens as if the chain had said so."""
        if not money.endswith("USDX"):
            assert (await self.post("/v1/deposits", amount(money))).status_code == 201
            return
        usdx, database = self.api.services.settings.assets["USDX"], self.api.services.database
        codes = (account.system_account("supply", usdx), account.wallet(self.handle, usdx))
        async with database.transaction() as connection:
            ids = await ledger.accounts(connection, [(code, usdx) for code in codes])
            id, leg = TransferId(new_id(system_clock())), Leg(*(ids[c] for c in codes), usdx.parse(money[:-5]).units)
            observed = Transfer(id, "observation", id, (leg,), unconditional=True)
            ledger.all_done(await ledger.post(connection, [observed], system_clock()))

    async def balance(self, code: str) -> tuple[str, str, str]:
        """Posted, pending and available."""
        (found,) = (b for b in (await self.get("/v1/wallet")).json()["balances"] if b["asset"] == code)
        return found["posted"], found["pending"], found["available"]


def amount(money: str) -> dict[str, str]:
    units, _, code = money.partition(" ")
    return {"amount": units, "asset": code}


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """The status and the code of a problem."""
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    assert problem["status"] == answer.status_code
    return answer.status_code, problem["code"]


def contracts(assets: Assets) -> dict[str, Contract]:
    """A contract that no node has: the API only queues for it."""
    address = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
    return {"USDX": Contract(assets["USDX"], 31337, address, 1, bytes(32))}


@asynccontextmanager
async def opened(
    database: Database,
    assets: Assets,
    fee_basis_points: int = 0,
    deployed: bool = True,
    payees: tuple[PayeeResolver, ...] = RESOLVERS,
    **more: Any,
) -> AsyncIterator[Api]:
    """An application over this database. No node answers: nothing that a request does may ask one."""
    clock = MovableClock()
    there = contracts(assets) if deployed else {}
    settings = PaymentSettings(
        assets,
        there,
        fee_basis_points,
        7 * 86_400,
        3600,
        1.0,
        rails=rails.RAILS,
        payees=payees,
        settles=(*settles.KINDS, Sweeps(3600)),
    )
    services = Services(database, settings, Vault(MASTER_KEY), clock, **more)
    app = application(services)
    async with client_of(app) as client:
        yield Api(services, clock, client, app)


async def at_the_same_moment(
    api: Api, account: str, asked: Iterable[Coroutine[Any, Any, httpx.Response]]
) -> list[httpx.Response]:
    """Ask all of these, and let none get past the account until two transactions wait: of two that decide at the same
    moment each has read what it decides by, unless the second has to wait for the first before that.
    """
    async with api.services.database.transaction() as connection:
        assert await connection.fetch("SELECT FROM account WHERE code = $1 FOR UPDATE", account)
        asking = [asyncio.create_task(one) for one in asked]
        await until_waiting(connection, 2)
    return await asyncio.gather(*asking)


def keys_apart(wallet_id: str) -> tuple[str, str]:
    """Two idempotency keys of the wallet that share no lock (`lock_keys` in gateway/schema/07_idempotency.sql), so that
    neither of two transactions waits for the other before it decides.
    """
    of_wallet = read("wal", wallet_id).bytes
    by_lock = {hashlib.sha256(of_wallet + key.encode()).digest()[0] & 15: key for key in map(str, range(100))}
    first, second, *_ = by_lock.values()
    return first, second


@pytest.fixture
async def api(database: Database, assets: Assets) -> AsyncIterator[Api]:
    """An application over a database of this test alone."""
    async with opened(database, assets) as api:
        yield api


@pytest.fixture
async def beside(api: Api, database_url: str, assets: Assets) -> AsyncIterator[Api]:
    """A second gateway over the database of `api`."""
    async with connect(database_url, connections=5) as database, opened(database, assets) as other:
        yield other


@pytest.fixture(scope="module")
async def shared(server: Postgres, template: str, assets: Assets) -> AsyncIterator[Api]:
    """An application that a file's tests share: a database of one's own costs more than most of what is done in it."""
    async with (
        fresh_database(server.dsn, template) as url,
        connect(url, connections=50) as database,
        opened(database, assets) as api,
    ):
        yield api


@pytest.fixture(scope="module")
async def alice(shared: Api) -> Person:
    return await shared.person("alice", "100.00 EUR", "10 USDX")


@pytest.fixture(scope="module")
async def bob(shared: Api, alice: Person) -> Person:
    return await shared.person("bob")


@pytest.fixture
async def two(shared: Api) -> tuple[Person, Person]:
    """Two people whom no other test knows, the first with 100.00 EUR."""
    payer, payee = uuid4().hex[:12], uuid4().hex[:12]
    return await shared.person(payer, "100.00 EUR"), await shared.person(payee)


@pytest.fixture
def by_asgi(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the requests that have come to the application."""
    came: list[str] = []
    ordinary = Gateway.__call__

    async def note(self: Gateway, scope: Any, receive: Any, send: Any) -> None:
        came.append(scope["path"])
        await ordinary(self, scope, receive, send)

    monkeypatch.setattr(Gateway, "__call__", note)
    return came

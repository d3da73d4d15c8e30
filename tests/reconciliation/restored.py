"""A gateway over one database and the chain, copies of the database, and gateways over the copies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx

from gateway.audit import log as audit
from gateway.embedded.postgres import Postgres, binaries
from gateway.http.services import Services
from gateway.identity import wallet as wallets
from gateway.keys.vault import Vault
from gateway.postgres.pool import Database, connect
from gateway.reconciliation import recovery
from gateway.worker import jobs
from tests.api.conftest import Api, MovableClock, Person, amount
from tests.api.test_operators import Person as Operator
from tests.api.test_operators import operator
from tests.applications import application
from tests.conftest import ASSETS
from tests.databases import fresh_database, named
from tests.factory import Town
from tests.front import client_of

#: The keys that the `town` has.
MASTER, ROOT = bytes(range(32)), bytes(range(32, 64))


@dataclass
class Gateway:
    """A gateway over one database and the chain: its API, and its worker's steps."""

    town: Town
    api: Api
    operators: dict[str, tuple[Operator, Operator]] = field(default_factory=dict)

    async def two(self, kind: str) -> tuple[Operator, Operator]:
        """Two operators whose role this kind is for."""
        role = "finance" if kind == "ledger.correct" else "security"
        if role not in self.operators:
            ann, ben = [await operator(self.api, f"{name}_{role}", role) for name in ("ann", "ben")]
            self.operators[role] = (ann, ben)
        return self.operators[role]

    async def propose(self, asked: dict[str, Any]) -> httpx.Response:
        """What an operator proposes."""
        ann, _ = await self.two(asked["kind"])
        return await ann.call("POST", "/proposals", {"reason": "after the restore", **asked})

    async def approved(self, asked: dict[str, Any]) -> int:
        """What one operator proposes and the other approves; the answer's status."""
        proposed = await self.propose(asked)
        assert proposed.status_code == 201, proposed.text
        _, ben = await self.two(asked["kind"])
        return (await ben.approve(proposed.json()["id"])).status_code

    async def watch(self) -> None:
        worker = self.town.worker()
        while await jobs.watch.run(worker):
            pass

    async def tokens(self, handle: str) -> str:
        """What the ledger says that a wallet has."""
        async with self.town.database.reading() as connection:
            wallet = await wallets.by_handle(connection, handle)
        return str((await self.town.balance(wallet, "USDX")).money()[0])

    async def recovery(self) -> recovery.Recovery | None:
        async with self.town.database.reading() as connection:
            return await recovery.current(connection)

    async def audit_events(self, *kinds: str) -> list[str]:
        async with self.town.database.reading() as connection:
            return [event.kind for event in reversed(await audit.read(connection, limit=500)) if event.kind in kinds]

    def as_person(self, of: Person) -> Person:
        """Somebody, at this gateway."""
        return replace(of, api=self.api)


@asynccontextmanager
async def opened(town: Town) -> AsyncIterator[Gateway]:
    services = Services(town.database, town.settings, town.vault, MovableClock(), town.node)
    app = application(services)
    async with client_of(app) as client:
        yield Gateway(town, Api(services, MovableClock(), client))


@dataclass
class Copies:
    """Copies of databases, made and restored by PostgreSQL's own tools."""

    server: Postgres
    folder: Path
    stack: AsyncExitStack

    async def take(self, town: Town) -> Path:
        async with town.database.reading() as connection:
            name = await connection.fetchval("SELECT current_database()")
        file = self.folder / f"{name}.dump"
        await _run("pg_dump", "--format=custom", f"--file={file}", f"--dbname={named(self.server.dsn, name)}")
        return file

    async def restore(self, copy: Path, town: Town) -> Gateway:
        """The copy in a database of its own, and a gateway over that and the same chain."""
        url = await self.create()
        await _run("pg_restore", "--exit-on-error", f"--dbname={url}", str(copy))
        return await self.open(url, town)

    async def create(self) -> str:
        """An empty database."""
        return await self.stack.enter_async_context(fresh_database(self.server.dsn))

    async def open(self, url: str, town: Town) -> Gateway:
        database: Database = await self.stack.enter_async_context(connect(url, connections=10))
        vault = Vault(MASTER, root=ROOT)
        again = Town(database, town.chain, town.node, ASSETS, vault)
        again.settings, again.signers = town.settings, town.signers
        return await self.stack.enter_async_context(opened(again))


async def _run(tool: str, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(binaries() / tool, *arguments, stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()


async def convert(who: Person, text: str, into: str, key: str) -> httpx.Response:
    return await who.post("/v1/conversions", {**amount(text), "to_asset": into}, key)


async def with_tokens(gateway: Gateway, handle: str, fiat: str, tokens: str) -> Person:
    """Somebody with fiat, some of which became tokens."""
    person = await gateway.api.person(handle, fiat)
    assert (await convert(person, tokens, "USDX", f"first-{handle}")).status_code == 202
    await gateway.town.settle()
    return person

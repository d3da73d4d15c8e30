"""A chain, a database and a small house between them, fresh for every test.

anvil mines only when a test says so, so a test knows what is in which block and waits for nothing. A block is final
when one more stands on top of it.
"""

import json
import os
import platform
import subprocess
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from gateway.chain import authorization, batches, deploy, lanes, watch
from gateway.chain.authorization import Authorization, Kind, Order
from gateway.chain.batches import Batch, BatchKind
from gateway.chain.contract import Contract, as_int, balance_of_data
from gateway.chain.node import HttpNode
from gateway.chain.signer import LOCAL_RELAYER_KEY, LaneSigner, Vault
from gateway.chain.watch import Span
from gateway.ledger import book
from gateway.money import Asset, Assets
from gateway.postgres import Connection, Database, connect, migrate

USDX = Asset("USDX", "token", 6, "USD")
ASSETS = Assets([Asset("USD", "fiat", 2), USDX])

#: How many blocks stand on top of a final one in these tests.
FINALITY = 1

_MACHINES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_KIND = f"{platform.system().lower()}-{_MACHINES[platform.machine()]}"
_MODULES = Path(__file__).resolve().parents[2] / "contracts" / "node_modules" / "@foundry-rs"
ANVIL = _MODULES / f"anvil-{_KIND}" / "bin" / "anvil"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


# ---- the chain ------------------------------------------------------------------------------------------------------


@dataclass
class Chain:
    """A running anvil. Blocks come when `mine` says so."""

    url: str
    process: "subprocess.Popen[bytes]"

    def rpc(self, method: str, *params: object) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as response:
            answer = json.load(response)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.rpc("evm_mine")

    def head(self) -> int:
        return int(self.rpc("eth_blockNumber"), 16)

    def timestamp(self) -> int:
        return int(self.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)


@contextmanager
def running_anvil(home: Path, *arguments: str) -> Iterator[Chain]:
    """anvil on a free port, with a home of its own, ended by its own process id."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "anvil.log").open("wb") as log:
        process = subprocess.Popen(
            [ANVIL, "--port", "0", "--no-mining", "--slots-in-an-epoch", "1", "--enable-tx-gas-limit", *arguments],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={"HOME": str(home), "PATH": os.environ["PATH"]},
        )
    try:
        yield Chain(f"http://127.0.0.1:{_port(home / 'anvil.log', process)}", process)
    finally:
        process.terminate()
        process.wait(10)


def _port(log: Path, process: "subprocess.Popen[bytes]") -> str:
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        _, said, rest = log.read_text().partition("Listening on 127.0.0.1:")
        if said and "\n" in rest:
            return rest.split()[0]
        time.sleep(0.01)
    raise AssertionError(f"anvil did not start: {log.read_text()}")


@pytest.fixture
def start_chain(tmp_path: Path) -> Iterator[Callable[..., Chain]]:
    """Starts a chain; all that were started end with the test."""
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(running_anvil(tmp_path / str(uuid4()), *arguments))


@pytest.fixture
def chain(start_chain: Callable[..., Chain]) -> Chain:
    return start_chain()


@pytest.fixture
async def node(chain: Chain) -> AsyncIterator[HttpNode]:
    node = HttpNode(chain.url)
    yield node
    await node.close()


# ---- the database ---------------------------------------------------------------------------------------------------


@pytest.fixture
async def database() -> AsyncIterator[Database]:
    """A database of its own in the server that GATEWAY_TEST_DATABASE_URL names, migrated, with the assets in it."""
    server = os.environ["GATEWAY_TEST_DATABASE_URL"]
    name = f"chain_{uuid4().hex}"
    async with connect(server, connections=1) as admin:
        async with admin.reading() as connection:
            await connection.execute(f"CREATE DATABASE {name}")
        try:
            async with connect(server.replace("/postgres", f"/{name}", 1), connections=20) as database:
                await migrate(database)
                async with database.transaction() as connection:
                    await book.declare(connection, ASSETS)
                yield database
        finally:
            async with admin.reading() as connection:
                await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


# ---- the house ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Purse:
    """An address whose key the vault has sealed."""

    id: UUID
    address: str
    sealed: bytes


@dataclass
class House:
    """What a worker does, one step at a time, over one contract."""

    database: Database
    chain: Chain
    node: HttpNode
    signer: LaneSigner
    contract: Contract
    vault: Vault = field(default_factory=lambda: Vault(bytes(32)))
    purses: dict[str, Purse] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def purse(self) -> Purse:
        id_ = uuid4()
        address, sealed = self.vault.new_key(id_)
        self.purses[address] = Purse(id_, address, sealed)
        return self.purses[address]

    async def sign(self, connection: Connection, wanted: list[Authorization]) -> list[bytes]:
        payers = [self.purses[one.from_address] for one in wanted]
        digests = [authorization.digest(self.contract, one) for one in wanted]
        return [self.vault.sign(payer.id, payer.sealed, digest) for payer, digest in zip(payers, digests, strict=True)]

    def order(self, kind: Kind, payer: Purse | None, to: str, units: int, seconds: int = 3600) -> Order:
        payer_address = payer.address if payer else self.contract.address
        until, id_ = self.now + timedelta(seconds=seconds), UUID(int=next(self.numbers))  # later ids sort later
        reference = id_.int if kind == "mint" else None
        return Order(id_, kind, "USDX", payer_address, to, units, int(until.timestamp()), reference)

    async def enqueue(self, *orders: Order) -> list[Authorization]:
        async with self.database.transaction() as connection:
            return await authorization.enqueue(connection, orders, self.now)

    async def form(self, kind: BatchKind = "settle", most: int = 300) -> Batch | None:
        fees = await self.node.fees()
        async with self.database.transaction() as connection:
            return await batches.form(connection, self.contract, kind, self.signer, fees, self.sign, self.now, most)

    async def send(self) -> None:
        async with self.database.reading() as connection:
            attempts = await lanes.open_attempts(connection, self.signer.address)
        await lanes.send_open(self.node, attempts)

    async def read(self) -> Span | None:
        async with self.database.reading() as connection:
            cursor = await watch.cursor(connection, self.contract.chain_id)
            attempts = await lanes.open_attempts(connection, self.signer.address)
        assert cursor is not None
        hashes = [attempt.hash for attempt in attempts]
        return await watch.read(self.node, [self.contract], cursor, FINALITY, hashes)

    async def observe(self) -> Span | None:
        """Take in the final blocks that are new, as the payments' room does."""
        span = await self.read()
        if span is None:
            return None
        async with self.database.transaction() as connection:
            cursor = await watch.cursor(connection, self.contract.chain_id)
            assert cursor is not None
            assert await watch.advance(connection, cursor, span)
            moved = [(m.asset_code, m.from_address, m.reference or m.nonce or 0) for m in span.movements]
            skipped = {(s.asset_code, s.from_address, s.nonce): s.reason for s in span.skips if s.ended}
            settled = await authorization.find(connection, moved)
            ended = await authorization.find(connection, skipped)
            await authorization.finish(connection, [one.id for one in settled.values()], "settled")
            reasons = [skipped[key] for key in ended]
            await authorization.finish(connection, [one.id for one in ended.values()], "skipped", reasons)
            concluded = await lanes.conclude(connection, span.receipts)
            await authorization.requeue(connection, [one.id for one in concluded if not one.succeeded])
        return span

    async def settle(self, kind: BatchKind = "settle") -> Span:
        """Form a batch of what is queued and see it through to its final block."""
        await self.form(kind)
        await self.send()
        self.chain.mine(1 + FINALITY)
        span = await self.observe()
        assert span is not None
        return span

    async def rich(self, units: int = 1_000_000) -> Purse:
        """A purse with tokens."""
        purse = self.purse()
        await self.enqueue(self.order("mint", None, purse.address, units))
        await self.settle("mint")
        assert await self.balance(purse.address) == units
        return purse

    async def balance(self, address: str) -> int:
        return as_int(await self.node.call(self.contract.address, balance_of_data(address), "latest"))

    async def state(self, one: Authorization) -> str:
        async with self.database.reading() as connection:
            return (await authorization.find(connection, [one.key]))[one.key].state


@pytest.fixture
async def house(database: Database, chain: Chain, node: HttpNode) -> House:
    signer = LaneSigner(LOCAL_RELAYER_KEY)

    async def mine() -> None:
        chain.mine()

    contracts = await deploy.deploy(database, node, signer, ASSETS, FINALITY, lambda: datetime.now(UTC), pause=mine)
    return House(database, chain, node, signer, contracts["USDX"])

"""A small gateway between a chain and a database: what a worker does, one step at a time, and nothing of payments.

anvil mines only when a test says so, so a test knows what is in which block and waits for nothing. A block is final
when one more stands on top of it.
"""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from gateway.chain.deployment import deploy
from gateway.chain.node import HttpNode
from gateway.chain.relayer import batches, outbox, relayers
from gateway.chain.relayer.batches import Batch, BatchKind
from gateway.chain.token import authorization, eip3009
from gateway.chain.token.authorization import Order
from gateway.chain.token.contract import Contract, as_int, balance_of_data
from gateway.chain.token.eip3009 import Authorization, Kind
from gateway.chain.watcher import cursors, watch
from gateway.chain.watcher.block_range import BlockRange
from gateway.keys.signer import LOCAL_RELAYER_KEY, RelayerSigner
from gateway.keys.vault import Vault
from gateway.money import Asset, Assets
from gateway.postgres.pool import Connection, Database
from tests.anvils import Chain, running_anvil

USDX = Asset("USDX", "token", 6, "USD")
ASSETS = Assets([Asset("USD", "fiat", 2), USDX])

#: How many blocks stand on top of a final one in these tests.
FINALITY = 1

# ---- the chain ------------------------------------------------------------------------------------------------------


@pytest.fixture
def start_chain(tmp_path: Path) -> Iterator[Callable[..., Chain]]:
    """Starts a chain; all that were started end with the test."""
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(running_anvil(tmp_path / str(uuid4()), *arguments))


@pytest.fixture
async def node(chain: Chain) -> AsyncIterator[HttpNode]:
    node = HttpNode(chain.url)
    yield node
    await node.close()


# ---- the gateway -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Purse:
    """An address whose key the vault has encrypted."""

    id: UUID
    address: str
    ciphertext: bytes


@dataclass
class Setup:
    """What a worker does, one step at a time, over one contract."""

    database: Database
    chain: Chain
    node: HttpNode
    signer: RelayerSigner
    contract: Contract
    vault: Vault = field(default_factory=lambda: Vault(bytes(32)))
    purses: dict[str, Purse] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def purse(self) -> Purse:
        id_ = uuid4()
        address, ciphertext = self.vault.new_key(id_, "alice")
        self.purses[address] = Purse(id_, address, ciphertext)
        return self.purses[address]

    async def sign(self, connection: Connection, wanted: list[Authorization]) -> Sequence[bytes | None]:
        payers = [self.purses[one.from_address] for one in wanted]
        digests = [eip3009.digest(self.contract, one) for one in wanted]
        return [
            self.vault.sign(payer.id, payer.address, payer.ciphertext, digest)
            for payer, digest in zip(payers, digests, strict=True)
        ]

    def order(self, kind: Kind, payer: Purse | None, to: str, units: int, seconds: int = 3600) -> Order:
        payer_address = payer.address if payer else self.contract.address
        until, id_ = self.now + timedelta(seconds=seconds), UUID(int=next(self.numbers))  # later ids sort later
        reference = id_.int if kind == "mint" else None
        return Order(id_, kind, "USDX", payer_address, to, units, int(until.timestamp()), reference)

    async def enqueue(self, *orders: Order) -> list[Authorization]:
        async with self.database.transaction() as connection:
            await authorization.enqueue(connection, orders, self.now)
            return [(await authorization.one(connection, order.id)).authorization for order in orders]

    async def form(self, kind: BatchKind = "settle", maximum: int = 300) -> Batch | None:
        fees = await self.node.fees()
        async with self.database.transaction() as connection:
            return await batches.form(connection, self.contract, kind, self.signer, fees, self.sign, self.now, maximum)

    async def send(self) -> None:
        async with self.database.reading() as connection:
            attempts = await relayers.open_attempts(connection, self.signer.address)
        await outbox.send_open(self.database, self.node, attempts)

    async def read(self) -> BlockRange | None:
        async with self.database.reading() as connection:
            cursor = await cursors.read(connection, self.contract.chain_id)
            attempts = await relayers.open_attempts(connection, self.signer.address)
        assert cursor is not None
        hashes = {attempt.hash: False for attempt in attempts}
        return await watch.read(self.node, [self.contract], cursor, FINALITY, hashes)

    async def observe(self) -> BlockRange | None:
        """Take in the final blocks that are new, as the payments' room does."""
        block_range = await self.read()
        if block_range is None:
            return None
        async with self.database.transaction() as connection:
            cursor = await cursors.read(connection, self.contract.chain_id)
            assert cursor is not None
            assert await cursors.advance(connection, cursor, block_range)
            moved = [(m.asset_code, m.from_address, m.reference or m.nonce or 0) for m in block_range.movements]
            skipped = {(s.asset_code, s.from_address, s.nonce): s.reason for s in block_range.skips if s.ended}
            settled = await authorization.find(connection, moved)
            ended = await authorization.find(connection, skipped)
            await authorization.settle(connection, [one.id for one in settled.values()])
            reasons = [skipped[key] for key in ended]
            await authorization.finish(connection, [one.id for one in ended.values()], "skipped", reasons)
            concluded = await relayers.conclude(connection, block_range.receipts, self.now)
            await authorization.requeue(connection, [one.id for one in concluded if not one.succeeded])
        return block_range

    async def settle(self, kind: BatchKind = "settle") -> BlockRange:
        """Form a batch of what is queued and see it through to its final block."""
        await self.form(kind)
        await self.send()
        self.chain.mine(1 + FINALITY)
        block_range = await self.observe()
        assert block_range is not None
        return block_range

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
async def setup(database: Database, chain: Chain, node: HttpNode) -> Setup:
    signer = RelayerSigner(LOCAL_RELAYER_KEY)

    async def mine() -> None:
        chain.mine()

    contracts = await deploy.deploy(database, node, signer, ASSETS, FINALITY, lambda: datetime.now(UTC), pause=mine)
    return Setup(database, chain, node, signer, contracts["USDX"])

"""A new kind of thing that settles is one class: here a gift, which no module of the gateway knows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import pytest
from eth_account import Account

from gateway.address import ZERO
from gateway.chain.relayer import relayers
from gateway.chain.token import authorization
from gateway.chain.token.authorization import Order
from gateway.chain.token.contract import Movement
from gateway.chain.watcher import cursors, watch
from gateway.identity.wallet import Wallet
from gateway.ids import AccountId, TransferId, new_id
from gateway.ledger import account, ledger, transfer
from gateway.ledger.transfer import End, Leg, Transfer
from gateway.money import Asset, Assets
from gateway.payments.model.payment import State
from gateway.postgres.pool import Connection
from gateway.reconciliation import reread
from gateway.settlement import block_settlement
from gateway.settlement.settles import Known, Outcome, Posted, Settles, Submitted
from gateway.worker import jobs
from tests.databases import statements
from tests.factory import Town

pytestmark = pytest.mark.anyio

ORPHANAGE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


@dataclass(frozen=True)
class Gift:
    """Tokens on their way out of a wallet, by the id of their authorization, which is that of their hold as well."""

    id: UUID
    asset: Asset
    state: str


class Gifts(Settles[Gift]):
    async def find(self, connection: Connection, assets: Assets, authorizations: Sequence[UUID]) -> Mapping[UUID, Gift]:
        rows = await connection.fetch("-- gifts\nSELECT * FROM gift WHERE id = ANY ($1) ORDER BY id", authorizations)
        return {row["id"]: Gift(row["id"], assets[row["asset"]], row["state"]) for row in rows}

    def accounts(self, thing: Gift) -> Sequence[tuple[str, Asset]]:
        return [(account.system_account("outside", thing.asset), thing.asset)]

    def settle(self, thing: Gift, movement: Movement, known: Known, now: datetime) -> Outcome[Gift]:
        id = TransferId(thing.id)
        posted = Posted(id, account.system_account("outside", thing.asset))
        return Outcome(replace(thing, state="settled"), (End(id, transfer.Event.CAPTURE),), posted=posted)

    def fail(self, thing: Gift, reason: str, tx_hash: str | None) -> Outcome[Gift]:
        return Outcome(replace(thing, state=reason), (End(TransferId(thing.id), transfer.Event.VOID),))

    async def write(self, connection: Connection, things: Sequence[Gift], now: datetime) -> None:
        await connection.execute(
            """-- write_gifts
            UPDATE gift SET state = new.state FROM unnest($1::uuid[], $2::text[]) AS new (id, state)
            WHERE gift.id = new.id""",
            [one.id for one in things],
            [one.state for one in things],
        )

    async def submit(
        self, connection: Connection, assets: Assets, authorizations: Sequence[UUID], tx_hash: str, now: datetime
    ) -> Mapping[UUID, Submitted]:
        rows = await connection.fetch(
            "UPDATE gift SET state = 'submitted' WHERE id = ANY ($1) RETURNING id", authorizations
        )
        return {row["id"]: Submitted("gift.submitted", row["id"]) for row in rows}


class Returns(Gifts):
    """What a stranger sends to @shop is sent back."""

    def notice(self, movement: Movement, known: Known, now: datetime) -> Sequence[Outcome[Order]]:
        owner, token = known.wallets.get(movement.to_address), known.assets[movement.asset_code]
        if owner is None or owner.handle != "shop" or movement.from_address in (ZERO, *known.wallets):
            return ()
        until = int(now.timestamp()) + 3600
        back = Order(new_id(now), "transfer", token.code, owner.address, movement.from_address, movement.value, until)
        payer, outside = account.wallet(owner.handle, token), account.system_account("outside", token)
        return [Outcome(back, (hold_of(back, known.accounts[payer], known.accounts[outside]),))]

    async def start(self, connection: Connection, things: Sequence[Order], now: datetime) -> None:
        await authorization.enqueue(connection, things, now)
        await remember(connection, things)


def hold_of(order: Order, payer: AccountId, payee: AccountId) -> Transfer:
    return Transfer(TransferId(order.id), "gift", order.id, (Leg(payer, payee, order.value),), hold=True)


async def remember(connection: Connection, orders: Sequence[Order]) -> None:
    await connection.execute(
        "INSERT INTO gift SELECT id, $2, 'queued' FROM unnest($1::uuid[]) AS id",
        [one.id for one in orders],
        orders[0].asset,
    )


@pytest.fixture
async def giving(town: Town) -> Town:
    """A town whose people make gifts."""
    await register(town, Gifts())
    return town


async def register(town: Town, kind: Settles[Gift]) -> None:
    """What makes a kind known is one line. The table is its own."""
    town.settings = replace(town.settings, settles=(*town.settings.settles, kind))
    await town.execute("CREATE TABLE gift (id uuid PRIMARY KEY, asset text NOT NULL, state text NOT NULL)")


async def give(town: Town, giver: Wallet, *texts: str) -> list[UUID]:
    """Set tokens aside, queue their authorizations and remember what they are for, in one transaction."""
    moneys, now = [town.money(text) for text in texts], town.clock()
    usdx = moneys[0].asset
    orders = [
        Order(new_id(now), "transfer", usdx.code, giver.address, ORPHANAGE, one.units, int(now.timestamp()) + 3600)
        for one in moneys
    ]
    codes = account.wallet(giver.handle, usdx), account.system_account("outside", usdx)
    async with town.database.transaction() as connection:
        ids = await ledger.accounts(connection, [(code, usdx) for code in codes])
        holds = [hold_of(one, *(ids[code] for code in codes)) for one in orders]
        ledger.all_done(await ledger.write(connection, holds, now))
        await authorization.enqueue(connection, orders, now)
        await remember(connection, orders)
    return [one.id for one in orders]


async def states(town: Town) -> list[str]:
    async with town.database.reading() as connection:
        return [row["state"] for row in await connection.fetch("SELECT state FROM gift ORDER BY id")]


async def test_a_new_kind_of_thing_is_settled_by_a_block_beside_those_there_are(giving: Town) -> None:
    alice, _ = await giving.person("alice", "10 USDX", "5.00 USD"), await giving.person("bob")
    await give(giving, alice, "4 USDX")
    payment = await giving.pay(alice, "@bob", "1 USDX")
    bought = await giving.convert(alice, "2.00 USD", "USDX")
    worker = giving.worker()

    await jobs.relay.run(worker)
    assert await states(giving) == ["submitted"]
    await giving.settle()

    assert await states(giving) == ["settled"]
    assert (await giving.payment(payment)).state is (await giving.conversion(bought)).state is State.SETTLED
    assert await giving.on_chain(ORPHANAGE) == "4.000000 USDX"
    assert await giving.available(alice, "USDX") == await giving.on_chain(alice.address) == "7.000000 USDX"
    assert await giving.differences() == []


async def test_a_new_kind_of_thing_fails_where_the_contract_skips_it(giving: Town) -> None:
    alice = await giving.person("alice", "10 USDX")
    await give(giving, alice, "4 USDX")
    await giving.freeze(alice.address)

    await giving.settle()

    assert await states(giving) == ["account_frozen"]
    assert await giving.available(alice, "USDX") == await giving.on_chain(alice.address) == "10.000000 USDX"
    assert await giving.differences() == []


async def test_a_new_kind_of_thing_fails_once_its_time_is_over_and_it_was_not_used(giving: Town) -> None:
    alice = await giving.person("alice", "10 USDX")
    await give(giving, alice, "4 USDX")
    giving.chain.rpc("evm_increaseTime", 4000)
    giving.chain.mine(3)

    while await jobs.watch.run(giving.worker()):
        pass

    assert await states(giving) == ["expired"]
    assert await giving.available(alice, "USDX") == "10.000000 USDX"
    assert await giving.differences() == []


async def test_what_moved_tokens_make_begin_is_settled_and_begins_once(town: Town) -> None:
    await register(town, Returns())
    alice, shop, stranger = await town.person("alice", "10 USDX"), await town.person("shop"), Account.create()
    await town.pay(alice, stranger.address, "4 USDX")
    await town.settle()

    await town.send_with(bytes(stranger.key), shop.address, "3 USDX")
    await town.settle()
    async with town.database.reading() as connection:
        cursor = await cursors.read(connection, town.settings.contracts["USDX"].chain_id)
    assert cursor is not None
    again = await reread.reread(town.database, town.node, town.settings, 1, cursor.number, town.clock)

    assert (await states(town), again.posted) == (["settled"], 0)
    assert await town.on_chain(stranger.address) == "4.000000 USDX"
    assert await town.available(shop, "USDX") == "0.000000 USDX"
    assert await town.differences() == []


async def said_by_settling(town: Town) -> list[str]:
    """Write the next final blocks; the names of the statements that it takes, in order."""
    contracts, now = list(town.settings.contracts.values()), town.clock()
    async with town.database.reading() as connection:
        cursor = await cursors.read(connection, contracts[0].chain_id)
        hashes = await relayers.open_hashes(connection, contracts[0].chain_id, now)
    assert cursor is not None
    block_range = await watch.read(town.node, contracts, cursor, town.FINALITY, hashes)
    assert block_range is not None
    async with town.database.transaction() as connection:
        with statements(connection) as said:
            assert await block_settlement.settle(
                connection, town.assets, town.settings.settles, cursor, block_range, {}, now
            )
    return [text.split("\n")[0] for text in said]


async def test_a_block_is_written_in_as_many_statements_however_much_it_settles(giving: Town) -> None:
    alice = await giving.person("alice", "100 USDX")
    await giving.person("bob")
    said = []
    for count in (1, 2, 30):
        await give(giving, alice, *["1 USDX"] * count)
        for _ in range(count):
            await giving.pay(alice, "@bob", "1 USDX")
        await jobs.relay.run(giving.worker())
        giving.chain.mine(1 + giving.FINALITY)
        said.append(await said_by_settling(giving))

    assert await states(giving) == ["settled"] * 33
    assert said[1] == said[2]
    assert {"-- gifts", "-- write_gifts"} <= set(said[2])
    assert await giving.differences() == []

"""The ledger reconciled with the chain and the bank, all the time: what is seen, what is believed, what it costs."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.chain.errors import NodeUnavailable
from gateway.chain.node import At, HttpNode
from gateway.chain.token import balance_list
from gateway.ids import TransferId, new_id
from gateway.ledger import ledger
from gateway.ledger.transfer import Leg, Transfer
from gateway.postgres.pool import Record
from gateway.reconciliation.monitor import Schedule
from gateway.worker import jobs
from gateway.worker.worker import Worker
from tests.factory import Town

pytestmark = pytest.mark.anyio

OUTSIDE = "0x" + 40 * "1"

#: For workers of several at once: a suspicion is looked at again at once, but no turn is taken over.
SCHEDULE = Schedule(again_after=timedelta(0))


class Counting(HttpNode):
    """A node that counts what it is asked of contracts, and may answer late or not at all."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked = 0
        self.away = False
        self.wait: asyncio.Event | None = None
        self.waiting = asyncio.Event()

    async def calls(self, calls: Sequence[tuple[str | None, bytes]], at: At) -> list[bytes]:
        self.asked += sum(1 if to is not None else balance_list.addresses_in(data) for to, data in calls)
        if self.away:
            raise NodeUnavailable("it is away")
        if self.wait is not None:
            self.waiting.set()
            await self.wait.wait()
        return await super().calls(calls, at)


class Lagging(HttpNode):
    """A node that answers as of a block that has been, whatever block it is asked of."""

    def __init__(self, url: str, block: int) -> None:
        super().__init__(url)
        self.block_number = block

    async def calls(self, calls: Sequence[tuple[str | None, bytes]], at: At) -> list[bytes]:
        return await super().calls(calls, self.block_number)


async def rows(town: Town, query: str, *arguments: object) -> list[Record]:
    async with town.database.reading() as connection:
        return await connection.fetch(query, *arguments)


async def frozen(town: Town) -> list[str]:
    return [row["asset"] for row in await rows(town, "SELECT asset FROM withdrawal_freeze WHERE unfrozen_at IS NULL")]


async def told(town: Town) -> list[str]:
    """The gateway's events of what does not add up."""
    found = await rows(town, "SELECT payload FROM event WHERE kind = 'solvency.difference' ORDER BY id")
    return [row["payload"] for row in found]


async def looked_to(town: Town) -> int:
    (row,) = await rows(town, "SELECT number FROM reconciliation_run")
    return int(row["number"])


async def cursor(town: Town) -> int:
    (row,) = await rows(town, "SELECT number FROM chain_cursor")
    return int(row["number"])


async def shift(town: Town, units: int, debit: str, credit: str) -> None:
    """Post what never happened: the ledger's own checks allow it, since debits equal credits."""
    async with town.database.transaction() as connection:
        asset = town.assets["USDX"]
        ids = await ledger.accounts(connection, [(debit, asset), (credit, asset)])
        id = TransferId(new_id(town.clock()))
        legs = (Leg(ids[debit], ids[credit], units),)
        ledger.all_done(
            await ledger.write(connection, [Transfer(id, "observation", id, legs, unconditional=True)], town.clock())
        )


def worker(town: Town, node: HttpNode, schedule: Schedule = SCHEDULE) -> Worker:
    return replace(town.worker(node), schedule=schedule)


# ---- what is seen ---------------------------------------------------------------------------------------------------


async def test_books_that_agree_are_reconciled_up_to_the_last_final_block_and_nothing_is_frozen(town: Town) -> None:
    alice = await town.person("alice", "10 USDX", "5.00 EUR")
    await town.person("bob")
    await town.pay(alice, "@bob", "4 USDX")
    await town.pay(alice, OUTSIDE, "1 USDX")
    await town.convert(alice, "2 USDX", "USD")
    await town.settle()

    await town.look()
    await town.look()

    assert await looked_to(town) == await cursor(town)
    assert await rows(town, "SELECT * FROM difference") == []
    assert await frozen(town) == []


async def test_a_difference_that_is_seen_twice_names_account_block_and_amount_and_freezes_its_asset(town: Town) -> None:
    alice = await town.person("alice", "10 USDX")
    await town.look()
    await town.set_balance(alice.address, "7 USDX")
    await town.pay(alice, OUTSIDE, "1 USDX")
    await town.settle()

    await town.look()
    first, frozen_then = await told(town), await frozen(town)
    await town.look()

    assert (first, frozen_then) == ([], [])
    (row,) = await rows(town, "SELECT * FROM difference")
    assert (row["account"], row["against"]) == ("wallet:alice:USDX", "balanceOf")
    assert (row["ledger"], row["other"], row["block"]) == (9_000_000, 6_000_000, await cursor(town))
    assert row["confirmed_at"] is not None
    (payload,) = await told(town)
    for said in ('"wallet:alice:USDX"', '"USDX"', '"3.000000"', '"9.000000"', '"6.000000"', f'"block": {row["block"]}'):
        assert said in payload
    assert await frozen(town) == ["USDX"]


async def test_a_difference_is_told_once_however_often_it_is_seen(town: Town) -> None:
    alice = await town.person("alice", "10 USDX")
    await town.set_balance(alice.address, "7 USDX")

    for _ in range(4):
        await town.look()
        town.chain.mine()

    assert len(await told(town)) == 1
    assert len(await rows(town, "SELECT * FROM event WHERE kind = 'withdrawals.frozen'")) == 1


async def test_a_node_that_is_behind_for_a_moment_is_no_difference(town: Town) -> None:
    alice = await town.person("alice", "10 USDX")
    await town.look()
    behind = Lagging(town.chain.url, town.chain.head())
    await town.pay(alice, OUTSIDE, "1 USDX")
    await town.settle()

    await jobs.reconcile.run(worker(town, behind))
    suspected = await rows(town, "SELECT account FROM difference")
    await town.look()

    assert [row["account"] for row in suspected] == ["wallet:alice:USDX"]
    assert await rows(town, "SELECT * FROM difference") == []
    assert await frozen(town) == []
    await behind.close()


async def test_a_supply_that_is_not_the_books_is_seen(town: Town) -> None:
    await town.person("alice", "10 USDX")
    contract = town.settings.contracts["USDX"]
    town.chain.rpc("anvil_setStorageAt", contract.address, "0x2", f"0x{11_000_000:064x}")
    town.chain.mine(2)

    await town.look()
    await town.look()

    (row,) = await rows(town, "SELECT account, against, other - ledger AS more FROM difference")
    assert tuple(row) == ("supply:USDX", "totalSupply", 1_000_000)


async def test_what_the_ledger_shifted_by_itself_is_seen_when_every_wallet_is_reconciled(town: Town) -> None:
    await town.person("alice", "10 USDX")
    await town.look()
    await shift(town, 2_000_000, "wallet:alice:USDX", "outside:USDX")
    town.chain.mine()

    await town.look()
    by_touch = await rows(town, "SELECT * FROM difference")
    await town.look_at_all()
    await town.look()

    assert by_touch == []
    assert [row["account"] for row in await rows(town, "SELECT account FROM difference")] == ["wallet:alice:USDX"]
    assert await frozen(town) == ["USDX"]


async def test_an_outside_that_is_not_what_the_supply_leaves_is_seen_when_every_wallet_is_reconciled(
    town: Town,
) -> None:
    alice = await town.person("alice", "10 USDX")
    await town.pay(alice, OUTSIDE, "3 USDX")
    await town.settle()
    await town.execute("UPDATE account SET debits_posted = 1, entries = entries + 1 WHERE code = 'outside:USDX'")

    await town.look_at_all()
    await town.look()

    (row,) = await rows(town, "SELECT account, against, ledger, other FROM difference")
    assert tuple(row) == ("outside:USDX", "the supply less all wallets", 2_999_999, 3_000_000)
    assert await frozen(town) == ["USDX"]


async def test_a_reserve_that_does_not_cover_the_supply_freezes_its_currency_and_not_the_token(town: Town) -> None:
    await town.person("alice", "10 USDX")
    await town.execute("UPDATE account SET debits_posted = 300, entries = entries + 1 WHERE code = 'reserve:USD'")

    await town.look()
    await town.look()

    (row,) = await rows(town, "SELECT account, asset, ledger, other FROM difference")
    assert tuple(row) == ("reserve:USD", "USD", 700, 1000)
    assert await frozen(town) == ["USD"]


async def test_a_bank_that_has_less_than_the_ledger_freezes_its_currency(town: Town) -> None:
    await town.person("alice", "10.00 EUR")
    await town.execute(
        "INSERT INTO sandbox_bank_line (reference, asset, amount, balance, booked_at) "
        "VALUES ('x', 'EUR', -1, 999, now())"
    )
    town.chain.mine(2)

    await town.look()
    await town.look()

    (row,) = await rows(town, "SELECT account, against, block, ledger, other FROM difference")
    assert tuple(row) == ("bank:EUR", "the bank's statement", None, 1000, 999)
    assert await frozen(town) == ["EUR"]


# ---- what it costs --------------------------------------------------------------------------------------------------


async def test_a_look_asks_the_node_of_what_moved_and_not_of_every_wallet(town: Town) -> None:
    alice = await town.person("alice", "10 USDX")
    for n in range(30):
        await town.person(f"idle_{n}")
    await town.person("bob")
    node = Counting(town.chain.url)
    await jobs.reconcile.run(worker(town, node))
    every = node.asked
    asked = []
    for payments in (0, 1, 3):
        for _ in range(payments):
            await town.pay(alice, "@bob", "1 USDX")
        await town.settle()
        town.chain.mine()
        await jobs.watch.run(town.worker())
        node.asked = 0
        await jobs.reconcile.run(worker(town, node))
        asked.append(node.asked)

    assert every == 1 + 32
    assert asked == [1, 3, 3]
    await node.close()


async def test_without_a_new_block_nobody_is_asked(town: Town) -> None:
    await town.person("alice", "10 USDX")
    await town.look()
    node = Counting(town.chain.url)

    await jobs.reconcile.run(worker(town, node))

    assert node.asked == 0
    await node.close()


# ---- several workers, and one that is killed ------------------------------------------------------------------------


async def test_two_workers_reconcile_a_block_range_once_and_every_wallet_once_a_day(town: Town) -> None:
    alice = await town.person("alice", "10 USDX")
    for n in range(5):
        await town.person(f"idle_{n}")
    nodes = [Counting(town.chain.url) for _ in range(2)]
    workers = [worker(town, node) for node in nodes]

    await asyncio.gather(*(jobs.reconcile.run(one) for one in workers))
    every = sum(node.asked for node in nodes)
    await town.pay(alice, OUTSIDE, "1 USDX")
    await town.settle()
    await asyncio.gather(*(jobs.reconcile.run(one) for one in workers))

    assert every == 1 + 6
    assert sum(node.asked for node in nodes) == every + 2
    for node in nodes:
        await node.close()


async def test_two_workers_confirm_a_difference_once(town: Town) -> None:
    alice = await town.person("alice", "10 USDX")
    await town.set_balance(alice.address, "7 USDX")
    await town.look()
    workers = [worker(town, HttpNode(town.chain.url)) for _ in range(2)]

    for _ in range(2):
        await asyncio.gather(*(jobs.reconcile.run(one) for one in workers))

    assert len(await told(town)) == 1
    assert len(await rows(town, "SELECT * FROM withdrawal_freeze")) == 1
    for one in workers:
        await one.node.close()


async def test_what_a_killed_worker_did_not_look_at_the_next_one_does(town: Town) -> None:
    alice = await town.person("alice", "10 USDX")
    await town.look()
    await town.pay(alice, OUTSIDE, "1 USDX")
    await town.settle()
    await town.set_balance(alice.address, "3 USDX")
    await jobs.watch.run(town.worker())
    stuck = Counting(town.chain.url)
    stuck.wait = asyncio.Event()
    killed = asyncio.create_task(jobs.reconcile.run(worker(town, stuck)))
    await stuck.waiting.wait()
    killed.cancel()
    await asyncio.gather(killed, return_exceptions=True)

    await town.look()
    while_it_may_live = await rows(town, "SELECT * FROM difference")
    await jobs.reconcile.run(worker(town, HttpNode(town.chain.url), replace(SCHEDULE, lease=timedelta(0))))

    assert while_it_may_live == []
    assert [row["account"] for row in await rows(town, "SELECT account FROM difference")] == ["wallet:alice:USDX"]
    assert await looked_to(town) == await cursor(town)
    await stuck.close()


async def test_who_was_only_slow_writes_nothing_once_the_turn_is_somebody_elses(town: Town) -> None:
    alice = await town.person("alice", "10 USDX")
    await town.set_balance(alice.address, "3 USDX")
    await town.look()
    slow = Counting(town.chain.url)
    slow.wait = asyncio.Event()
    late = asyncio.create_task(jobs.reconcile.run(worker(town, slow)))
    await slow.waiting.wait()
    await jobs.reconcile.run(worker(town, HttpNode(town.chain.url), replace(SCHEDULE, lease=timedelta(0))))

    slow.wait.set()
    await late

    assert len(await told(town)) == 1
    await slow.close()


async def test_a_look_that_got_no_answer_is_made_again_at_once(town: Town) -> None:
    await town.person("alice", "10 USDX")
    node = Counting(town.chain.url)
    node.away = True
    with pytest.raises(NodeUnavailable):
        await jobs.reconcile.run(worker(town, node))

    await town.look()

    assert await looked_to(town) == await cursor(town)
    await node.close()

"""A worker on nodes other than ours: how much it asks, what it waits for, and what it does with a node that forgets."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.chain.errors import ChainReplaced
from gateway.chain.node import HttpNode
from gateway.payments.model.payment import State
from gateway.reconciliation import monitor, solvency
from gateway.worker import jobs
from gateway.worker import loop as working
from gateway.worker.block_time import BlockTime
from gateway.worker.worker import Worker
from tests.factory import Town
from tests.other_node import OtherNode, in_front_of
from tests.processes import HANG_SECONDS
from tests.reconciliation.test_monitor import frozen, rows

pytestmark = pytest.mark.anyio

#: Requests in a second of an idle worker, at blocks of 12 s. Before it followed their time there were 18.
IDLE_REQUESTS_MAX = 2.5


@pytest.fixture
async def other(town: Town) -> AsyncIterator[OtherNode]:
    async with in_front_of(town.chain) as other:
        yield other


@pytest.fixture
async def node(other: OtherNode) -> AsyncIterator[HttpNode]:
    node = HttpNode(other.url)
    yield node
    await node.close()


async def test_an_idle_worker_asks_little_where_blocks_are_slow(town: Town, other: OtherNode, node: HttpNode) -> None:
    await town.person("alice", "10 USDX")
    for _ in range(4):
        town.chain.rpc("evm_increaseTime", 12)
        town.chain.mine()
    usual = {field: Worker.__dataclass_fields__[field].default for field in ("resend_every", "gas_every")}
    worker = replace(town.worker(node), block_time=BlockTime(), schedule=monitor.SCHEDULE, **usual)
    while await jobs.watch.run(worker):
        pass
    other.requests = 0
    stop, seconds = asyncio.Event(), 6

    asyncio.get_running_loop().call_later(seconds, stop.set)
    await working.run(worker, stop)

    assert 2 <= other.requests <= IDLE_REQUESTS_MAX * seconds, other.asked


async def test_a_payment_is_settled_and_held_against_the_chain_on_a_node_that_keeps_no_older_state(
    town: Town, other: OtherNode, node: HttpNode
) -> None:
    alice, bob = await town.person("alice", "10 USDX", "5.00 USD"), await town.person("bob")
    other.pruned = 1  # the newest block alone, and never the final one
    worker = town.worker(node)
    payment = await town.pay(alice, "@bob", "4 USDX")
    late = await town.pay(alice, "@bob", "1 USDX")
    await town.settle_with(worker)
    await jobs.resend.run(worker)
    await town.pay(alice, "@bob", "2 USDX")
    await jobs.relay.run(worker)
    town.chain.mine(1)  # in a block that is not final: what the newest state has is taken back
    for _ in range(2):
        await jobs.reconcile.run(worker)
    _, differences = await solvency.reconcile(town.database, node, town.settings)

    assert [(await town.payment(one)).state for one in (payment, late)] == [State.SETTLED] * 2
    assert await town.available(bob, "USDX") == "5.000000 USDX"
    assert differences == []
    assert await frozen(town) == []
    assert await rows(town, "SELECT * FROM reconciliation_run WHERE number > 0")

    await town.set_balance(alice.address, "1 USDX")
    await town.settle_with(worker)
    _, (found,) = await solvency.reconcile(town.database, node, town.settings)
    assert found.account == "wallet:alice:USDX"


async def test_what_is_over_is_given_back_on_a_node_that_keeps_no_older_state(
    town: Town, other: OtherNode, node: HttpNode
) -> None:
    alice = await town.person("alice", "10 USDX")
    await town.person("bob")
    payment = await town.pay(alice, "@bob", "4 USDX")
    other.pruned = 1
    town.chain.rpc("evm_increaseTime", 4000)
    town.chain.mine(2)

    await jobs.watch.run(town.worker(node))

    assert (await town.payment(payment)).state is State.FAILED
    assert await town.available(alice, "USDX") == "10.000000 USDX"


async def test_a_relayer_is_served_while_the_node_indexes(town: Town, other: OtherNode, node: HttpNode) -> None:
    alice, _ = await town.person("alice", "10 USDX"), await town.person("bob")
    other.indexing = True
    worker = town.worker(node)
    payment = await town.pay(alice, "@bob", "4 USDX")
    await jobs.relay.run(worker)
    town.chain.rpc("anvil_dropAllTransactions")  # only what is sent again can settle

    await jobs.resend.run(worker)
    town.chain.mine(2)
    while await jobs.watch.run(worker):
        pass

    assert (await town.payment(payment)).state is State.SETTLED


async def test_receipts_that_do_not_come_accuse_nobody_of_having_a_relayers_key(
    town: Town, other: OtherNode, node: HttpNode
) -> None:
    alice, _ = await town.person("alice", "10 USDX"), await town.person("bob")
    payment = await town.pay(alice, "@bob", "4 USDX")
    worker = town.worker(node)
    await jobs.relay.run(worker)
    town.chain.mine(2)
    other.late_receipts = True
    for seconds in (0, 31, 62):
        now = town.clock() + timedelta(seconds=seconds)
        await jobs.resend.run(replace(worker, clock=lambda now=now: now))

    assert [row["stopped"] for row in await rows(town, "SELECT stopped FROM relayer")] == [None]
    other.late_receipts = False
    while await jobs.watch.run(worker):
        pass
    assert (await town.payment(payment)).state is State.SETTLED


async def test_a_wait_for_finality_is_said_once_with_the_setting_that_decides(
    town: Town, other: OtherNode, node: HttpNode, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    alice, _ = await town.person("alice", "10 USDX"), await town.person("bob")
    other.no_finalized = True
    await town.pay(alice, "@bob", "4 USDX")
    now = town.clock()
    worker = replace(town.worker(node), finality=None, clock=lambda: now)
    await jobs.relay.run(worker)
    town.chain.mine(2)

    for seconds in (0, 29, 31, 32, 600):
        later = now + timedelta(seconds=seconds)
        await jobs.resend.run(replace(worker, clock=lambda later=later: later))

    said = [one.getMessage() for one in caplog.records if "GATEWAY_FINALITY" in one.getMessage()]
    assert len(said) == 1
    assert "The node names no block as finalized" in said[0]


async def test_a_node_that_is_of_another_chain_all_at_once_ends_the_worker_with_one_line(
    town: Town, other: OtherNode, node: HttpNode
) -> None:
    alice, _ = await town.person("alice", "10 USDX"), await town.person("bob")
    worker = town.worker(node)
    await jobs.resend.run(worker)
    await town.pay(alice, "@bob", "4 USDX")
    other.chain_id = 5
    sent = other.asked["eth_sendRawTransaction"]

    with pytest.raises(ChainReplaced, match="the node was of chain 31337 and is of chain 5 now"):
        await asyncio.wait_for(working.run(worker, asyncio.Event()), HANG_SECONDS)

    assert other.asked["eth_sendRawTransaction"] == sent

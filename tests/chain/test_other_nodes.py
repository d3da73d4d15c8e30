"""Reading the chain from nodes other than ours: several backends, limits, pruned state, receipts that come late."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.chain.errors import ChainReplaced, NodeBehind, NodeRefused, NodeUnavailable
from gateway.chain.node import HttpNode
from gateway.chain.relayer import relayers
from gateway.chain.watcher import watch
from gateway.chain.watcher.block_range import BlockRange
from gateway.chain.watcher.cursors import Cursor
from tests.anvils import Chain
from tests.chain.conftest import FINALITY, Setup
from tests.chain.test_watch import cursor_of
from tests.other_node import OtherNode, in_front_of

pytestmark = pytest.mark.anyio

ANYBODY = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"


async def spent(setup: Setup) -> Cursor:
    """A payment in a final block after the cursor that is returned. Its transaction is open still."""
    alice, bob = await setup.rich(100), setup.purse()
    start = await cursor_of(setup)
    await setup.enqueue(setup.order("transfer", alice, bob.address, 1))
    await setup.form()
    await setup.send()
    setup.chain.mine(1 + FINALITY)
    return start


async def read(setup: Setup, other: OtherNode, start: Cursor, ours: bool = True) -> BlockRange | None:
    """What is read through the other node; `ours` is whether the transaction is known to be ours."""
    async with setup.database.reading() as connection:
        attempts = await relayers.open_attempts(connection, setup.signer.address)
    node = HttpNode(other.url)
    try:
        open_hashes = {attempt.hash: False for attempt in attempts} if ours else {}
        return await watch.read(node, [setup.contract], start, FINALITY, open_hashes)
    finally:
        await node.close()


async def read_at_last(
    setup: Setup, other: OtherNode, start: Cursor, ours: bool = True
) -> tuple[BlockRange, list[str]]:
    """The block range up to the final block, by a worker that tries again, and why it had to."""
    refused = list[str]()
    for _ in range(100):
        try:
            block_range = await read(setup, other, start, ours)
        except NodeUnavailable as why:
            refused.append(str(why))
            continue
        if block_range is not None and block_range.last.number == setup.chain.head() - FINALITY:
            return block_range, refused
    raise AssertionError(f"nothing was read in a hundred tries: {refused[-4:]}")


# ---- several backends -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ours", [True, False])
@pytest.mark.parametrize("unknown", ["empty", "error"])
async def test_a_backend_that_does_not_know_a_block_costs_a_second_try_and_no_log(
    setup: Setup, unknown: Any, ours: bool
) -> None:
    start = await spent(setup)
    seen = list[str]()
    for seed in range(8):
        async with in_front_of(setup.chain, lags=[0, 0, 2], unknown=unknown, seed=seed) as other:
            block_range, refused = await read_at_last(setup, other, start, ours)
        seen += refused
        assert [moved.value for moved in block_range.movements] == [1]
        assert len(block_range.receipts) == ours
    assert unknown == "error" or any("does not know block" in one for one in seen), seen


async def test_a_batch_that_is_split_over_backends_is_held_against_bloom_and_receipts(setup: Setup) -> None:
    start = await spent(setup)
    for seed in range(12):
        async with in_front_of(setup.chain, lags=[0, 0, 2], split=True, seed=seed) as other:
            block_range, _ = await read_at_last(setup, other, start, ours=bool(seed % 2))
        assert [moved.value for moved in block_range.movements] == [1]


async def test_logs_that_do_not_come_though_a_receipt_of_ours_has_them_are_no_answer(setup: Setup) -> None:
    start = await spent(setup)

    class Forgetful(HttpNode):
        """Its logs are gone; its headers say so too, so that only the receipt tells."""

        async def blocks(self, first: int, last: int) -> Any:
            return [replace(one, bloom=0) for one in await super().blocks(first, last)]

        async def logs_of(self, *arguments: Any) -> Any:
            return []

        async def all_logs_of(self, *arguments: Any) -> Any:
            return []

    async with setup.database.reading() as connection:
        attempts = await relayers.open_attempts(connection, setup.signer.address)
    node = Forgetful(setup.chain.url)
    with pytest.raises(NodeUnavailable, match="fewer logs than a receipt"):
        await watch.read(node, [setup.contract], start, FINALITY, {one.hash: False for one in attempts})
    await node.close()


async def test_a_node_behind_the_ledger_says_so_and_one_of_another_chain_is_named(setup: Setup) -> None:
    await setup.rich(1)
    start = await cursor_of(setup)
    async with in_front_of(setup.chain, lags=[setup.chain.head() - start.number + 1]) as other:
        with pytest.raises(NodeBehind, match=f"is behind: it has no block {start.number} yet"):
            await read(setup, other, start)
        other.chain_id = 5
        with pytest.raises(ChainReplaced, match="the ledger is of chain 31337, and the node is of chain 5"):
            await read(setup, other, start)


# ---- receipts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["indexing", "late_receipts"])
async def test_receipts_that_no_hash_finds_are_read_with_their_block(setup: Setup, fault: str) -> None:
    start = await spent(setup)
    async with in_front_of(setup.chain, **{fault: True}) as other:
        block_range = await read(setup, other, start)

    assert block_range is not None
    assert [moved.value for moved in block_range.movements] == [1]
    assert len(block_range.receipts) == 1


# ---- limits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("maximum", "refusal"),
    [*((maximum, "error") for maximum in (1, 10, 20, 50, 99)), *((20, how) for how in ("entry", "status", "cut"))],
)
async def test_batches_become_as_small_as_the_node_takes_them_and_stay_so(
    chain: Chain, maximum: int, refusal: Any
) -> None:
    chain.rpc("anvil_mine", hex(120))
    async with in_front_of(chain, batch_most=maximum, batch_refusal=refusal) as other:
        node = HttpNode(other.url)
        assert [block.number for block in await node.blocks(0, 120)] == list(range(121))
        learnt = len([size for size in other.sizes if size > maximum])
        other.sizes.clear()
        assert [block.number for block in await node.blocks(0, 120)] == list(range(121))
        await node.close()

    assert 2 <= learnt <= 8
    assert max(other.sizes, default=1) <= maximum  # nothing is refused any more


async def test_a_lone_refusal_that_passes_makes_no_batch_smaller(chain: Chain) -> None:
    chain.rpc("anvil_mine", hex(60))
    async with in_front_of(chain) as other:
        node = HttpNode(other.url)
        other.pruned = 0
        calls = [(ANYBODY, b"")] * 50
        for _ in range(2):
            with pytest.raises(NodeRefused, match="missing trie node"):
                await node.calls(calls, 1)
        asked = other.requests
        with pytest.raises(NodeRefused, match="missing trie node"):
            await node.calls(calls, 1)
        assert other.requests - asked == 1  # one request was refused in the same words: it is not about size
        other.pruned = None
        other.sizes.clear()
        assert len(await node.calls(calls, 1)) == 50
        assert other.sizes == [50]
        await node.close()


async def test_a_range_limit_is_learnt_once(setup: Setup) -> None:
    start = await cursor_of(setup)
    setup.chain.mine(90)
    async with in_front_of(setup.chain, range_most=40) as other:
        node = HttpNode(other.url)
        for _ in range(2):
            block_range = await watch.read(node, [setup.contract], start, FINALITY, {})
            assert block_range is not None
        await node.close()

    assert len([first for first, last in other.ranges if last - first >= 40]) == 3  # 89, 89 again, and 45


# ---- a node that wants to be left alone -----------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "asked", "waits"), [(429, "30", 30), (503, "30", 30), (503, "86400", 300)])
async def test_no_request_is_sent_before_retry_after_is_over(chain: Chain, status: int, asked: str, waits: int) -> None:
    async with in_front_of(chain, status=status, retry_after=asked) as other:
        node = HttpNode(other.url)
        for _ in range(5):
            with pytest.raises(NodeUnavailable, match=f"HTTP status {status}, and it asked us to wait for {waits} s"):
                await node.chain_id()
        assert other.requests == 1
        await node.close()


@pytest.mark.parametrize("retry_after", ["soon", "-5", "Sun, 06 Nov 1994 08:49:37 GMT", ""])
async def test_a_retry_after_that_says_nothing_of_the_future_keeps_nobody_away(chain: Chain, retry_after: str) -> None:
    async with in_front_of(chain, status=429, retry_after=retry_after) as other:
        node = HttpNode(other.url)
        with pytest.raises(NodeUnavailable, match="HTTP status 429"):
            await node.chain_id()
        other.status = None
        assert await node.chain_id() == 31337
        await node.close()


async def test_a_batch_that_is_never_answered_in_time_becomes_smaller(chain: Chain) -> None:
    async with in_front_of(chain, silent=True) as other:
        node = HttpNode(other.url, timeout_seconds=0.05)
        for _ in range(2):
            with pytest.raises(NodeUnavailable, match="too long"):
                await node.blocks(0, 1)
        other.speak()
        await node.close()

"""The chain up to its final block: what is read once, what a reorganisation changes, and what it must not."""

from asyncio import create_task, gather
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs

from gateway.chain.block import Receipt
from gateway.chain.errors import ChainReplaced, NodeUnavailable
from gateway.chain.node import HttpNode
from gateway.chain.relayer import relayers
from gateway.chain.token import authorization
from gateway.chain.token.contract import Movement
from gateway.chain.watcher import cursors, same_chain, watch
from gateway.chain.watcher.block_range import BlockRange
from gateway.chain.watcher.cursors import Cursor
from tests.anvils import Chain
from tests.chain.conftest import FINALITY, Setup
from tests.databases import until_waiting

pytestmark = pytest.mark.anyio


async def cursor_of(setup: Setup) -> Cursor:
    async with setup.database.reading() as connection:
        cursor = await cursors.read(connection, 31337)
    assert cursor is not None
    return cursor


async def read(setup: Setup, cursor: Cursor, maximum: int = 500, finality: int | None = FINALITY) -> BlockRange | None:
    return await watch.read(setup.node, [setup.contract], cursor, finality, {}, maximum)


async def test_a_block_is_read_when_enough_stand_on_top_of_it_and_once(setup: Setup) -> None:
    await setup.observe()
    start = await cursor_of(setup)
    setup.chain.mine()

    (first, second) = (await setup.observe(), await setup.observe())

    assert first is not None
    assert (first.first, first.last.number) == (start.number + 1, start.number + 1)
    assert second is None
    assert (await cursor_of(setup)).hash == first.last.hash


@pytest.mark.parametrize("finality", [1, 3])
async def test_so_many_blocks_stand_on_top_of_the_last_one_that_is_read(setup: Setup, finality: int) -> None:
    setup.chain.mine(5)

    block_range = await read(setup, await cursor_of(setup), finality=finality)

    assert block_range is not None
    assert block_range.last.number == setup.chain.head() - finality


async def test_the_node_may_say_itself_what_is_final(setup: Setup) -> None:
    setup.chain.mine(5)

    block_range = await read(setup, await cursor_of(setup), finality=None)

    assert block_range is not None
    assert block_range.last.number == setup.chain.head() - 2  # two epochs of one slot


async def test_spans_cut_anywhere_say_the_same(setup: Setup) -> None:
    alice, bob = await setup.rich(100), setup.purse()
    start = await cursor_of(setup)
    for units in (1, 2, 3, 4):
        await setup.enqueue(setup.order("transfer", alice, bob.address, units))
        await setup.form()
        await setup.send()
        setup.chain.mine(2)

    whole = await read(setup, start)
    assert whole is not None
    assert [moved.value for moved in whole.movements] == [1, 2, 3, 4]
    for maximum in (1, 2, 3):
        pieces: list[Movement] = []
        cursor = start
        while (block_range := await read(setup, cursor, maximum)) is not None:
            pieces += block_range.movements
            cursor = Cursor(31337, block_range.last.number, block_range.last.hash, block_range.last.timestamp)
        assert pieces == whole.movements


async def test_one_of_many_workers_moves_the_cursor(setup: Setup) -> None:
    setup.chain.mine(3)
    old = await cursor_of(setup)
    block_range = await read(setup, old)
    assert block_range is not None

    async def advance() -> bool:
        async with setup.database.transaction() as connection:
            return await cursors.advance(connection, old, block_range)

    assert sorted(await gather(*(advance() for _ in range(10)))) == [False] * 9 + [True]
    assert (await cursor_of(setup)).number == block_range.last.number


async def test_a_block_range_that_was_read_without_a_contract_moves_no_cursor(setup: Setup) -> None:
    setup.chain.mine(3)
    old = await cursor_of(setup)
    block_range = await watch.read(setup.node, [], old, FINALITY, {})
    assert block_range is not None

    async with setup.database.transaction() as connection:
        assert not await cursors.advance(connection, old, block_range)

    assert await cursor_of(setup) == old


async def test_a_contract_that_is_being_recorded_is_waited_for(setup: Setup) -> None:
    setup.chain.mine(3)
    old = await cursor_of(setup)
    block_range = await read(setup, old)
    assert block_range is not None

    async def advance() -> bool:
        async with setup.database.transaction() as connection:
            return await cursors.advance(connection, old, block_range)

    async with setup.database.transaction() as connection:
        await cursors.begin(connection, old)
        await connection.execute("INSERT INTO asset (code, kind, decimals, backing) VALUES ('EURX', 'token', 6, 'EUR')")
        await connection.execute(
            "INSERT INTO contract SELECT 'EURX', chain_id, '0x', deployed_block, genesis_hash FROM contract"
        )
        late = create_task(advance())
        await until_waiting(connection, 1)

    assert not await late
    assert await cursor_of(setup) == old


async def test_the_cursor_begins_once(setup: Setup) -> None:
    old = await cursor_of(setup)

    async with setup.database.transaction() as connection:
        await cursors.begin(connection, Cursor(31337, 99, bytes(32), 0))

    assert await cursor_of(setup) == old


# ---- reorganisations ------------------------------------------------------------------------------------------------


async def test_a_reorganisation_above_the_final_block_changes_nothing_final_and_the_payment_settles_once(
    setup: Setup,
) -> None:
    alice, bob = await setup.rich(100), setup.purse()
    (one,) = await setup.enqueue(setup.order("transfer", alice, bob.address, 10))
    await setup.observe()
    await setup.form()
    await setup.send()
    setup.chain.mine()  # in a block, which nothing stands on
    assert await setup.balance(bob.address) == 10
    before = await cursor_of(setup)

    setup.chain.rpc("anvil_reorg", 1, [])  # that block is replaced by an empty one, and anvil forgets the transaction
    assert await setup.balance(bob.address) == 0
    setup.chain.mine()
    await setup.observe()

    assert await setup.state(one) == "submitted"
    assert (await cursor_of(setup)).number > before.number
    await setup.send()
    setup.chain.mine(2)
    await setup.observe()
    assert await setup.state(one) == "settled"
    assert await setup.balance(bob.address) == 10


@pytest.mark.parametrize("depth", [1, 2, 3, 5, 8])
async def test_batches_undone_at_any_depth_above_the_final_block_are_sent_again_and_settle_once(
    setup: Setup, depth: int
) -> None:
    alice, bob = await setup.rich(100), setup.purse()
    made = []
    for _ in range(depth):  # one batch a block, none of them final
        made += await setup.enqueue(setup.order("transfer", alice, bob.address, 1))
        await setup.form()
        await setup.send()
        setup.chain.mine()
    before = await cursor_of(setup)
    assert await setup.balance(bob.address) == depth

    setup.chain.rpc("anvil_reorg", depth, [])

    assert await setup.balance(bob.address) == 0
    early = await read(setup, before, finality=depth)
    assert early is None or early.movements == []
    assert {await setup.state(one) for one in made} == {"submitted"}
    await setup.send()  # as stored, all of them
    setup.chain.mine(1 + depth)
    block_range = await read(setup, before, finality=depth)
    assert block_range is not None
    assert sorted(moved.nonce for moved in block_range.movements if moved.nonce is not None) == sorted(
        one.nonce for one in made
    )
    await setup.observe()
    assert {await setup.state(one) for one in made} == {"settled"}
    assert await setup.balance(bob.address) == depth


async def test_a_reorganisation_below_the_final_block_stops_everything(setup: Setup) -> None:
    await setup.rich(100)
    setup.chain.mine(3)
    await setup.observe()
    before = await cursor_of(setup)

    setup.chain.rpc("anvil_reorg", 4, [])
    setup.chain.mine(3)

    with pytest.raises(ChainReplaced, match=f"block {before.number} was"):
        await setup.read()
    with pytest.raises(ChainReplaced, match=f"block {before.number} was"):
        await same_chain.verify(setup.node, [setup.contract], before)
    assert await cursor_of(setup) == before


async def test_a_node_that_is_behind_decides_nothing(setup: Setup) -> None:
    ahead = replace(await cursor_of(setup), number=setup.chain.head() + 10)

    with pytest.raises(NodeUnavailable, match="it has no block"):
        await read(setup, ahead)
    with pytest.raises(NodeUnavailable, match="it has no block"):
        await same_chain.verify(setup.node, [setup.contract], ahead)


async def test_a_chain_without_another_node_that_is_behind_has_lost_its_blocks(setup: Setup) -> None:
    head = setup.chain.head()
    ahead = replace(await cursor_of(setup), number=head + 10)

    with pytest.raises(
        ChainReplaced, match=f"it ends at block {head}, and the ledger has what was final in block {head + 10}"
    ):
        await same_chain.verify(setup.node, [setup.contract], ahead, alone=True)


class Torn(HttpNode):
    """A node whose chain moves between two answers: its logs, or its headers, are of other blocks."""

    torn = ""

    async def logs_of(self, *arguments: Any) -> Any:
        found = await super().logs_of(*arguments)
        return [structs.replace(log, block_hash=bytes(32)) for log in found] if self.torn == "logs" else found

    async def blocks(self, first: int, last: int) -> Any:
        found = await super().blocks(first, last)
        if self.torn == "parents":
            found[-1] = replace(found[-1], parent_hash=bytes(32))
        if self.torn == "missing":
            del found[-1]
        if self.torn == "head":
            found[-1] = replace(found[-1], hash=bytes(32))
        return found


@pytest.mark.parametrize("torn", ["logs", "parents", "missing", "head"])
async def test_answers_that_do_not_fit_together_are_no_answer(setup: Setup, torn: str) -> None:
    start = await cursor_of(setup)
    alice = setup.purse()
    await setup.enqueue(setup.order("mint", None, alice.address, 5))
    await setup.form("mint")
    await setup.send()
    setup.chain.mine(3)
    node = Torn(setup.chain.url)
    node.torn = torn

    with pytest.raises(NodeUnavailable):
        await watch.read(node, [setup.contract], start, FINALITY, {})

    node.torn = ""
    block_range = await watch.read(node, [setup.contract], start, FINALITY, {})
    await node.close()
    assert block_range is not None
    assert [moved.value for moved in block_range.movements] == [5]


# ---- receipts -------------------------------------------------------------------------------------------------------


async def test_a_receipt_counts_when_its_block_is_final_even_if_that_was_read_before(setup: Setup) -> None:
    alice, bob = await setup.rich(100), setup.purse()
    await setup.enqueue(setup.order("transfer", alice, bob.address, 1))
    batch = await setup.form()
    assert batch is not None
    assert batch.transaction is not None
    hash_ = batch.transaction.hash
    await setup.send()
    setup.chain.mine()
    cursor = await cursor_of(setup)
    not_yet = await watch.read(setup.node, [setup.contract], cursor, FINALITY, {hash_: False})
    setup.chain.mine(3)
    block_range = await watch.read(setup.node, [setup.contract], cursor, FINALITY, {}, maximum=2)
    assert block_range is not None
    after = Cursor(31337, block_range.last.number, block_range.last.hash, block_range.last.timestamp)

    final = await watch.read(setup.node, [setup.contract], cursor, FINALITY, {hash_: False}, maximum=2)
    later = await watch.read(setup.node, [setup.contract], after, FINALITY, {hash_: True})

    assert not_yet is None or not_yet.receipts == []
    for read_then in (final, later):
        assert read_then is not None
        assert [receipt.hash for receipt in read_then.receipts] == [hash_]


async def test_a_receipt_is_asked_for_once_and_not_while_its_block_is_not_final(setup: Setup) -> None:
    alice, bob = await setup.rich(100), setup.purse()
    await setup.enqueue(setup.order("transfer", alice, bob.address, 1))
    batch = await setup.form()
    assert batch is not None
    assert batch.transaction is not None
    open_hashes = {batch.transaction.hash: False}
    await setup.send()
    setup.chain.mine()
    node, asked = setup.node, list[bytes]()

    class Counting:
        def __getattr__(self, name: str) -> object:
            return getattr(node, name)

        async def receipts(self, hashes: Iterable[bytes]) -> dict[bytes, Receipt]:
            wanted = list(hashes)
            asked.extend(wanted)
            return await node.receipts(wanted)

    found = list[bytes]()
    cursor = await cursor_of(setup)
    for _ in range(4):
        block_range = await watch.read(Counting(), [setup.contract], cursor, FINALITY, open_hashes)  # type: ignore[arg-type] # a node in all that is asked
        if block_range is not None:
            cursor = Cursor(31337, block_range.last.number, block_range.last.hash, block_range.last.timestamp)
            found += [receipt.hash for receipt in block_range.receipts]
        setup.chain.mine()
    assert asked == found == [batch.transaction.hash]


# ---- at start -------------------------------------------------------------------------------------------------------


async def test_the_chain_the_ledger_was_kept_with_is_accepted(setup: Setup) -> None:
    setup.chain.mine(3)

    await same_chain.verify(setup.node, [setup.contract], await cursor_of(setup))
    await same_chain.verify(setup.node, [], None)


async def test_another_chain_in_its_place_is_refused_and_the_difference_named(
    setup: Setup, start_chain: Callable[..., Chain]
) -> None:
    cursor = await cursor_of(setup)
    another = HttpNode(start_chain("--timestamp", "1700000000").url)
    renamed = HttpNode(start_chain("--chain-id", "5").url)

    with pytest.raises(ChainReplaced, match="another block 0"):
        await same_chain.verify(another, [setup.contract], cursor)
    with pytest.raises(ChainReplaced, match="on chain 31337, and the node is of chain 5"):
        await same_chain.verify(renamed, [setup.contract], cursor)
    await another.close()
    await renamed.close()


async def test_a_chain_that_has_lost_the_contract_is_refused(setup: Setup) -> None:
    setup.chain.rpc("anvil_setCode", setup.contract.address, "0x")

    with pytest.raises(ChainReplaced, match="no contract at"):
        await same_chain.verify(setup.node, [setup.contract], await cursor_of(setup))


# ---- time -----------------------------------------------------------------------------------------------------------


async def test_what_is_over_at_a_final_block_can_never_settle(setup: Setup) -> None:
    alice, bob = await setup.rich(100), setup.purse()
    (one,) = await setup.enqueue(setup.order("transfer", alice, bob.address, 1, seconds=60))
    await setup.form()
    setup.chain.rpc("evm_setNextBlockTimestamp", one.valid_before)
    setup.chain.mine(2)
    block_range = await setup.observe()
    assert block_range is not None
    async with setup.database.transaction() as connection:
        over = await authorization.overdue(connection, block_range.assets, block_range.last.timestamp)
    assert [late.id for late in over] == [one.id]
    used = await authorization.used(setup.node, {"USDX": setup.contract}, over, block_range.last.number)
    assert used == {one.id: False}

    await setup.send()  # as late as this, it is skipped and not final
    setup.chain.mine(2)
    late = await setup.read()

    assert late is not None
    assert [(skip.reason, skip.ended) for skip in late.skips] == [("invalid_authorization_time", False)]
    assert await setup.balance(bob.address) == 0


async def test_a_mint_is_over_when_no_stored_transaction_can_carry_it_any_more(setup: Setup) -> None:
    alice = setup.purse()
    (one,) = await setup.enqueue(setup.order("mint", None, alice.address, 1, seconds=60))
    await setup.form("mint")
    later = one.valid_before + 1
    async with setup.database.transaction() as connection:
        assert await authorization.overdue(connection, ["USDX"], later) == []
        assert await authorization.lock_overdue(connection, [one.id], later) == []
        await connection.execute("UPDATE chain_transaction SET state = 'reverted' WHERE kind = 'mint'")

    async with setup.database.transaction() as connection:
        assert [late.id for late in await authorization.overdue(connection, ["USDX"], later)] == [one.id]
        assert [late.id for late in await authorization.lock_overdue(connection, [one.id], later)] == [one.id]


async def test_a_relayer_that_stands_still_can_be_seen(setup: Setup) -> None:
    alice, bob = await setup.rich(100), setup.purse()
    await setup.enqueue(setup.order("transfer", alice, bob.address, 1))
    await setup.form()

    async with setup.database.reading() as connection:
        (lowest, *_) = await relayers.open_attempts(connection, setup.signer.address)

    assert lowest.nonce == await setup.node.transaction_count(setup.signer.address, "latest")
    assert lowest.created_at == setup.now

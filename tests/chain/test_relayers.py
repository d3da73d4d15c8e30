"""A relayer's transactions: stored before they are sent, sent as stored, ended by a final receipt."""

from asyncio import gather
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from gateway.chain.block import Block, Fees
from gateway.chain.errors import NodeUnavailable, RelayerStopped
from gateway.chain.relayer import batches, fee_bump, nonce_conflicts, outbox, relayers
from gateway.chain.relayer.batches import Due
from gateway.chain.relayer.fee_ceiling import FEE_WEI_CEILING
from gateway.chain.relayer.relayers import Attempt
from gateway.errors import Misconfigured
from gateway.keys.signer import fields_of
from tests.chain.conftest import FINALITY, Setup
from tests.processes import HANG_SECONDS

pytestmark = pytest.mark.anyio


async def attempts_of(setup: Setup) -> list[Attempt]:
    async with setup.database.reading() as connection:
        return await relayers.open_attempts(connection, setup.signer.address)


async def store(setup: Setup, fees: Fees | None = None) -> relayers.Stored:
    """A transaction of the relayer that calls nothing of the token's, which reverts."""
    offered = fees or await setup.node.fees()
    async with setup.database.transaction() as connection:
        return await relayers.store(
            connection, setup.signer, 31337, "settle", "USDX", setup.contract.address, b"", 60_000, offered, setup.now
        )


async def test_a_stored_transaction_sent_fifty_times_settles_once(setup: Setup) -> None:
    alice, bob = await setup.rich(100), setup.purse()
    await setup.enqueue(setup.order("transfer", alice, bob.address, 10))
    await setup.form()
    (attempt,) = await attempts_of(setup)

    for n in range(50):
        await setup.node.send(await raw_of(setup, attempt))
        if n % 10 == 9:
            setup.chain.mine()
    await setup.observe()

    assert await setup.balance(bob.address) == 10
    assert await attempts_of(setup) == []


async def test_a_crash_between_storing_and_sending_loses_nothing(setup: Setup) -> None:
    alice, bob = await setup.rich(100), setup.purse()
    (one,) = await setup.enqueue(setup.order("transfer", alice, bob.address, 10))
    await setup.form()  # and here the worker is killed, having sent nothing
    setup.chain.mine(3)
    await setup.observe()
    assert await setup.state(one) == "submitted"

    await setup.send()  # another worker finds it stored
    setup.chain.mine(2)
    await setup.observe()

    assert await setup.state(one) == "settled"
    assert await setup.balance(bob.address) == 10


async def test_a_crash_while_storing_gives_everything_back(setup: Setup) -> None:
    alice, bob = await setup.rich(100), setup.purse()
    (one,) = await setup.enqueue(setup.order("transfer", alice, bob.address, 10))

    async def die(connection: object, wanted: Sequence[object]) -> list[bytes]:
        raise ConnectionAbortedError

    right, setup.sign = setup.sign, die  # type: ignore[method-assign] # the process ends here
    with pytest.raises(Exception, match="the connection to it broke off"):
        await setup.form()
    assert await attempts_of(setup) == []

    setup.sign = right  # type: ignore[method-assign] # and is started again
    await setup.settle()

    assert await setup.state(one) == "settled"


async def test_nonces_of_a_relayer_have_no_gap_whatever_runs_at_once(setup: Setup) -> None:
    stored = await gather(*(store(setup) for _ in range(20)))

    assert sorted(one.nonce for one in stored) == list(range(1, 21))
    assert [attempt.nonce for attempt in await attempts_of(setup)] == list(range(1, 21))


async def test_a_relayer_is_registered_once_and_keeps_its_own_count(setup: Setup) -> None:
    await store(setup)
    async with setup.database.transaction() as connection:
        await relayers.register(connection, 31337, setup.signer.address, 0)
        assert await relayers.lock(connection, setup.signer.address) == 2

        with pytest.raises(Misconfigured, match="31337"):
            await relayers.register(connection, 1, setup.signer.address, 0)


async def test_a_bump_offers_an_eighth_more_and_takes_the_place_of_the_first(setup: Setup) -> None:
    fees = await setup.node.fees()
    stored = await store(setup, fees)
    await setup.send()

    async with setup.database.transaction() as connection:
        bumped = await fee_bump.bump(connection, setup.signer, stored.id, fees, setup.now)
    assert bumped is not None
    unmined = await send(setup)
    setup.chain.mine(2)
    block_range = await setup.read()

    old, new = fields_of(stored.raw), fields_of(bumped.raw)
    assert new == replace(old, fee_wei_max=new.fee_wei_max, tip_wei_max=new.tip_wei_max)
    assert (new.fee_wei_max * 8 >= old.fee_wei_max * 9, new.tip_wei_max * 8 >= old.tip_wei_max * 9) == (True, True)
    assert [attempt.hash for attempt in unmined] == [stored.hash, bumped.hash]
    assert block_range is not None
    assert [receipt.hash for receipt in block_range.receipts] == [bumped.hash]


async def send(setup: Setup) -> list[Attempt]:
    return (await outbox.send_open(setup.database, setup.node, await attempts_of(setup))).attempts


async def raw_of(setup: Setup, attempt: Attempt) -> bytes:
    async with setup.database.reading() as connection:
        raw: bytes = await connection.fetchval("SELECT raw FROM attempt WHERE hash = $1", attempt.hash)
    return raw


async def test_a_bump_offers_no_more_than_ten_times_what_the_node_suggests_nor_than_the_ceiling(setup: Setup) -> None:
    for offered, suggested, ceiling in (
        (Fees(900, 1), Fees(100, 1), 1_000),
        (Fees(FEE_WEI_CEILING // 2, 1), Fees(FEE_WEI_CEILING, 1), FEE_WEI_CEILING),
    ):
        stored = await store(setup, offered)
        fees = [offered.fee_wei_max]
        async with setup.database.transaction() as connection:
            while bumped := await fee_bump.bump(connection, setup.signer, stored.id, suggested, setup.now):
                fees.append(fields_of(bumped.raw).fee_wei_max)
                assert len(fees) < 50
        assert ceiling * 0.85 < fees[-1] <= ceiling

    stored = await store(setup, Fees(10 * FEE_WEI_CEILING, 10 * FEE_WEI_CEILING))
    assert fields_of(stored.raw).fee_wei_max == FEE_WEI_CEILING


def test_a_bump_waits_for_a_block_and_for_dearer_gas_or_much_time() -> None:
    now = datetime.now(UTC)
    newest = Attempt(b"", UUID(int=1), 1, Fees(100, 10), now)

    def wants(seconds: int, head_seconds: int, fees: Fees) -> bool:
        head = Block(9, b"", b"", int(now.timestamp()) + head_seconds, 0)
        return fee_bump.wants_bump(newest, head, fees, now + timedelta(seconds=seconds))

    assert not wants(10, 5, Fees(200, 10))  # it is young
    assert not wants(3600, 0, Fees(200, 10))  # the chain stands still
    assert not wants(60, 30, Fees(100, 10))  # it offers enough
    assert wants(60, 30, Fees(101, 10))
    assert wants(60, 30, Fees(100, 11))
    assert wants(600, 30, Fees(100, 10))


async def test_a_bump_follows_the_fees_where_they_rose_more(setup: Setup) -> None:
    stored = await store(setup, Fees(2_000, 1_000))

    async with setup.database.transaction() as connection:
        bumped = await fee_bump.bump(connection, setup.signer, stored.id, Fees(10**9, 5_000), setup.now)

    assert bumped is not None
    assert (fields_of(bumped.raw).fee_wei_max, fields_of(bumped.raw).tip_wei_max) == (10**9, 5_000)


async def test_the_end_of_one_attempt_is_the_end_of_the_transaction(setup: Setup) -> None:
    stored = await store(setup)
    await setup.send()
    setup.chain.mine(2)
    async with setup.database.transaction() as connection:
        fees = await setup.node.fees()
        await fee_bump.bump(connection, setup.signer, stored.id, fees, setup.now)
    receipts = await setup.node.receipts([stored.hash])

    async with setup.database.transaction() as connection:
        (concluded,) = await relayers.conclude(connection, receipts.values(), setup.now)
        again = await relayers.conclude(connection, receipts.values(), setup.now)
        late = await fee_bump.bump(connection, setup.signer, stored.id, fees, setup.now)

    assert (concluded.id, concluded.hash) == (stored.id, stored.hash)
    assert concluded.cost_wei == receipts[stored.hash].cost_wei > 0
    assert (again, late) == ([], None)
    assert await attempts_of(setup) == []


async def test_a_reverted_transaction_costs_what_it_burnt(setup: Setup) -> None:
    await store(setup)
    await setup.send()
    setup.chain.mine(2)
    block_range = await setup.read()
    assert block_range is not None
    before = 10_000 * 10**18

    async with setup.database.transaction() as connection:
        (concluded,) = await relayers.conclude(connection, block_range.receipts, setup.now)
        deployed = await connection.fetchval("SELECT final_hash FROM chain_transaction WHERE kind = 'deploy'")

    assert not concluded.succeeded
    deployment = (await setup.node.receipts([deployed]))[deployed]
    left = await setup.node.balance(setup.signer.address)
    assert before - left == concluded.cost_wei + deployment.cost_wei


async def test_transactions_are_sent_in_the_order_of_their_nonces(setup: Setup) -> None:
    for _ in range(5):
        await store(setup)

    assert [attempt.nonce for attempt in await send(setup)] == [1, 2, 3, 4, 5]
    setup.chain.mine(2)

    block_range = await setup.read()
    assert block_range is not None
    assert len(block_range.receipts) == 5
    assert await send(setup) == []  # what is in a block is not sent again


async def test_a_node_that_is_away_leaves_what_is_stored_as_it_is(setup: Setup) -> None:
    await store(setup)
    before = await attempts_of(setup)
    setup.chain.process.terminate()
    setup.chain.process.wait(HANG_SECONDS)

    with pytest.raises(NodeUnavailable, match="no connection"):
        await send(setup)

    assert await attempts_of(setup) == before


async def test_a_nonce_that_somebody_else_took_is_noticed_and_the_relayer_stopped(setup: Setup) -> None:
    await store(setup)
    await setup.send()
    setup.chain.mine(2)
    assert await overtaken(setup) is None  # ours, in a block
    stored = await store(setup)
    assert await overtaken(setup) is None  # not sent yet

    setup.chain.rpc("eth_sendTransaction", {"from": setup.signer.address, "to": setup.signer.address})
    setup.chain.mine(2)
    late = await overtaken(setup)
    assert late is not None
    assert late.hash == stored.hash
    async with setup.database.transaction() as connection:
        await nonce_conflicts.stop(
            connection, setup.signer.address, f"nonce {late.nonce} was taken by a transaction not of ours"
        )

    with pytest.raises(RelayerStopped, match="nonce 2 was taken"):
        await store(setup)


async def test_a_resumed_relayer_ends_what_was_overtaken_and_sends_the_rest(setup: Setup) -> None:
    alice, bob = await setup.rich(100), setup.purse()
    (one,) = await setup.enqueue(setup.order("transfer", alice, bob.address, 10))
    await setup.form()
    setup.chain.rpc("eth_sendTransaction", {"from": setup.signer.address, "to": setup.signer.address})
    setup.chain.mine(2)
    late = await overtaken(setup)
    assert late is not None
    async with setup.database.transaction() as connection:
        await nonce_conflicts.stop(connection, setup.signer.address, "somebody has to look")
        count = await setup.node.transaction_count(setup.signer.address, setup.chain.head() - FINALITY)
        assert await nonce_conflicts.resume(connection, setup.signer.address, count) == 1
        assert await relayers.next_nonce(connection, setup.signer.address) == count

    assert await setup.state(one) == "queued"
    assert await attempts_of(setup) == []
    await setup.settle()
    assert await setup.state(one) == "settled"
    assert await setup.balance(bob.address) == 10


async def test_a_relayer_that_others_are_ahead_of_resumes_behind_them(setup: Setup) -> None:
    async with setup.database.transaction() as connection:
        before = await relayers.next_nonce(connection, setup.signer.address)
        await nonce_conflicts.resume(connection, setup.signer.address, before + 5)
        assert await relayers.next_nonce(connection, setup.signer.address) == before + 5
        await nonce_conflicts.resume(connection, setup.signer.address, before)
        assert await relayers.next_nonce(connection, setup.signer.address) == before + 5


async def test_a_revert_counts_from_when_it_was_seen_to_be_final(setup: Setup) -> None:
    await store(setup)
    await setup.send()
    setup.chain.mine(2)
    seen = setup.now + timedelta(minutes=20)
    block_range = await setup.read()
    assert block_range is not None
    async with setup.database.transaction() as connection:
        await relayers.conclude(connection, block_range.receipts, seen)

        await setup.enqueue(setup.order("transfer", setup.purse(), setup.purse().address, 1))
        assert await batches.due(connection, setup.now, timedelta(), seen - timedelta(minutes=1)) == []
        assert await batches.due(connection, setup.now, timedelta(), seen) == [Due("USDX", "settle", 1, 0)]


async def overtaken(setup: Setup) -> Attempt | None:
    attempts = await attempts_of(setup)
    return await nonce_conflicts.overtaken(setup.node, setup.signer.address, attempts, setup.chain.head() - FINALITY)

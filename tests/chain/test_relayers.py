"""A relayer's transactions: stored before they are sent, sent as stored, ended by a final receipt."""

from asyncio import gather
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from gateway.chain.block import Block, Fees
from gateway.chain.relayer import batches, nonce_conflicts, outbox, relayers
from gateway.chain.relayer.batches import Ripe
from gateway.chain.relayer.relayers import Attempt
from gateway.errors import Misconfigured, NodeUnavailable, RelayerStopped
from gateway.keys.signer import fields_of
from tests.chain.conftest import FINALITY, House
from tests.processes import HANG_SECONDS

pytestmark = pytest.mark.anyio


async def attempts_of(house: House) -> list[Attempt]:
    async with house.database.reading() as connection:
        return await relayers.open_attempts(connection, house.signer.address)


async def store(house: House, fees: Fees | None = None) -> relayers.Stored:
    """A transaction of the relayer that calls nothing of the token's, which reverts."""
    offered = fees or await house.node.fees()
    async with house.database.transaction() as connection:
        return await relayers.store(
            connection, house.signer, 31337, "settle", "USDX", house.contract.address, b"", 60_000, offered, house.now
        )


async def test_a_stored_transaction_sent_fifty_times_settles_once(house: House) -> None:
    alice, bob = await house.rich(100), house.purse()
    await house.enqueue(house.order("transfer", alice, bob.address, 10))
    await house.form()
    (attempt,) = await attempts_of(house)

    for n in range(50):
        await house.node.send(await raw_of(house, attempt))
        if n % 10 == 9:
            house.chain.mine()
    await house.observe()

    assert await house.balance(bob.address) == 10
    assert await attempts_of(house) == []


async def test_a_crash_between_storing_and_sending_loses_nothing(house: House) -> None:
    alice, bob = await house.rich(100), house.purse()
    (one,) = await house.enqueue(house.order("transfer", alice, bob.address, 10))
    await house.form()  # and here the worker is killed, having sent nothing
    house.chain.mine(3)
    await house.observe()
    assert await house.state(one) == "submitted"

    await house.send()  # another worker finds it stored
    house.chain.mine(2)
    await house.observe()

    assert await house.state(one) == "settled"
    assert await house.balance(bob.address) == 10


async def test_a_crash_while_storing_gives_everything_back(house: House) -> None:
    alice, bob = await house.rich(100), house.purse()
    (one,) = await house.enqueue(house.order("transfer", alice, bob.address, 10))

    async def die(connection: object, wanted: Sequence[object]) -> list[bytes]:
        raise ConnectionAbortedError

    right, house.sign = house.sign, die  # type: ignore[method-assign] # the process ends here
    with pytest.raises(Exception, match="the connection to it broke off"):
        await house.form()
    assert await attempts_of(house) == []

    house.sign = right  # type: ignore[method-assign] # and is started again
    await house.settle()

    assert await house.state(one) == "settled"


async def test_nonces_of_a_relayer_have_no_gap_whatever_runs_at_once(house: House) -> None:
    stored = await gather(*(store(house) for _ in range(20)))

    assert sorted(one.nonce for one in stored) == list(range(1, 21))
    assert [attempt.nonce for attempt in await attempts_of(house)] == list(range(1, 21))


async def test_a_relayer_is_registered_once_and_keeps_its_own_count(house: House) -> None:
    await store(house)
    async with house.database.transaction() as connection:
        await relayers.register(connection, 31337, house.signer.address, 0)
        assert await relayers.lock(connection, house.signer.address) == 2

        with pytest.raises(Misconfigured, match="31337"):
            await relayers.register(connection, 1, house.signer.address, 0)


async def test_a_bump_offers_an_eighth_more_and_takes_the_place_of_the_first(house: House) -> None:
    fees = await house.node.fees()
    stored = await store(house, fees)
    await house.send()

    async with house.database.transaction() as connection:
        bumped = await relayers.bump(connection, house.signer, stored.id, fees, house.now)
    assert bumped is not None
    unmined = await send(house)
    house.chain.mine(2)
    block_range = await house.read()

    old, new = fields_of(stored.raw), fields_of(bumped.raw)
    assert new == replace(old, fee_wei_max=new.fee_wei_max, tip_wei_max=new.tip_wei_max)
    assert (new.fee_wei_max * 8 >= old.fee_wei_max * 9, new.tip_wei_max * 8 >= old.tip_wei_max * 9) == (True, True)
    assert [attempt.hash for attempt in unmined] == [stored.hash, bumped.hash]
    assert block_range is not None
    assert [receipt.hash for receipt in block_range.receipts] == [bumped.hash]


async def send(house: House) -> list[Attempt]:
    return (await outbox.send_open(house.database, house.node, await attempts_of(house))).attempts


async def raw_of(house: House, attempt: Attempt) -> bytes:
    async with house.database.reading() as connection:
        raw: bytes = await connection.fetchval("SELECT raw FROM attempt WHERE hash = $1", attempt.hash)
    return raw


async def test_a_bump_offers_no_more_than_ten_times_what_the_node_suggests_nor_than_the_ceiling(house: House) -> None:
    for offered, suggested, ceiling in (
        (Fees(900, 1), Fees(100, 1), 1_000),
        (Fees(relayers.FEE_WEI_CEILING // 2, 1), Fees(relayers.FEE_WEI_CEILING, 1), relayers.FEE_WEI_CEILING),
    ):
        stored = await store(house, offered)
        fees = [offered.fee_wei_max]
        async with house.database.transaction() as connection:
            while bumped := await relayers.bump(connection, house.signer, stored.id, suggested, house.now):
                fees.append(fields_of(bumped.raw).fee_wei_max)
                assert len(fees) < 50
        assert ceiling * 0.85 < fees[-1] <= ceiling

    stored = await store(house, Fees(10 * relayers.FEE_WEI_CEILING, 10 * relayers.FEE_WEI_CEILING))
    assert fields_of(stored.raw).fee_wei_max == relayers.FEE_WEI_CEILING


def test_a_bump_waits_for_a_block_and_for_dearer_gas_or_much_time() -> None:
    now = datetime.now(UTC)
    newest = Attempt(b"", UUID(int=1), 1, Fees(100, 10), now)

    def wants(seconds: int, head_seconds: int, fees: Fees) -> bool:
        head = Block(9, b"", b"", int(now.timestamp()) + head_seconds, 0)
        return relayers.wants_bump(newest, head, fees, now + timedelta(seconds=seconds))

    assert not wants(10, 5, Fees(200, 10))  # it is young
    assert not wants(3600, 0, Fees(200, 10))  # the chain stands still
    assert not wants(60, 30, Fees(100, 10))  # it offers enough
    assert wants(60, 30, Fees(101, 10))
    assert wants(60, 30, Fees(100, 11))
    assert wants(600, 30, Fees(100, 10))


async def test_a_bump_follows_the_fees_where_they_rose_more(house: House) -> None:
    stored = await store(house, Fees(2_000, 1_000))

    async with house.database.transaction() as connection:
        bumped = await relayers.bump(connection, house.signer, stored.id, Fees(10**9, 5_000), house.now)

    assert bumped is not None
    assert (fields_of(bumped.raw).fee_wei_max, fields_of(bumped.raw).tip_wei_max) == (10**9, 5_000)


async def test_the_end_of_one_attempt_is_the_end_of_the_transaction(house: House) -> None:
    stored = await store(house)
    await house.send()
    house.chain.mine(2)
    async with house.database.transaction() as connection:
        fees = await house.node.fees()
        await relayers.bump(connection, house.signer, stored.id, fees, house.now)
    receipts = await house.node.receipts([stored.hash])

    async with house.database.transaction() as connection:
        (concluded,) = await relayers.conclude(connection, receipts.values(), house.now)
        again = await relayers.conclude(connection, receipts.values(), house.now)
        late = await relayers.bump(connection, house.signer, stored.id, fees, house.now)

    assert (concluded.id, concluded.hash) == (stored.id, stored.hash)
    assert concluded.cost_wei == receipts[stored.hash].cost_wei > 0
    assert (again, late) == ([], None)
    assert await attempts_of(house) == []


async def test_a_reverted_transaction_costs_what_it_burnt(house: House) -> None:
    await store(house)
    await house.send()
    house.chain.mine(2)
    block_range = await house.read()
    assert block_range is not None
    before = 10_000 * 10**18

    async with house.database.transaction() as connection:
        (concluded,) = await relayers.conclude(connection, block_range.receipts, house.now)
        deployed = await connection.fetchval("SELECT final_hash FROM chain_transaction WHERE kind = 'deploy'")

    assert not concluded.succeeded
    deployment = (await house.node.receipts([deployed]))[deployed]
    left = await house.node.balance(house.signer.address)
    assert before - left == concluded.cost_wei + deployment.cost_wei


async def test_transactions_are_sent_in_the_order_of_their_nonces(house: House) -> None:
    for _ in range(5):
        await store(house)

    assert [attempt.nonce for attempt in await send(house)] == [1, 2, 3, 4, 5]
    house.chain.mine(2)

    block_range = await house.read()
    assert block_range is not None
    assert len(block_range.receipts) == 5
    assert await send(house) == []  # what is in a block is not sent again


async def test_a_node_that_is_away_leaves_what_is_stored_as_it_is(house: House) -> None:
    await store(house)
    before = await attempts_of(house)
    house.chain.process.terminate()
    house.chain.process.wait(HANG_SECONDS)

    with pytest.raises(NodeUnavailable, match="no connection"):
        await send(house)

    assert await attempts_of(house) == before


async def test_a_nonce_that_somebody_else_took_is_noticed_and_the_relayer_stopped(house: House) -> None:
    await store(house)
    await house.send()
    house.chain.mine(2)
    assert await overtaken(house) is None  # ours, in a block
    stored = await store(house)
    assert await overtaken(house) is None  # not sent yet

    house.chain.rpc("eth_sendTransaction", {"from": house.signer.address, "to": house.signer.address})
    house.chain.mine(2)
    late = await overtaken(house)
    assert late is not None
    assert late.hash == stored.hash
    async with house.database.transaction() as connection:
        await nonce_conflicts.stop(
            connection, house.signer.address, f"nonce {late.nonce} was taken by a transaction not of ours"
        )

    with pytest.raises(RelayerStopped, match="nonce 2 was taken"):
        await store(house)


async def test_a_resumed_relayer_ends_what_was_overtaken_and_sends_the_rest(house: House) -> None:
    alice, bob = await house.rich(100), house.purse()
    (one,) = await house.enqueue(house.order("transfer", alice, bob.address, 10))
    await house.form()
    house.chain.rpc("eth_sendTransaction", {"from": house.signer.address, "to": house.signer.address})
    house.chain.mine(2)
    late = await overtaken(house)
    assert late is not None
    async with house.database.transaction() as connection:
        await nonce_conflicts.stop(connection, house.signer.address, "somebody has to look")
        count = await house.node.transaction_count(house.signer.address, house.chain.head() - FINALITY)
        assert await nonce_conflicts.resume(connection, house.signer.address, count) == 1
        assert await relayers.next_nonce(connection, house.signer.address) == count

    assert await house.state(one) == "queued"
    assert await attempts_of(house) == []
    await house.settle()
    assert await house.state(one) == "settled"
    assert await house.balance(bob.address) == 10


async def test_a_relayer_that_others_are_ahead_of_resumes_behind_them(house: House) -> None:
    async with house.database.transaction() as connection:
        before = await relayers.next_nonce(connection, house.signer.address)
        await nonce_conflicts.resume(connection, house.signer.address, before + 5)
        assert await relayers.next_nonce(connection, house.signer.address) == before + 5
        await nonce_conflicts.resume(connection, house.signer.address, before)
        assert await relayers.next_nonce(connection, house.signer.address) == before + 5


async def test_a_revert_counts_from_when_it_was_seen_to_be_final(house: House) -> None:
    await store(house)
    await house.send()
    house.chain.mine(2)
    seen = house.now + timedelta(minutes=20)
    block_range = await house.read()
    assert block_range is not None
    async with house.database.transaction() as connection:
        await relayers.conclude(connection, block_range.receipts, seen)

        await house.enqueue(house.order("transfer", house.purse(), house.purse().address, 1))
        assert await batches.ripe(connection, house.now, timedelta(), seen - timedelta(minutes=1)) == []
        assert await batches.ripe(connection, house.now, timedelta(), seen) == [Ripe("USDX", "settle", 1, 0)]


async def overtaken(house: House) -> Attempt | None:
    attempts = await attempts_of(house)
    return await nonce_conflicts.overtaken(house.node, house.signer.address, attempts, house.chain.head() - FINALITY)

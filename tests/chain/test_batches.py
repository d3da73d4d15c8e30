"""Batches on a real chain: what the contract makes of them, and what is kept of it."""

from asyncio import gather
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from gateway.address import ZERO
from gateway.chain.errors import RelayerStopped
from gateway.chain.relayer import batches, nonce_conflicts, relayers
from gateway.chain.relayer.batches import Due
from gateway.chain.token import authorization, eip3009
from gateway.chain.token.contract import as_int, authorization_state_data, minted_data, total_supply_data
from gateway.chain.token.eip3009 import Authorization
from gateway.postgres.pool import Connection
from tests.chain.conftest import Setup

pytestmark = pytest.mark.anyio


async def test_a_batch_settles_payments_and_its_logs_name_each(setup: Setup) -> None:
    alice, bob = await setup.rich(100), setup.purse()
    orders = [setup.order("transfer", alice, bob.address, units) for units in (10, 20, 30)]
    queued = await setup.enqueue(*orders)

    block_range = await setup.settle()

    assert [one.is_settled_by(moved) for one, moved in zip(queued, block_range.movements, strict=True)] == [True] * 3
    assert [await setup.state(one) for one in queued] == ["settled"] * 3
    assert (await setup.balance(alice.address), await setup.balance(bob.address)) == (40, 60)


async def test_a_bad_authorization_is_named_and_costs_the_others_nothing(setup: Setup) -> None:
    alice, poor, bob = await setup.rich(100), setup.purse(), setup.purse()
    queued = await setup.enqueue(
        setup.order("transfer", alice, bob.address, 1),
        setup.order("transfer", poor, bob.address, 1),
        setup.order("transfer", alice, ZERO, 1),
        setup.order("transfer", alice, bob.address, 2),
    )

    block_range = await setup.settle()

    assert [(skip.nonce, skip.reason, skip.ended) for skip in block_range.skips] == [
        (queued[1].nonce, "insufficient_balance", True),
        (queued[2].nonce, "invalid_receiver", True),
    ]
    assert [await setup.state(one) for one in queued] == ["settled", "skipped", "skipped", "settled"]
    assert await setup.balance(bob.address) == 3


async def test_a_payee_spends_in_a_batch_what_came_earlier_in_it(setup: Setup) -> None:
    alice, bob, carol = await setup.rich(5), setup.purse(), setup.purse()
    await setup.enqueue(setup.order("transfer", alice, bob.address, 5), setup.order("transfer", bob, carol.address, 5))

    await setup.settle()

    assert await setup.balance(carol.address) == 5


async def test_a_redemption_burns_and_a_mint_creates(setup: Setup) -> None:
    alice = await setup.rich(100)
    (redemption,) = await setup.enqueue(setup.order("redemption", alice, setup.contract.address, 30))

    block_range = await setup.settle()

    assert redemption.is_settled_by(block_range.movements[0])
    assert as_int(await setup.node.call(setup.contract.address, total_supply_data(), "latest")) == 70
    spent = authorization_state_data(alice.address, redemption.nonce)
    assert as_int(await setup.node.call(setup.contract.address, spent, "latest")) == 1


async def test_a_mint_batch_skips_a_bad_mint_and_says_which(setup: Setup) -> None:
    alice = setup.purse()
    good, bad = await setup.enqueue(
        setup.order("mint", None, alice.address, 5), setup.order("mint", None, setup.contract.address, 5)
    )

    block_range = await setup.settle("mint")

    assert good.is_settled_by(block_range.movements[0])
    assert [(skip.from_address, skip.nonce, skip.reason) for skip in block_range.skips] == [
        (ZERO, bad.nonce, "invalid_receiver")
    ]
    answers = await setup.node.calls(
        [(setup.contract.address, minted_data(one.nonce)) for one in (good, bad)], "latest"
    )
    assert [as_int(answer) for answer in answers] == [1, 0]


async def test_a_payment_that_somebody_else_sent_first_is_settled_by_that(setup: Setup) -> None:
    alice, bob = await setup.rich(100), setup.purse()
    (one,) = await setup.enqueue(setup.order("transfer", alice, bob.address, 10))
    batch = await setup.form()
    assert batch is not None
    await setup.send()
    stranger = setup.chain.rpc("eth_accounts")[1]
    (signature,) = [sent.signature for sent in batch.submitted]
    setup.chain.rpc(
        "eth_sendTransaction",
        {"from": stranger, "to": setup.contract.address, "data": alone(one, signature), "gasPrice": hex(10**11)},
    )

    setup.chain.mine(2)
    block_range = await setup.observe()

    assert block_range is not None
    assert [(skip.reason, skip.ended) for skip in block_range.skips] == [("used_authorization", False)]
    assert await setup.state(one) == "settled"
    assert await setup.balance(bob.address) == 10


def alone(one: Authorization, signature: bytes | None) -> str:
    """The call that settles it by itself, as anybody may."""
    types = ["address", "address", "uint256", "uint256", "uint256", "bytes32", "bytes"]
    values = [
        one.from_address,
        one.to_address,
        one.value,
        0,
        one.valid_before,
        one.nonce.to_bytes(32, "big"),
        signature,
    ]
    selector = keccak(text=f"transferWithAuthorization({','.join(types)})")[:4]
    return "0x" + (selector + encode(types, values)).hex()


async def test_each_authorization_is_in_one_batch_whatever_runs_at_once(setup: Setup) -> None:
    alice, bob = await setup.rich(1000), setup.purse()
    queued = await setup.enqueue(*(setup.order("transfer", alice, bob.address, 1) for _ in range(60)))

    formed = [batch for batch in await gather(*(setup.form(maximum=10) for _ in range(12))) if batch is not None]

    submitted = [one.id for batch in formed for one in batch.submitted]
    assert sorted(submitted) == sorted(one.id for one in queued)
    nonces = sorted(batch.transaction.nonce for batch in formed if batch.transaction)
    assert nonces == list(range(nonces[0], nonces[0] + 6))


async def test_nothing_queued_makes_no_batch_and_takes_no_nonce(setup: Setup) -> None:
    assert await setup.form() is None
    assert await setup.form("mint") is None
    async with setup.database.reading() as connection:
        assert await relayers.open_attempts(connection, setup.signer.address) == []


async def test_what_its_owner_has_signed_is_not_sent_where_it_is_another_keys(setup: Setup) -> None:
    alice, bob = await setup.rich(100), setup.purse()
    good, bad = await setup.enqueue(
        setup.order("transfer", alice, bob.address, 1),
        replace(setup.order("transfer", alice, bob.address, 2), by="owner"),
    )
    digest = eip3009.digest(setup.contract, bad)
    async with setup.database.transaction() as connection:
        await authorization.sign(connection, bad.id, setup.vault.sign(bob.id, bob.address, bob.ciphertext, digest))
    batch = await setup.form()

    assert batch is not None
    assert [(one.id, reason) for one, reason in batch.refused] == [(bad.id, "invalid_signature")]
    assert [one.id for one in batch.submitted] == [good.id]
    assert await setup.state(bad) == "skipped"


async def test_a_key_that_does_not_open_costs_its_own_authorization_alone(setup: Setup) -> None:
    alice, lost, bob = await setup.rich(100), setup.purse(), setup.purse()
    good, bad = await setup.enqueue(
        setup.order("transfer", alice, bob.address, 1), setup.order("transfer", lost, bob.address, 2)
    )
    right = setup.sign

    async def sign(connection: Connection, wanted: list[Authorization]) -> list[bytes | None]:
        signatures = await right(connection, wanted)
        return [signature if one.id == good.id else None for one, signature in zip(wanted, signatures, strict=True)]

    setup.sign = sign  # type: ignore[method-assign] # a vault that cannot open one of its keys
    batch = await setup.form()

    assert batch is not None
    assert [(one.id, reason) for one, reason in batch.refused] == [(bad.id, "key_unreadable")]
    assert [one.id for one in batch.submitted] == [good.id]
    assert await setup.state(bad) == "skipped"


async def test_a_batch_is_ripe_when_it_is_full_or_its_oldest_has_waited(setup: Setup) -> None:
    alice, bob = setup.purse(), setup.purse()
    accepted_at = setup.now

    async def is_ripe(maximum: int, seconds: float) -> bool:
        now = accepted_at + timedelta(seconds=seconds)
        async with setup.database.reading() as connection:
            ripe = await batches.due(connection, now, timedelta(seconds=1), now - timedelta(minutes=1), maximum)
            assert ripe in ([], [Due("USDX", "settle", 2, 0)])
            return bool(ripe)

    assert not await is_ripe(maximum=1, seconds=2), "nothing is queued"
    await setup.enqueue(*(setup.order("transfer", alice, bob.address, 1) for _ in range(2)))

    assert await is_ripe(maximum=2, seconds=0)
    assert not await is_ripe(maximum=3, seconds=0.9)
    assert await is_ripe(maximum=3, seconds=1)
    assert not await is_ripe(maximum=2, seconds=3601), "none is in time for a batch any more"


async def test_a_mint_whose_time_is_over_is_never_put_into_a_batch(setup: Setup) -> None:
    alice = setup.purse()
    (late,) = await setup.enqueue(setup.order("mint", None, alice.address, 1, seconds=0))

    assert await setup.form("mint") is None
    assert await setup.state(late) == "queued"
    async with setup.database.reading() as connection:
        assert await batches.due(connection, setup.now, timedelta(), setup.now) == []


async def test_what_has_no_time_left_waits_for_its_end_in_the_queue(setup: Setup) -> None:
    alice, bob = await setup.rich(100), setup.purse()
    (late,) = await setup.enqueue(setup.order("transfer", alice, bob.address, 1, seconds=0))

    assert await setup.form() is None
    assert await setup.state(late) == "queued"


async def test_a_reverted_batch_is_queued_again_and_settles_in_the_next(setup: Setup) -> None:
    alice, bob = await setup.rich(100), setup.purse()
    (one,) = await setup.enqueue(setup.order("transfer", alice, bob.address, 1))
    await setup.form()
    switch(setup, paused=1)
    await setup.send()
    setup.chain.mine(2)
    block_range = await setup.observe()
    assert block_range is not None
    assert [receipt.succeeded for receipt in block_range.receipts] == [False]
    assert await setup.state(one) == "queued"

    switch(setup, paused=0)
    await setup.settle()

    assert await setup.state(one) == "settled"
    assert await setup.balance(bob.address) == 1


def switch(setup: Setup, paused: int = 0, frozen: int = 0) -> None:
    """Pause the token, or let it count so many frozen accounts: both stand in its slot 10 (see Token.sol)."""
    setup.chain.rpc(
        "anvil_setStorageAt", setup.contract.address, "0xa", "0x" + (frozen << 8 | paused).to_bytes(32, "big").hex()
    )


async def test_a_stopped_relayer_claims_nothing(setup: Setup) -> None:
    alice, bob = await setup.rich(100), setup.purse()
    (one,) = await setup.enqueue(setup.order("transfer", alice, bob.address, 1))
    async with setup.database.transaction() as connection:
        await nonce_conflicts.stop(connection, setup.signer.address, "no gas money")

    with pytest.raises(RelayerStopped, match="no gas money"):
        await setup.form()

    assert await setup.state(one) == "queued"


# ---- gas ------------------------------------------------------------------------------------------------------------


def made(payers: int, payees: int, count: int, nonce_step: int = 1) -> list[Authorization]:
    return [
        Authorization(
            uuid4(), "transfer", "USDX", f"0x{n % payers:040x}", f"0x{n % payees:040x}", 1, n * nonce_step, 0, None
        )
        for n in range(count)
    ]


def test_a_batch_never_asks_for_more_gas_or_bytes_than_a_transaction_may_have() -> None:
    for payers, payees, step in ((1, 1, 1), (1, 1000, 1), (1000, 1, 1), (1000, 1000, 1), (1, 1000, 256)):
        fitting = batches.fitting("settle", made(payers, payees, 1000, step))
        assert 238 <= len(fitting) <= 340
        assert batches.gas_limit("settle", fitting) <= 16_777_216
    assert len(batches.fitting("mint", made(1, 1000, 1000))) == 303
    assert batches.fitting("settle", []) == []


async def test_the_gas_limit_suffices_for_the_costliest_batch(setup: Setup) -> None:
    """New payees, payers that never paid before, and somebody frozen: every slot is written for the first time."""
    payers = [setup.purse() for _ in range(60)]
    await setup.enqueue(*(setup.order("mint", None, payer.address, 9) for payer in payers))
    await setup.settle("mint")
    switch(setup, frozen=1)
    await setup.enqueue(*(setup.order("transfer", payer, setup.purse().address, 9) for payer in payers))

    block_range = await setup.settle()

    (receipt,) = block_range.receipts
    assert len(block_range.movements) == 60
    async with setup.database.reading() as connection:
        limit = await connection.fetchval("SELECT gas_limit FROM chain_transaction WHERE final_hash = $1", receipt.hash)
    assert limit * 0.8 < receipt.gas_used < limit


async def test_three_hundred_payments_of_few_payers_are_one_batch(setup: Setup) -> None:
    payers = [await setup.rich(1000) for _ in range(3)]
    orders = [setup.order("transfer", payers[n % 3], payers[(n + 1) % 3].address, 1) for n in range(300)]
    await setup.enqueue(*orders)

    block_range = await setup.settle()

    assert len(block_range.movements) == 300
    assert len(block_range.receipts) == 1
    async with setup.database.reading() as connection:
        assert await batches.due(connection, setup.now, timedelta(), setup.now) == []

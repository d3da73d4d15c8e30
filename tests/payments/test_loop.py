"""The relayer and the loop: what a worker waits for, what stops it, and what it says of its faults."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.chain.errors import ChainReplaced, NodeUnavailable, NoRelayer, RelayerStopped
from gateway.chain.relayer import relayers
from gateway.clock import system_clock
from gateway.payments.model.payment import State
from gateway.worker import jobs
from gateway.worker import loop as working
from tests.databases import until_waiting
from tests.factory import NOW, Town
from tests.processes import HANG_SECONDS

pytestmark = pytest.mark.anyio


async def test_payments_wait_for_transactions_that_are_in_no_block_not_for_final_ones(town: Town) -> None:
    alice = await town.person("alice", "30 USDX")
    await town.person("bob")
    worker = replace(town.worker(), finality=1000)
    for _ in range(16):
        await town.pay(alice, "@bob", "1 USDX")
        assert await jobs.relay.run(worker)
    late = await town.pay(alice, "@bob", "1 USDX")

    assert not await jobs.relay.run(worker)
    assert (await town.payment(late)).state is State.QUEUED
    town.chain.mine()
    assert await jobs.relay.run(worker)
    assert (await town.payment(late)).state is State.SUBMITTED


async def test_a_relayer_is_stopped_when_a_second_look_finds_its_nonce_taken_too(town: Town) -> None:
    alice = await town.person("alice", "10 USDX")
    await town.person("bob")
    await town.pay(alice, "@bob", "1 USDX")
    now = system_clock()
    town.clock = lambda: now
    worker = town.worker()
    await jobs.relay.run(worker)
    town.chain.rpc("anvil_dropAllTransactions")
    town.chain.rpc("eth_sendTransaction", {"from": town.signer.address, "to": town.signer.address})
    town.chain.mine(2)

    await jobs.resend.run(worker)
    await jobs.resend.run(worker)
    async with town.database.reading() as connection:
        await relayers.next_nonce(connection, town.signer.address)  # it is not stopped

    await jobs.resend.run(replace(worker, clock=lambda: now + timedelta(minutes=1)))
    async with town.database.reading() as connection:
        with pytest.raises(RelayerStopped, match="by a transaction that this database does not know"):
            await relayers.next_nonce(connection, town.signer.address)
    await town.pay(alice, "@bob", "1 USDX")
    with pytest.raises(NoRelayer, match=f"{town.signer.address} stopped, since its nonce"):
        await jobs.relay.run(worker)


async def test_a_worker_ends_and_signs_nothing_when_the_chain_was_replaced(town: Town) -> None:
    alice = await town.person("alice", "10 USDX")
    await town.person("bob")
    payment = await town.pay(alice, "@bob", "1 USDX")
    town.chain.rpc("anvil_reorg", 4, [])
    town.chain.mine(4)

    with pytest.raises(ChainReplaced):
        await jobs.relay.run(town.worker())
    with pytest.raises(ChainReplaced, match="start over"):
        await asyncio.wait_for(working.run(town.worker(), asyncio.Event()), HANG_SECONDS)

    assert (await town.payment(payment)).state is State.QUEUED


def test_a_fault_is_said_again_after_minutes_and_with_where_it_was_if_it_is_our_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    said: dict[str, Any] = {}
    for minutes in (0, 1, 4, 6):
        working._say("watch", NodeUnavailable("away"), said, NOW + timedelta(minutes=minutes))
        working._say("watch", ZeroDivisionError(), said, NOW + timedelta(minutes=minutes))

    assert [(record.levelname, record.exc_info is not None) for record in caplog.records] == [
        ("WARNING", False),
        ("ERROR", True),
    ] * 2


async def test_a_failed_refund_waits_for_the_payment_it_is_of_before_it_locks_any_account(town: Town) -> None:
    alice, bob = await town.person("alice", "10 USDX"), await town.person("bob")
    payment = await town.pay(alice, "@bob", "8 USDX")
    await town.settle()
    await town.freeze(alice.address)
    await town.settle()
    await town.refund(bob, payment)
    await jobs.relay.run(town.worker())
    town.chain.mine(2)

    async with town.database.transaction() as another:
        await another.execute("SELECT FROM staged_payment WHERE id = $1 FOR UPDATE", payment.id)
        watching = asyncio.create_task(jobs.watch.run(town.worker()))
        await until_waiting(another, 1)
        await another.execute("SELECT FROM account FOR UPDATE NOWAIT")
        await another.execute("SELECT FROM hold FOR UPDATE NOWAIT")

    await watching
    assert str((await town.payment(payment)).refunded) == "0.000000 USDX"

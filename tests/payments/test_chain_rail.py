"""Token payments and conversions: from accepted to final, and what the chain may do to them meanwhile."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from eth_hash.auto import keccak

from gateway import worker as working
from gateway.chain import lanes, watch
from gateway.chain.contract import selector
from gateway.chain.node import HttpNode
from gateway.clock import system_clock
from gateway.errors import ChainReplaced, LaneStopped, Misconfigured, NodeUnavailable, NoLane
from gateway.ids import PaymentId, new_id
from gateway.ledger import book
from gateway.money import Asset, Assets
from gateway.payments import chain_rail, records
from gateway.payments.chain_rail import Queued, TokenPayment
from gateway.payments.payment import State
from gateway.secret import hash_of
from gateway.wallets import wallet
from gateway.worker import Worker
from tests.factory import NOW, Town, until_waiting

pytestmark = pytest.mark.anyio


async def test_a_token_payment_is_held_then_submitted_then_settled_when_final(town: Town) -> None:
    alice, bob = await town.person("alice", "10 USDX"), await town.person("bob")
    worker = town.worker()

    payment = await town.pay(alice, "@bob", "4 USDX")
    assert payment.state is State.QUEUED
    assert await town.available(alice, "USDX") == "6.000000 USDX"

    await worker.relay()
    submitted = await town.payment(payment)
    assert submitted.state is State.SUBMITTED
    assert submitted.tx_hash is not None

    town.chain.mine()  # mined, not final
    await worker.watch()
    assert (await town.payment(payment)).state is State.SUBMITTED
    assert await town.available(bob, "USDX") == "0.000000 USDX"

    town.chain.mine()
    await worker.watch()
    settled = await town.payment(payment)
    assert settled.state is State.SETTLED
    assert settled.tx_hash == submitted.tx_hash
    assert await town.available(bob, "USDX") == "4.000000 USDX" == await town.on_chain(bob.address)
    assert await town.differences() == []


async def test_payments_that_were_accepted_in_one_statement_are_settled_once_each(town: Town) -> None:
    alice, bob = await town.person("alice", "10 USDX"), await town.person("bob", "1 USDX")
    async with town.database.transaction() as connection:
        await connection.execute(wallet.sql.add_api_key, hash_of("gw_alice"), alice.id, NOW)
    asked = [
        TokenPayment(
            hash_of("gw_alice"), text, b"f" * 32, "bob", town.money(text), None, PaymentId(new_id(town.clock()))
        )
        for text in ("1 USDX", "2 USDX", "3 USDX")
    ]

    assert all(
        isinstance(one, Queued) for one in await chain_rail.pay_all(town.database, town.terms, asked, town.clock())
    )
    assert await town.available(alice, "USDX") == "4.000000 USDX"
    await town.settle()

    async with town.database.reading() as connection:
        paid = [await records.payment(connection, town.assets, one.payment_id, alice.id) for one in asked]
    assert [(one.state, one.captured) for one in paid] == [(State.SETTLED, one.money) for one in asked]
    assert await town.available(bob, "USDX") == "7.000000 USDX" == await town.on_chain(bob.address)
    assert await town.differences() == []


async def test_tokens_are_bought_and_redeemed_at_par_and_the_reserve_follows(town: Town) -> None:
    alice = await town.person("alice", "100.00 USD")

    bought = await town.convert(alice, "40.00 USD", "USDX")
    assert await town.available(alice, "USD") == "60.00 USD"
    await town.settle()
    assert (await town.conversion(bought)).state is State.SETTLED
    assert await town.available(alice, "USDX") == "40.000000 USDX" == await town.on_chain(alice.address)

    redeemed = await town.convert(alice, "15.5 USDX", "USD")
    assert await town.available(alice, "USDX") == "24.500000 USDX"
    await town.settle()
    assert (await town.conversion(redeemed)).state is State.SETTLED
    assert await town.available(alice, "USD") == "75.50 USD"
    assert await town.differences() == []


async def test_a_payment_to_an_address_that_is_nobodys_settles_outside(town: Town) -> None:
    alice = await town.person("alice", "10 USDX")
    stranger = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"

    payment = await town.pay(alice, stranger.lower(), "3 USDX")
    await town.settle()

    settled = await town.payment(payment)
    assert (settled.state, settled.payee_name) == (State.SETTLED, stranger)
    assert await town.on_chain(stranger) == "3.000000 USDX"
    assert await town.differences() == []


async def test_a_payment_to_the_address_of_a_handle_is_a_payment_to_the_handle(town: Town) -> None:
    alice, bob = await town.person("alice", "10 USDX"), await town.person("bob")

    payment = await town.pay(alice, bob.address, "3 USDX")
    await town.settle()

    assert payment.payee_name == "@bob"
    assert await town.available(bob, "USDX") == "3.000000 USDX"


async def test_many_payments_settle_in_one_transaction(town: Town) -> None:
    alice, bob = await town.person("alice", "100 USDX"), await town.person("bob")
    payments = [await town.pay(alice, "@bob", "1 USDX") for _ in range(40)]

    await town.settle()

    assert len({(await town.payment(payment)).tx_hash for payment in payments}) == 1
    assert await town.available(bob, "USDX") == "40.000000 USDX"


async def test_a_held_token_payment_goes_to_the_chain_when_it_is_captured_in_part(town: Town) -> None:
    alice, bob = await town.person("alice", "10 USDX"), await town.person("bob")
    held = await town.pay(alice, "@bob", "8 USDX", capture=False)
    assert held.state is State.HELD

    captured = await town.capture(bob, held, "5 USDX")
    assert captured.state is State.QUEUED
    assert await town.available(alice, "USDX") == "5.000000 USDX"
    await town.settle()

    settled = await town.payment(held)
    assert (settled.state, str(settled.captured)) == (State.SETTLED, "5.000000 USDX")
    assert await town.differences() == []


async def test_a_refund_of_a_token_payment_comes_back_by_the_chain(town: Town) -> None:
    alice, bob = await town.person("alice", "10 USDX"), await town.person("bob")
    payment = await town.pay(alice, "@bob", "8 USDX")
    await town.settle()

    back = await town.refund(bob, payment, "3 USDX")
    assert (back.state, back.refund_of) == (State.QUEUED, payment.id)
    assert str((await town.payment(payment)).refunded) == "3.000000 USDX"
    await town.settle()

    assert await town.available(alice, "USDX") == "5.000000 USDX"
    assert await town.differences() == []


async def test_a_payment_that_the_contract_skips_gives_the_money_back_and_says_why(town: Town) -> None:
    alice, bob = await town.person("alice", "10 USDX"), await town.person("bob", "1 USDX")
    await town.freeze(bob.address)
    payment = await town.pay(alice, "@bob", "4 USDX")

    await town.settle()

    failed = await town.payment(payment)
    assert (failed.state, failed.failure) == (State.FAILED, "account_frozen")
    assert await town.available(alice, "USDX") == "10.000000 USDX"
    assert await town.differences() == []


async def test_a_failed_refund_can_be_asked_for_again(town: Town) -> None:
    alice, bob = await town.person("alice", "10 USDX"), await town.person("bob")
    payment = await town.pay(alice, "@bob", "8 USDX")
    await town.settle()
    await town.freeze(alice.address)
    await town.refund(bob, payment)

    await town.settle()

    assert str((await town.payment(payment)).refunded) == "0.000000 USDX"
    assert await town.available(bob, "USDX") == "8.000000 USDX"


async def test_a_payment_whose_time_is_over_fails_and_never_settles(town: Town) -> None:
    alice = await town.person("alice", "10 USDX")
    await town.person("bob")
    payment = await town.pay(alice, "@bob", "4 USDX")

    town.chain.rpc("evm_increaseTime", 4000)  # past the authorization's hour, before anybody relayed it
    town.chain.mine(2)
    await town.worker().watch()

    failed = await town.payment(payment)
    assert (failed.state, failed.failure) == (State.FAILED, "expired")
    await town.settle()
    assert await town.on_chain(alice.address) == "10.000000 USDX"
    assert await town.differences() == []


async def test_a_reorganisation_below_finality_changes_only_what_was_submitted(town: Town) -> None:
    alice, bob = await town.person("alice", "10 USDX"), await town.person("bob")
    payment = await town.pay(alice, "@bob", "4 USDX")
    worker = town.worker()
    await worker.relay()
    town.chain.mine()
    assert await town.on_chain(bob.address) == "4.000000 USDX"

    town.chain.rpc("anvil_reorg", 1, [])

    assert await town.on_chain(bob.address) == "0.000000 USDX"
    assert (await town.payment(payment)).state is State.SUBMITTED
    await town.settle()
    assert (await town.payment(payment)).state is State.SETTLED
    assert await town.on_chain(bob.address) == "4.000000 USDX"
    assert await town.differences() == []


async def test_while_the_token_is_paused_payments_wait_and_cost_no_gas(town: Town) -> None:
    alice, bob = await town.person("alice", "10 USDX"), await town.person("bob")
    await town.command("pause")
    sent = town.chain.rpc("eth_getTransactionCount", town.signer.address, "latest")
    payment = await town.pay(alice, "@bob", "4 USDX")

    await town.settle()
    assert (await town.payment(payment)).state is State.QUEUED
    assert town.chain.rpc("eth_getTransactionCount", town.signer.address, "latest") == sent

    await town.command("unpause")
    await town.settle()
    assert (await town.payment(payment)).state is State.SETTLED
    assert await town.on_chain(bob.address) == "4.000000 USDX"


async def test_a_batch_that_reverted_is_settled_by_a_later_one(town: Town) -> None:
    alice, bob = await town.person("alice", "10 USDX"), await town.person("bob")
    pauser = town.chain.rpc("eth_accounts")[1]
    await town.command("grantRole", PAUSER_ROLE, bytes.fromhex(pauser[2:]))
    payment = await town.pay(alice, "@bob", "4 USDX")
    await town.worker().relay()

    town.chain.rpc("anvil_dropAllTransactions")
    pause_by(town, pauser, "pause")
    await town.settle()  # what is stored is sent again, and reverts

    assert (await town.payment(payment)).state is State.SUBMITTED
    assert await town.available(alice, "USDX") == "6.000000 USDX"
    pause_by(town, pauser, "unpause")
    town.clock = lambda: system_clock() + timedelta(minutes=2)
    await town.settle()
    assert (await town.payment(payment)).state is State.SETTLED
    assert await town.on_chain(bob.address) == "4.000000 USDX"
    assert await town.differences() == []


PAUSER_ROLE = keccak(b"PAUSER_ROLE")


def pause_by(town: Town, pauser: str, function: str) -> None:
    """One of anvil's own accounts calls the token; the block is mined at once."""
    call = {"from": pauser, "to": town.terms.contracts["USDX"].address, "data": "0x" + selector(function).hex()}
    town.chain.rpc("eth_sendTransaction", call)
    town.chain.mine()


# ---- tokens that are deployed later ---------------------------------------------------------------------------------

EURX = Asset("EURX", "token", 6, "EUR")


async def settle_with(town: Town, worker: Worker) -> None:
    """See what is queued through to its final block, by this worker alone."""
    await worker.relay()
    town.chain.mine(1 + town.FINALITY)
    while await worker.watch():
        pass


async def declare_eurx(town: Town) -> None:
    town.assets = Assets([*town.assets, EURX])
    async with town.database.transaction() as connection:
        await book.declare(connection, town.assets)


async def test_a_token_that_is_deployed_while_a_worker_runs_is_relayed_and_watched_by_it(town: Town) -> None:
    await declare_eurx(town)
    town.terms = replace(town.terms, assets=town.assets)
    worker, none_yet = town.worker(), replace(town.worker(), terms=replace(town.terms, contracts={}))
    await town.deploy()
    alice = await town.person("alice", "10.00 EUR", "10.00 USD")

    first = await town.convert(alice, "4.00 EUR", "EURX")
    await settle_with(town, worker)
    second = await town.convert(alice, "3.00 USD", "USDX")
    await settle_with(town, none_yet)

    assert (await town.conversion(first)).state is State.SETTLED
    assert (await town.conversion(second)).state is State.SETTLED
    assert await town.differences() == []


async def test_a_worker_that_does_not_have_a_token_reads_nothing_past_its_logs(town: Town) -> None:
    stale = town.worker()
    await declare_eurx(town)
    town.terms = replace(town.terms, assets=town.assets)
    await town.deploy()
    alice = await town.person("alice", "10.00 EUR")
    bought = await town.convert(alice, "4.00 EUR", "EURX")
    await town.worker().relay()
    town.chain.mine(2)
    before = await cursor_of(town)

    with pytest.raises(Misconfigured, match="EURX was deployed"):
        await stale.watch()
    with pytest.raises(Misconfigured, match="EURX was deployed"):
        await asyncio.wait_for(working.run(stale, asyncio.Event()), 20)

    assert await cursor_of(town) == before
    await town.worker().watch()
    assert (await town.conversion(bought)).state is State.SETTLED


async def cursor_of(town: Town) -> watch.Cursor | None:
    async with town.database.reading() as connection:
        return await watch.cursor(connection, 31337)


# ---- what is not given back on silence ------------------------------------------------------------------------------


class Deaf(HttpNode):
    """A node that has lost the contract's logs."""

    async def logs_of(self, *arguments: Any) -> Any:
        return []


async def test_what_the_contract_has_used_is_never_given_back_though_no_log_was_seen(
    town: Town, caplog: pytest.LogCaptureFixture
) -> None:
    alice, bob = await town.person("alice", "10 USDX", "5.00 USD"), await town.person("bob")
    deaf = Deaf(town.chain.url)
    worker = town.worker(deaf)
    payment = await town.pay(alice, "@bob", "4 USDX")
    bought = await town.convert(alice, "3.00 USD", "USDX")
    await settle_with(town, worker)

    town.chain.rpc("evm_increaseTime", 4000)
    town.chain.mine(3)
    for _ in range(2):
        await worker.watch()
        town.chain.mine()
    await deaf.close()

    assert (await town.payment(payment)).state is State.SUBMITTED
    assert (await town.conversion(bought)).state is State.SUBMITTED
    assert await town.available(alice, "USDX") == "6.000000 USDX"
    assert await town.available(alice, "USD") == "2.00 USD"
    assert await town.on_chain(bob.address) == "4.000000 USDX"
    said = [record for record in caplog.records if "no log of it was seen" in record.getMessage()]
    assert len(said) == 2  # each once
    async with town.database.reading() as connection:
        reasons = await connection.fetch("SELECT reason FROM token_authorization WHERE state = 'submitted'")
    assert [row["reason"] for row in reasons] == ["used_without_a_log"] * 2


async def test_nothing_expires_while_the_contract_does_not_answer(town: Town) -> None:
    class Mute(HttpNode):
        async def calls(self, *arguments: Any) -> Any:
            raise NodeUnavailable("not now")

    alice = await town.person("alice", "10 USDX")
    await town.person("bob")
    payment = await town.pay(alice, "@bob", "4 USDX")
    town.chain.rpc("evm_increaseTime", 4000)
    town.chain.mine(2)
    mute = Mute(town.chain.url)

    assert await town.worker(mute).watch()  # the rest of the span is written all the same
    await mute.close()

    assert (await town.payment(payment)).state is State.QUEUED
    town.chain.mine()
    await town.worker().watch()
    assert (await town.payment(payment)).state is State.FAILED


async def test_a_mint_that_was_never_made_ends_and_can_never_be_made_afterwards(town: Town) -> None:
    alice = await town.person("alice", "10.00 USD")
    await town.command("pause")
    bought = await town.convert(alice, "4.00 USD", "USDX")
    await town.settle()
    assert (await town.conversion(bought)).state is State.QUEUED

    town.chain.rpc("evm_increaseTime", 4000)
    town.chain.mine(2)
    await town.worker().watch()

    failed = await town.conversion(bought)
    assert (failed.state, failed.failure) == (State.FAILED, "expired")
    assert await town.available(alice, "USD") == "10.00 USD"
    await town.command("unpause")
    await town.settle()
    assert await town.on_chain(alice.address) == "0.000000 USDX"
    assert await town.differences() == []


async def test_a_mint_that_a_stored_transaction_may_still_make_is_not_given_back(town: Town) -> None:
    alice = await town.person("alice", "10.00 USD")
    bought = await town.convert(alice, "4.00 USD", "USDX")
    await town.worker().relay()
    town.chain.rpc("anvil_dropAllTransactions")
    town.chain.rpc("evm_increaseTime", 4000)
    town.chain.mine(2)

    await town.worker().watch()

    assert (await town.conversion(bought)).state is State.SUBMITTED
    await town.settle()
    assert (await town.conversion(bought)).state is State.SETTLED
    assert await town.differences() == []


async def test_a_key_that_does_not_open_costs_its_owners_payment_alone(town: Town) -> None:
    alice, carol = await town.person("alice", "10 USDX"), await town.person("carol", "10 USDX")
    await town.person("bob")
    async with town.database.transaction() as connection:
        await connection.execute(
            "UPDATE sealed_key SET sealed = sealed || '\\x00'::bytea WHERE wallet_id = $1", alice.id
        )
    lost, good = await town.pay(alice, "@bob", "1 USDX"), await town.pay(carol, "@bob", "2 USDX")

    await town.settle()

    failed = await town.payment(lost)
    assert (failed.state, failed.failure) == (State.FAILED, "key_unreadable")
    assert await town.available(alice, "USDX") == "10.000000 USDX"
    assert (await town.payment(good)).state is State.SETTLED
    assert await town.differences() == []


# ---- the lane and the loop ------------------------------------------------------------------------------------------


async def test_payments_wait_for_transactions_that_are_in_no_block_not_for_final_ones(town: Town) -> None:
    alice = await town.person("alice", "30 USDX")
    await town.person("bob")
    worker = replace(town.worker(), finality=1000)
    for _ in range(16):
        await town.pay(alice, "@bob", "1 USDX")
        assert await worker.relay()
    late = await town.pay(alice, "@bob", "1 USDX")

    assert not await worker.relay()
    assert (await town.payment(late)).state is State.QUEUED
    town.chain.mine()
    assert await worker.relay()
    assert (await town.payment(late)).state is State.SUBMITTED


async def test_a_lane_is_stopped_when_a_second_look_finds_its_nonce_taken_too(town: Town) -> None:
    alice = await town.person("alice", "10 USDX")
    await town.person("bob")
    await town.pay(alice, "@bob", "1 USDX")
    now = system_clock()
    town.clock = lambda: now
    worker = town.worker()
    await worker.relay()
    town.chain.rpc("anvil_dropAllTransactions")
    town.chain.rpc("eth_sendTransaction", {"from": town.signer.address, "to": town.signer.address})
    town.chain.mine(2)

    await worker.resend()
    await worker.resend()
    async with town.database.reading() as connection:
        await lanes.next_nonce(connection, town.signer.address)  # it is not stopped

    await replace(worker, clock=lambda: now + timedelta(minutes=1)).resend()
    async with town.database.reading() as connection:
        with pytest.raises(LaneStopped, match="not ours"):
            await lanes.next_nonce(connection, town.signer.address)
    await town.pay(alice, "@bob", "1 USDX")
    with pytest.raises(NoLane, match=f"{town.signer.address} stopped, since its nonce"):
        await worker.relay()


async def test_a_worker_ends_and_signs_nothing_when_the_chain_was_replaced(town: Town) -> None:
    alice = await town.person("alice", "10 USDX")
    await town.person("bob")
    payment = await town.pay(alice, "@bob", "1 USDX")
    town.chain.rpc("anvil_reorg", 4, [])
    town.chain.mine(4)

    with pytest.raises(ChainReplaced):
        await town.worker().relay()
    with pytest.raises(ChainReplaced, match="start over"):
        await asyncio.wait_for(working.run(town.worker(), asyncio.Event()), 20)

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
    await town.worker().relay()
    town.chain.mine(2)

    async with town.database.transaction() as another:
        await another.execute("SELECT FROM payment WHERE id = $1 FOR UPDATE", payment.id)
        watching = asyncio.create_task(town.worker().watch())
        await until_waiting(another, 1)
        await another.execute("SELECT FROM account FOR UPDATE NOWAIT")
        await another.execute("SELECT FROM transfer FOR UPDATE NOWAIT")

    await watching
    assert str((await town.payment(payment)).refunded) == "0.000000 USDX"

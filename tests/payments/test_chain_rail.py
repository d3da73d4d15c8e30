"""Token payments and conversions: from accepted to final, and what the chain may do to them meanwhile."""

import json
from datetime import timedelta

import pytest
from eth_hash.auto import keccak
from msgspec.structs import replace

from gateway.chain.token.contract import selector
from gateway.clock import system_clock
from gateway.errors import StateConflict
from gateway.events.log import Event
from gateway.identity import wallet
from gateway.ids import PaymentId, new_id
from gateway.payments.model import payment_events
from gateway.payments.model.payment import Payment, State
from gateway.payments.rails import chain as chain_rail
from gateway.payments.rails.chain import Queued, TokenPayment
from gateway.payments.records import records
from gateway.postgres.pool import Connection
from gateway.secret import hash_of
from gateway.worker import jobs
from tests.factory import NOW, Town

pytestmark = pytest.mark.anyio


async def test_a_token_payment_is_held_then_submitted_then_settled_when_final(town: Town) -> None:
    alice, bob = await town.person("alice", "10 USDX"), await town.person("bob")
    worker = town.worker()

    payment = await town.pay(alice, "@bob", "4 USDX")
    assert payment.state is State.QUEUED
    assert await town.available(alice, "USDX") == "6.000000 USDX"

    await jobs.relay.run(worker)
    submitted = await town.payment(payment)
    assert submitted.state is State.SUBMITTED
    assert submitted.tx_hash is not None

    town.chain.mine()  # mined, not final
    await jobs.watch.run(worker)
    assert (await town.payment(payment)).state is State.SUBMITTED
    assert await town.available(bob, "USDX") == "0.000000 USDX"

    town.chain.mine()
    await jobs.watch.run(worker)
    settled = await town.payment(payment)
    assert settled.state is State.SETTLED
    assert settled.tx_hash == submitted.tx_hash
    assert await town.available(bob, "USDX") == "4.000000 USDX" == await town.on_chain(bob.address)
    assert await town.differences() == []


async def logged(town: Town, payment: Payment, kind: str) -> list[Event]:
    """The events of this kind that the log has of the payment."""
    async with town.database.reading() as connection:
        rows = await connection.fetch(
            "SELECT kind, wallet_id, subject, payload, other_id FROM logged_event WHERE subject = $1 AND kind = $2",
            payment.id,
            kind,
        )
    return [
        Event(one["kind"], one["wallet_id"], one["subject"], json.loads(one["payload"]), one["other_id"])
        for one in rows
    ]


@pytest.mark.parametrize("archived", [False, True])
async def test_the_event_of_a_submitted_payment_says_what_the_payment_is(town: Town, archived: bool) -> None:
    alice, _ = await town.person("alice", "10 USDX"), await town.person("bob")
    payment = await town.pay(alice, "@bob", "4 USDX", memo="lunch")
    if archived:  # as operators may archive the oldest
        await town.execute("ALTER TABLE logged_event DISABLE TRIGGER logged_event_is_append_only")
        await town.execute("DELETE FROM logged_event")

    await jobs.relay.run(town.worker())

    submitted = await town.payment(payment)
    assert submitted.state is State.SUBMITTED
    assert await logged(town, payment, "payment.submitted") == payment_events.events(submitted)


async def test_a_payment_that_has_ended_is_not_submitted(town: Town) -> None:
    alice, _ = await town.person("alice", "10 USDX"), await town.person("bob")
    payment = await town.pay(alice, "@bob", "4 USDX")
    await town.settle()

    with pytest.raises(StateConflict):
        async with town.database.transaction() as connection:
            await records.submit(connection, [payment.id], "0x1", NOW)

    assert len(await logged(town, payment, "payment.submitted")) == 1
    assert (await town.payment(payment)).state is State.SETTLED


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
        isinstance(one, Queued) for one in await chain_rail.pay_all(town.database, town.settings, asked, town.clock())
    )
    assert await town.available(alice, "USDX") == "4.000000 USDX"
    await town.settle()

    async with town.database.reading() as connection:
        paid = [await records.payment(connection, town.assets, one.payment_id, alice.id) for one in asked]
    assert [(one.state, one.captured) for one in paid] == [(State.SETTLED, one.money) for one in asked]
    assert await town.available(bob, "USDX") == "7.000000 USDX" == await town.on_chain(bob.address)
    assert await town.differences() == []


async def _updates(connection: Connection) -> tuple[int, int]:
    """How many rows this session has updated, and how many of them without an entry in an index, as far as PostgreSQL
    has not added them to the statistics of all sessions.
    """
    row = await connection.fetchrow(
        "SELECT pg_stat_get_xact_tuples_updated('staged_payment'::regclass) AS all_of_them, "
        "pg_stat_get_xact_tuples_hot_updated('staged_payment'::regclass) AS hot"
    )
    assert row is not None
    return row["all_of_them"], row["hot"]


async def test_a_payment_that_settles_as_it_should_changes_no_index_of_payments(town: Town) -> None:
    alice, _ = await town.person("alice", "10 USDX"), await town.person("bob")
    payment = await town.pay(alice, "@bob", "4 USDX")
    assert payment.authorization_id is not None

    async with town.database.transaction() as connection:
        before = await _updates(connection)
        assert await records.submit(connection, [payment.id], "0x1", NOW) == ({payment.id: payment.id}, [])
        settled = replace(payment, tx_hash="0x1", state=State.SETTLED, captured=payment.amount, settled_at=NOW)
        await records.settle(connection, [settled], NOW)
        after = await _updates(connection)

    assert (after[0] - before[0], after[1] - before[1]) == (1, 1)
    assert await town.payment(payment) == replace(settled, hidden_from_payee=False)


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


async def test_a_token_payment_cannot_be_refunded_before_it_is_final(town: Town) -> None:
    alice, bob = await town.person("alice", "10 USDX"), await town.person("bob", "10 USDX")
    payment = await town.pay(alice, "@bob", "8 USDX")

    with pytest.raises(StateConflict):
        await town.refund(bob, payment, "3 USDX")

    await town.settle()
    assert (await town.refund(bob, payment, "3 USDX")).state is State.QUEUED


async def test_a_payment_that_the_contract_skips_gives_the_money_back_and_says_why(town: Town) -> None:
    alice, bob = await town.person("alice", "10 USDX"), await town.person("bob", "1 USDX")
    await town.freeze(bob.address)
    payment = await town.pay(alice, "@bob", "4 USDX")

    await town.settle()

    failed = await town.payment(payment)
    assert (failed.state, failed.failure) == (State.FAILED, "account_frozen")
    (submitted,) = await logged(town, payment, "payment.submitted")
    assert failed.tx_hash == submitted.payload["tx_hash"], "the chain transaction that carried it"
    assert await logged(town, payment, "payment.failed") == payment_events.events(failed)
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
    await jobs.watch.run(town.worker())

    failed = await town.payment(payment)
    assert (failed.state, failed.failure) == (State.FAILED, "expired")
    await town.settle()
    assert await town.on_chain(alice.address) == "10.000000 USDX"
    assert await town.differences() == []


async def test_a_reorganisation_below_finality_changes_only_what_was_submitted(town: Town) -> None:
    alice, bob = await town.person("alice", "10 USDX"), await town.person("bob")
    payment = await town.pay(alice, "@bob", "4 USDX")
    worker = town.worker()
    await jobs.relay.run(worker)
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
    await jobs.relay.run(town.worker())

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
    call = {"from": pauser, "to": town.settings.contracts["USDX"].address, "data": "0x" + selector(function).hex()}
    town.chain.rpc("eth_sendTransaction", call)
    town.chain.mine()

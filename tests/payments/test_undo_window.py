"""The moment in which a token payment can be stopped: what it leaves behind, and who wins."""

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace

from gateway.audit.log import ANYONE
from gateway.clock import system_clock
from gateway.controls import wallet_freeze
from gateway.errors import StateConflict
from gateway.identity import wallet as wallets
from gateway.identity.wallet import Wallet
from gateway.payments.checks import policy
from gateway.payments.ends import undo_window
from gateway.payments.model.payment import State
from gateway.worker import jobs
from tests.cuts import CutDatabase, Fate, Killed
from tests.factory import Town

pytestmark = pytest.mark.anyio


async def careful(town: Town) -> Wallet:
    """Alice, with 10 USDX and a guarded wallet whose payments need no approval, and that can undo for 30 seconds."""
    alice = await town.person("alice", "10 USDX")
    async with town.database.transaction() as connection:
        await wallets.guard(connection, alice.id)
        await connection.execute(
            "UPDATE policy SET undo_seconds = 30, approve_new_payee = false, approve_address = false"
        )
    return replace(alice, guarded=True)


async def traces(town: Town) -> int:
    """Nonces that were given out for the payer, and authorizations there are."""
    async with town.database.reading() as connection:
        return int(
            await connection.fetchval(
                "SELECT (SELECT count(*) FROM token_authorization WHERE kind = 'transfer')"
                " + (SELECT coalesce(sum(next), 0) FROM authorization_nonce)"
            )
        )


async def send(town: Town, at: timedelta = timedelta(seconds=31)) -> int:
    town.clock = lambda: system_clock() + at
    async with town.database.transaction() as connection:
        return await undo_window.send_due(connection, town.settings, town.clock())


async def test_a_payment_that_is_stopped_in_time_leaves_no_trace_on_the_chain(town: Town) -> None:
    alice, _ = await careful(town), await town.person("bob")
    payment = await town.pay(alice, "@bob", "4 USDX")
    assert (payment.state, payment.undo_until is not None) == (State.HELD, True)
    assert await send(town, timedelta(seconds=29)) == 0

    assert (await town.void(alice, payment)).state is State.VOIDED
    assert await send(town) == 0
    await town.settle()

    assert await traces(town) == 0
    assert await town.available(alice, "USDX") == await town.on_chain(alice.address) == "10.000000 USDX"


@pytest.mark.parametrize("known", ["payer", "payee"])
async def test_a_payment_that_the_chain_may_have_waits_and_keeps_nobody_back(town: Town, known: str) -> None:
    """A restore found one like it; the other wallet was lost then, and was returned with its address since."""
    alice, bob = await careful(town), await town.person("bob")
    repeats, other = await town.pay(alice, "@bob", "4 USDX"), await town.pay(alice, "@bob", "1 USDX")
    async with town.database.transaction() as connection:
        await connection.execute(
            "WITH ended AS (INSERT INTO recovery (id, chain_id, reason, entered_at, read_at, ended_at, ended_by)"
            " VALUES (gen_random_uuid(), 31337, 'one', now(), now(), now(), 'ann') RETURNING id)"
            " INSERT INTO restored_payment (id, recovery_id, kind, asset, from_address, to_address, value, nonce,"
            " payer, payee, block_number, transaction_hash)"
            " SELECT id, id, 'transfer', 'USDX', $1, $2, 4000000, 7, $3, $4, 12, '\\x01' FROM ended",
            *(alice.address, bob.address, alice.id if known == "payer" else None, bob.id if known == "payee" else None),
        )

    assert await send(town) == 1

    assert (await town.payment(repeats)).state is State.HELD
    assert (await town.payment(other)).state is State.QUEUED


async def test_a_payment_that_nobody_stops_goes_when_the_time_is_over(town: Town) -> None:
    alice, bob = await careful(town), await town.person("bob")
    payment = await town.pay(alice, "@bob", "4 USDX")

    town.clock = lambda: system_clock() + timedelta(seconds=31)
    await jobs.expire.run(town.worker())
    with pytest.raises(StateConflict):
        await town.void(alice, payment)
    await town.settle()

    assert (await town.payment(payment)).state is State.SETTLED
    assert await town.on_chain(bob.address) == "4.000000 USDX"
    assert await town.differences() == []


async def test_the_payee_cannot_capture_what_can_still_be_undone(town: Town) -> None:
    alice, bob = await careful(town), await town.person("bob")
    payment = await town.pay(alice, "@bob", "4 USDX")
    with pytest.raises(StateConflict):
        await town.capture(bob, payment)


async def test_a_trusted_payee_is_paid_without_an_undo(town: Town) -> None:
    alice, bob = await careful(town), await town.person("bob")
    async with town.database.transaction() as connection:
        await connection.execute(policy.sql.trust, alice.id, [bob.id], [None])
    assert (await town.pay(alice, "@bob", "4 USDX")).state is State.QUEUED


async def test_of_a_stop_and_a_send_at_the_same_moment_one_wins(town: Town) -> None:
    alice, bob = await careful(town), await town.person("bob")
    payments = [await town.pay(alice, "@bob", "0.5 USDX") for _ in range(12)]

    stops = (town.void(alice, payment) for payment in payments)
    await asyncio.gather(*stops, *(send(town) for _ in range(12)), return_exceptions=True)
    await send(town)
    await town.settle()

    ends = [(await town.payment(payment)).state for payment in payments]
    assert set(ends) <= {State.VOIDED, State.SETTLED}
    paid = town.assets["USDX"].parse("0.5").units * ends.count(State.SETTLED)
    assert (await town.balance(bob, "USDX")).money()[0].units == paid
    assert await town.differences() == []


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_worker_that_is_killed_at_the_send_sends_once(town: Town, moment: str) -> None:
    alice, bob = await careful(town), await town.person("bob")
    payment = await town.pay(alice, "@bob", "4 USDX")

    class Kill(Fate):
        async def before(self, what: str) -> None:
            if moment == "before":
                raise Killed

        async def after(self, what: str) -> None:
            if moment == "after":
                raise Killed

    town.clock = lambda: system_clock() + timedelta(seconds=31)
    with pytest.raises(Killed):
        async with CutDatabase(town.database, Kill()).transaction() as connection:
            await undo_window.send_due(connection, town.settings, town.clock())
    await send(town)
    await town.settle()

    assert (await town.payment(payment)).state is State.SETTLED
    assert await town.on_chain(bob.address) == "4.000000 USDX"


async def test_a_frozen_wallets_payments_wait_and_go_on_when_it_does(town: Town) -> None:
    """One in its undo window, one queued: neither is sent, and neither runs out."""
    alice, bob = await careful(town), await town.person("bob")
    undoable = await town.pay(alice, "@bob", "1 USDX")
    async with town.database.transaction() as connection:
        await connection.execute("UPDATE policy SET undo_seconds = 0")
    queued = await town.pay(alice, "@bob", "2 USDX")
    async with town.database.transaction() as connection:
        await wallet_freeze.freeze(connection, alice.id, "to be looked at", ANYONE, None, town.clock())

    assert await send(town, timedelta(hours=2)) == 0
    await town.settle()
    assert [(await town.payment(one)).state for one in (undoable, queued)] == [State.HELD, State.QUEUED]

    async with town.database.transaction() as connection:
        assert await wallet_freeze.unfreeze(connection, alice.id, ANYONE, town.clock())
    town.clock = system_clock
    await town.settle()
    await send(town)
    await town.settle()

    assert [(await town.payment(one)).state for one in (undoable, queued)] == [State.SETTLED] * 2
    assert await town.on_chain(bob.address) == "3.000000 USDX"
    assert await town.differences() == []

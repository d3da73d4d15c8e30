"""A request for money is paid once, though each payment of it has a transaction of its own, and by either rail."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from gateway.clock import system_clock
from gateway.errors import StateConflict
from gateway.events import log
from gateway.identity.errors import UnknownHandle
from gateway.identity.wallet import Wallet
from gateway.ids import PaymentId, RequestId
from gateway.money import Assets
from gateway.payments import request_money
from gateway.payments.errors import RequestNotOpen
from gateway.payments.model.payment import Payment, State
from gateway.payments.requests import rows
from gateway.payments.requests.request import Request
from gateway.payments.settles.payments import Payments
from gateway.postgres.pool import Database
from gateway.worker import jobs
from tests.databases import until_waiting
from tests.factory import Town
from tests.payments.test_ledger_rail import LedgerTown

pytestmark = pytest.mark.anyio


async def asked(town: Town, by: Wallet, of: str, money: str, lasts: timedelta | None = None) -> Request:
    until = lasts and town.clock() + lasts
    async with town.database.transaction() as connection:
        return await request_money.create(connection, by, of, town.money(money), None, until, town.clock())


async def seen(town: Town, id: RequestId, by: Wallet) -> Request:
    async with town.database.reading() as connection:
        return await rows.one(connection, town.assets, id, by.id, town.clock())


async def decline(town: Town, by: Wallet, id: RequestId) -> Request:
    async with town.database.transaction() as connection:
        return await request_money.decline(connection, town.assets, by.id, id, town.clock())


async def fail(town: Town, payment: Payment) -> None:
    """Let the hour of a token payment's authorization pass before anybody relays it."""
    town.chain.rpc("evm_increaseTime", 4000)
    town.chain.mine(2)
    await jobs.watch.run(town.worker())
    assert (await town.payment(payment)).state is State.FAILED
    town.clock = lambda: system_clock() + timedelta(seconds=4100)  # as the chain's


async def told(town: Town, of: Wallet) -> list[str]:
    async with town.database.reading() as connection:
        return [one.kind for one in (await log.read(connection, of.id)).events if one.kind.startswith("request.")]


@pytest.fixture
async def ledger_town(database: Database, assets: Assets) -> LedgerTown:
    return LedgerTown(database, assets)


async def test_of_payments_in_transactions_of_their_own_one_pays_the_request(ledger_town: LedgerTown) -> None:
    town = ledger_town
    alice, bob = await town.person("alice"), await town.person("bob", "100.00 EUR")
    for _ in range(20):
        request = await asked(town, alice, "@bob", "1.00 EUR")
        paying = [town.pay(bob, "@alice", "1.00 EUR", request=request.id) for _ in range(4)]
        results = await asyncio.gather(*paying, return_exceptions=True)
        paid = [one for one in results if isinstance(one, Payment)]
        assert len(paid) == 1, results
        assert {type(one) for one in results} == {Payment, RequestNotOpen}
        now = await seen(town, request.id, alice)
        assert (now.state, now.payment) == ("paid", paid[0].id)
    assert await town.available(alice, "EUR") == "20.00 EUR"
    assert await town.wrong() == []


async def test_a_request_that_is_declined_while_it_is_paid_is_one_or_the_other(ledger_town: LedgerTown) -> None:
    town = ledger_town
    alice, bob = await town.person("alice"), await town.person("bob", "100.00 EUR")
    for turn in range(20):
        request = await asked(town, alice, "@bob", "1.00 EUR")
        both: list[Any] = [town.pay(bob, "@alice", "1.00 EUR", request=request.id), decline(town, bob, request.id)]
        waiting: list[asyncio.Task[Any]] = []
        async with town.database.transaction() as gate:
            assert await gate.fetch("SELECT FROM payment_request WHERE id = $1 FOR NO KEY UPDATE", request.id)
            for one in both if turn % 2 else both[::-1]:
                waiting.append(asyncio.create_task(one))
                await until_waiting(gate, len(waiting), *waiting)
        done, refused = await asyncio.gather(*waiting, return_exceptions=True)
        now = await seen(town, request.id, bob)
        if turn % 2:
            assert (now.state, now.payment, type(refused)) == ("paid", done.id, StateConflict)
        else:
            assert (now.state, now.payment, type(refused)) == ("declined", None, RequestNotOpen)
    assert await town.available(alice, "EUR") == "10.00 EUR"


async def test_a_request_of_tokens_is_paid_when_its_payment_is_final(town: Town) -> None:
    alice, bob = await town.person("alice"), await town.person("bob", "10 USDX")
    request = await asked(town, alice, "@bob", "4 USDX")
    payment = await town.pay(bob, "@alice", "4 USDX", request=request.id)
    pending = await seen(town, request.id, alice)
    assert (pending.state, pending.payment, pending.ended_at) == ("pending", payment.id, None)

    await town.settle()

    paid = await seen(town, request.id, alice)
    assert (paid.state, paid.payment, paid.ended_at) == ("paid", payment.id, (await town.payment(payment)).settled_at)
    assert await told(town, bob) == await told(town, alice) == ["request.created", "request.paid"]
    assert await town.differences() == []


async def test_a_request_whose_payment_failed_is_open_again_and_paid_by_another(town: Town) -> None:
    alice, bob = await town.person("alice"), await town.person("bob", "10 USDX")
    request = await asked(town, alice, "@bob", "4 USDX")
    payment = await town.pay(bob, "@alice", "4 USDX", request=request.id)
    await fail(town, payment)

    again = await seen(town, request.id, bob)
    assert (again.state, again.payment) == ("open", None)
    second = await town.pay(bob, "@alice", "4 USDX", request=request.id)
    await town.settle()

    paid = await seen(town, request.id, alice)
    assert (paid.state, paid.payment) == ("paid", second.id)
    assert await told(town, alice) == ["request.created", "request.paid"]


async def test_a_request_that_is_over_when_its_payment_ends_unpaid_stays_over(town: Town) -> None:
    alice, bob = await town.person("alice"), await town.person("bob", "10 USDX")
    request = await asked(town, alice, "@bob", "4 USDX", lasts=timedelta(minutes=30))
    payment = await town.pay(bob, "@alice", "4 USDX", request=request.id)
    await fail(town, payment)

    again = await seen(town, request.id, bob)
    assert (again.state, again.payment) == ("expired", None)
    with pytest.raises(RequestNotOpen):
        await town.pay(bob, "@alice", "4 USDX", request=request.id)


async def test_a_request_expires_after_thirty_days_if_it_names_no_time(ledger_town: LedgerTown) -> None:
    town = ledger_town
    alice, bob = await town.person("alice"), await town.person("bob", "10.00 EUR")
    request = await asked(town, alice, "@bob", "1.00 EUR")
    town.now += timedelta(days=30, seconds=-1)
    assert (await seen(town, request.id, bob)).state == "open"
    town.now += timedelta(seconds=1)
    assert (await seen(town, request.id, bob)).state == "expired"
    with pytest.raises(RequestNotOpen):
        await town.pay(bob, "@alice", "1.00 EUR", request=request.id)


async def test_a_wallet_that_is_closed_meanwhile_makes_no_request(ledger_town: LedgerTown) -> None:
    town = ledger_town
    alice, bob = await town.person("alice"), await town.person("bob")
    async with town.database.transaction() as connection:
        await connection.execute("UPDATE wallet SET closed_at = now() WHERE id = $1", alice.id)
    with pytest.raises(UnknownHandle, match="@alice"):
        await asked(town, alice, "@bob", "1.00 EUR")
    with pytest.raises(UnknownHandle, match="@alice"):
        await asked(town, bob, "@alice", "1.00 EUR")


async def test_a_payment_that_settles_and_one_that_names_its_request_wait_for_each_other_in_no_ring(town: Town) -> None:
    """Settling locks the request before accounts, as whoever tries to pay it once more does."""
    alice, bob = await town.person("alice", "5 USDX"), await town.person("bob")
    request = await asked(town, bob, "@alice", "2 USDX")
    paid = await town.pay(alice, "@bob", "2 USDX", request=request.id)
    assert paid.authorization_id is not None
    async with town.database.transaction() as other:
        assert await other.fetch("SELECT FROM payment_request WHERE id = $1 FOR NO KEY UPDATE", request.id)
        settling = asyncio.ensure_future(_found(town, paid.authorization_id))
        await until_waiting(other, 1, settling)  # for the request, and has no account yet
        assert await other.fetch("SELECT FROM account WHERE owner = $1 FOR NO KEY UPDATE NOWAIT", alice.id)
    assert await settling == paid.id


async def _found(town: Town, authorization: UUID) -> PaymentId:
    async with town.database.transaction() as connection:
        found = await Payments().find(connection, town.assets, [authorization])
        return found[authorization].id

"""The ledger rail, verb by verb, with the clock in the test's hands: fees, holds and their ends, refunds, lists."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Forbidden, NotFound, StateConflict
from gateway.identity.wallet import Wallet
from gateway.keys.vault import Vault
from gateway.ledger import account, ledger, recount
from gateway.ledger.errors import CaptureExceedsHold, InsufficientFunds
from gateway.money import Assets, Money
from gateway.payments import pay
from gateway.payments.ends import capture_void
from gateway.payments.errors import RefundExceedsPayment
from gateway.payments.model.fee import fee
from gateway.payments.model.payment import Payment, State
from gateway.payments.model.settings import PaymentSettings
from gateway.payments.pay import PayRequest
from gateway.payments.records import records
from gateway.postgres.pool import Database
from tests.factory import NOW, Town

pytestmark = pytest.mark.anyio


class LedgerTown(Town):
    """A town without a chain, which the ledger rail has no use for. Its clock stands still until it is moved."""

    def __init__(self, database: Database, assets: Assets) -> None:
        super().__init__(database, None, None, assets, Vault(bytes(range(32))))  # type: ignore[arg-type] # no chain
        self.now = NOW
        self.clock: Callable[[], datetime] = lambda: self.now

    def charge(self, basis_points: int) -> None:
        self.settings = replace(self.settings, ledger_fee_basis_points=basis_points)

    async def expire(self, limit: int = 100) -> int:
        async with self.database.transaction() as connection:
            return await capture_void.expire_due(connection, self.settings, self.now, limit)

    async def preview(self, payer: Wallet, to: str, text: str) -> pay.Preview:
        async with self.database.snapshot() as connection:
            return await pay.preview(connection, self.settings, payer, PayRequest(to, self.money(text)), self.clock())

    async def fees(self) -> str:
        eur = self.assets["EUR"]
        async with self.database.reading() as connection:
            found = await ledger.balances(connection, self.assets, [account.system_account("fees", eur)])
        return str(Money(next((one.posted for one in found.values()), 0), eur))

    async def wrong(self) -> list[Any]:
        async with self.database.snapshot() as connection:
            return list(await recount.recount(connection))


@pytest.fixture
async def town(database: Database, assets: Assets) -> LedgerTown:
    return LedgerTown(database, assets)


@pytest.fixture
async def alice(town: LedgerTown) -> Wallet:
    return await town.person("alice", "100.00 EUR")


@pytest.fixture
async def bob(town: LedgerTown, alice: Wallet) -> Wallet:
    return await town.person("bob")


@pytest.mark.parametrize(
    ("basis_points", "amount", "cost"),
    [
        *((0, "10.00", "0.00"), (100, "10.00", "0.10"), (1, "0.01", "0.00"), (150, "0.66", "0.00")),
        *((150, "0.67", "0.01"), (33, "10.01", "0.03"), (5000, "0.01", "0.00")),
    ],
)
async def test_a_preview_says_the_fee_that_is_then_paid_to_the_gateway(
    town: LedgerTown, alice: Wallet, bob: Wallet, basis_points: int, amount: str, cost: str
) -> None:
    town.charge(basis_points)
    seen = await town.preview(alice, "@bob", f"{amount} EUR")

    paid = await town.pay(alice, "@bob", f"{amount} EUR")

    assert (paid.route, paid.fee) == (seen.route, seen.fee)
    assert (str(paid.fee), paid.route.fee) == (f"{cost} EUR", cost)
    assert str(seen.available_after) == await town.available(alice, "EUR")
    assert await town.available(bob, "EUR") == f"{amount} EUR"
    assert await town.fees() == f"{cost} EUR"
    assert await town.wrong() == []


@given(units=st.integers(1, 2**200), basis_points=st.integers(0, 5000))
def test_a_fee_is_less_than_its_part_by_less_than_a_unit(assets: Assets, units: int, basis_points: int) -> None:
    cost = fee(
        PaymentSettings(assets, {}, basis_points, 1, 1, 1.0, rails=(), payees=(), settles=()),
        Money(units, assets["EUR"]),
    ).units
    assert 0 <= units * basis_points - cost * 10_000 < 10_000


async def test_a_group_with_a_payee_whose_account_is_not_open_is_paid_once_and_in_order(
    town: LedgerTown, alice: Wallet
) -> None:
    await town.person("bob", "1.00 EUR")
    await town.person("carol")
    lines = (("@bob", "40.00 EUR"), ("@carol", "55.00 EUR"), ("@bob", "10.00 EUR"))
    asked = [(alice, PayRequest(to, town.money(text))) for to, text in lines]

    async with town.database.transaction() as connection:
        first, second, third = await pay.pay_together(connection, town.settings, asked, town.clock())

    assert isinstance(first, Payment)
    assert isinstance(second, Payment)
    assert isinstance(third, InsufficientFunds)
    assert await town.available(alice, "EUR") == "5.00 EUR"
    assert await town.wrong() == []


async def test_a_fee_that_is_not_covered_stops_the_payment(town: LedgerTown, alice: Wallet, bob: Wallet) -> None:
    town.charge(100)
    with pytest.raises(Exception, match=r"101\.00 EUR is needed"):
        await town.pay(alice, "@bob", "100.00 EUR")
    assert await town.available(alice, "EUR") == "100.00 EUR"


async def test_a_capture_in_part_pays_its_part_of_the_fee_and_says_so(
    town: LedgerTown, alice: Wallet, bob: Wallet
) -> None:
    town.charge(100)
    held = await town.pay(alice, "@bob", "50.00 EUR", capture=False)
    assert (str(held.fee), await town.available(alice, "EUR")) == ("0.50 EUR", "49.50 EUR")

    captured = await town.capture(bob, held, "20.00 EUR")

    assert (captured.state, str(captured.fee)) == (State.SETTLED, "0.20 EUR")
    assert (await town.payment(held)).fee == captured.fee
    assert await town.available(alice, "EUR") == "79.80 EUR"
    assert (await town.available(bob, "EUR"), await town.fees()) == ("20.00 EUR", "0.20 EUR")


async def test_a_fee_that_was_raised_since_is_not_taken_from_what_is_held(
    town: LedgerTown, alice: Wallet, bob: Wallet
) -> None:
    held = await town.pay(alice, "@bob", "50.00 EUR", capture=False)
    town.charge(5000)
    captured = await town.capture(bob, held)
    assert (str(captured.fee), await town.available(alice, "EUR")) == ("0.00 EUR", "50.00 EUR")


async def test_a_hold_is_captured_by_either_side_once(town: LedgerTown, alice: Wallet, bob: Wallet) -> None:
    for caller in (alice, bob):
        held = await town.pay(alice, "@bob", "10.00 EUR", capture=False)
        assert (await town.capture(caller, held)).state is State.SETTLED
        for end in (town.capture, town.void):
            with pytest.raises(StateConflict):
                await end(caller, held)
    assert await town.available(bob, "EUR") == "20.00 EUR"


async def test_no_more_is_captured_than_is_held(town: LedgerTown, alice: Wallet, bob: Wallet) -> None:
    held = await town.pay(alice, "@bob", "10.00 EUR", capture=False)
    with pytest.raises(CaptureExceedsHold):
        await town.capture(bob, held, "10.01 EUR")
    assert (await town.payment(held)).state is State.HELD


async def test_a_hold_past_its_time_is_neither_captured_nor_kept(town: LedgerTown, alice: Wallet, bob: Wallet) -> None:
    held = await town.pay(alice, "@bob", "10.00 EUR", capture=False)
    assert held.expires_at == NOW + timedelta(seconds=town.settings.hold_seconds)

    town.now = held.expires_at - timedelta(microseconds=1)
    assert await town.expire() == 0
    town.now = held.expires_at
    with pytest.raises(StateConflict, match="expired"):
        await town.capture(bob, held)
    assert await town.expire() == 1
    assert await town.expire() == 0

    assert (await town.payment(held)).state is State.EXPIRED
    assert await town.available(alice, "EUR") == "100.00 EUR"
    with pytest.raises(StateConflict):
        await town.void(bob, held)


async def test_many_holds_expire_a_few_at_a_time_whoever_asks(town: LedgerTown, alice: Wallet, bob: Wallet) -> None:
    for _ in range(12):
        await town.pay(alice, "@bob", "1.00 EUR", capture=False)
    town.now += timedelta(days=30)

    given_back = await asyncio.gather(*(town.expire(limit=5) for _ in range(6)))

    assert sum(given_back) + await town.expire() == 12
    assert await town.available(alice, "EUR") == "100.00 EUR"
    assert await town.wrong() == []


async def test_of_capture_and_expiry_at_once_one_wins(town: LedgerTown, alice: Wallet, bob: Wallet) -> None:
    held = [await town.pay(alice, "@bob", "1.00 EUR", capture=False) for _ in range(10)]
    in_time = town.now
    late = in_time + timedelta(days=30)

    async def expire() -> int:
        async with town.database.transaction() as connection:
            return await capture_void.expire_due(connection, town.settings, late)

    outcomes = await asyncio.gather(
        *(town.capture(bob, one) for one in held), *(expire() for _ in range(5)), return_exceptions=True
    )

    captured = [one for one in outcomes[:10] if isinstance(one, Payment)]
    assert all(isinstance(one, StateConflict) for one in outcomes[:10] if one not in captured)
    assert len(captured) + sum(int(one) for one in outcomes[10:] if isinstance(one, int)) == 10
    assert await town.available(bob, "EUR") == f"{len(captured)}.00 EUR"
    assert await town.wrong() == []


async def test_a_refund_in_parts_ends_where_the_payment_did(town: LedgerTown, alice: Wallet, bob: Wallet) -> None:
    paid = await town.pay(alice, "@bob", "10.00 EUR", memo="lunch")
    parts = [await town.refund(bob, paid, text) for text in ("4.00 EUR", "5.99 EUR")]
    assert {(part.refund_of, part.memo, part.payer_name) for part in parts} == {(paid.id, "lunch", "@bob")}

    with pytest.raises(RefundExceedsPayment) as refusal:
        await town.refund(bob, paid, "0.02 EUR")
    assert str(refusal.value.left) == "0.01 EUR"
    assert str((await town.refund(bob, paid)).amount) == "0.01 EUR"
    with pytest.raises(RefundExceedsPayment):
        await town.refund(bob, paid)
    assert await town.available(alice, "EUR") == "100.00 EUR"


async def test_what_was_not_captured_cannot_be_refunded(town: LedgerTown, alice: Wallet, bob: Wallet) -> None:
    held = await town.pay(alice, "@bob", "10.00 EUR", capture=False)
    with pytest.raises(StateConflict):
        await town.refund(bob, held)
    await town.capture(bob, held, "4.00 EUR")
    with pytest.raises(RefundExceedsPayment):
        await town.refund(bob, held, "4.01 EUR")
    assert str((await town.refund(bob, held)).amount) == "4.00 EUR"


async def test_only_the_payee_refunds_and_a_stranger_is_told_nothing(
    town: LedgerTown, alice: Wallet, bob: Wallet
) -> None:
    paid, eve = await town.pay(alice, "@bob", "10.00 EUR"), await town.person("eve")
    with pytest.raises(Forbidden):
        await town.refund(alice, paid)
    for verb in (town.refund, town.capture, town.void):
        with pytest.raises(NotFound):
            await verb(eve, paid)


async def test_a_refund_that_the_payee_cannot_afford_leaves_all_of_it_to_refund(
    town: LedgerTown, alice: Wallet, bob: Wallet
) -> None:
    paid = await town.pay(alice, "@bob", "10.00 EUR")
    await town.pay(bob, "@alice", "6.00 EUR")
    with pytest.raises(Exception, match=r"4\.00 EUR available"):
        await town.refund(bob, paid)
    assert str((await town.payment(paid)).refunded) == "0.00 EUR"
    assert str((await town.refund(bob, paid, "4.00 EUR")).amount) == "4.00 EUR"


async def test_a_statement_runs_from_payment_to_payment(town: LedgerTown, alice: Wallet, bob: Wallet) -> None:
    paid = [await town.pay(alice, "@bob", f"{n}.00 EUR") for n in range(1, 6)]
    async with town.database.reading() as connection:
        lines = await ledger.statement(connection, town.assets["EUR"], "wallet:alice:EUR", None, 50)
    assert [line.subject for line in reversed(lines)][1:] == [payment.id for payment in paid]
    assert [str(line.balance) for line in reversed(lines)] == [
        f"{left}.00 EUR" for left in (100, 99, 97, 94, 90, 85)
    ]  # fmt: skip


async def test_pages_neither_lose_nor_repeat_while_payments_arrive(
    town: LedgerTown, alice: Wallet, bob: Wallet
) -> None:
    there = []
    for n in range(23):
        town.now += timedelta(milliseconds=1)
        payer, payee = (alice, "@bob") if n % 3 else (await _rich(town, bob), "@alice")
        there.append(await town.pay(payer, payee, "1.00 EUR"))

    seen: list[Payment] = []
    before = None
    while True:
        async with town.database.reading() as connection:
            page = await records.payments_page(connection, town.assets, alice.id, before, 5)
        if not page:
            break
        seen += page
        before = page[-1].id
        town.now += timedelta(milliseconds=1)
        await town.pay(alice, "@bob", "0.01 EUR")

    assert [payment.id for payment in seen] == [payment.id for payment in reversed(there)]


async def test_the_payments_before_one_are_the_same_whosever_it_is(
    town: LedgerTown, alice: Wallet, bob: Wallet
) -> None:
    """A payment on the wallet's own account says where the page begins; for another's it is looked for."""
    await town.person("carol")
    made = []
    for n in range(12):
        town.now += timedelta(milliseconds=1)
        payer, payee = ((alice, "@bob"), (await _rich(town, bob), "@alice"), (await _rich(town, bob), "@carol"))[n % 3]
        made.append((payer, payee, await town.pay(payer, payee, "1.00 EUR")))

    async with town.database.reading() as connection:
        for place, (_, _, before) in enumerate(made):
            page = await records.payments_page(connection, town.assets, alice.id, before.id, 50)
            earlier = [one.id for payer, payee, one in made[:place] if payer == alice or payee == "@alice"]
            assert [one.id for one in page] == earlier[::-1]


async def _rich(town: LedgerTown, wallet: Wallet) -> Wallet:
    await town.give(wallet, "1.00 EUR")
    return wallet

"""Many payments of one payer go by whole columns, and of many payers step by step: two ways, and one answer."""

import asyncio
import random
from collections.abc import Sequence

import pytest

from gateway.errors import InsufficientFunds
from gateway.ledger import account
from gateway.money import Assets
from gateway.payments import ledger_rail
from gateway.payments.lean import Elsewhere
from gateway.payments.ledger_rail import LedgerPayment, Outcome, Settled
from gateway.postgres import Database
from tests.factory import NOW
from tests.payments.test_alone import Street, plain, undone, written

pytestmark = pytest.mark.anyio

HANDLES = ("ann", "bea", "cyd", "dee", "eve")


@pytest.fixture
async def street(database: Database, assets: Assets) -> Street:
    street = Street(database, assets)
    await street.arrive(*HANDLES, money="500.00 EUR")
    return street


async def both_ways(street: Street, asked: Sequence[LedgerPayment]) -> list[Outcome]:
    """Ask by columns and, from the same book, step by step; assert that all of it is the same; keep the first."""
    async with street.database.reading() as connection:
        async with undone(connection):
            together = await ledger_rail.pay_together(connection, street.terms, asked, street.now)
            left_by_steps = await written(connection)
        by_columns = await ledger_rail.pay_columns(connection, asked, street.now)
        assert by_columns is not None
        assert [plain(one) for one in by_columns] == [plain(one) for one in together]
        assert await written(connection) == left_by_steps
    return list(by_columns)


async def test_by_columns_or_by_steps_the_answers_and_all_that_is_written_are_the_same(street: Street) -> None:
    draw = random.Random(11)
    seen = set()
    for call in range(12):
        payer, keys = draw.randrange(5), draw.sample(range(120), 30)
        payees = draw.choices([*HANDLES, *HANDLES, *HANDLES, "nobody"], k=30)
        asked = [
            street.asked(payer, payee, f"key {key}", f"0.{draw.randrange(1, 60):02} EUR")
            for payee, key in zip(payees, keys, strict=True)
        ]
        if call == 6:  # something is set aside
            await street.pay(street.people[payer].wallet, f"@{HANDLES[payer - 1]}", "1.00 EUR", capture=False)
        seen |= {type(one) for one in await both_ways(street, asked)}
    assert seen == {Settled, Elsewhere}
    assert await street.wrong() == []


async def test_a_payer_who_has_not_enough_for_all_pays_nothing_by_columns_and_what_it_can_by_steps(
    street: Street,
) -> None:
    amounts = ("400.00 EUR", "200.00 EUR", "100.00 EUR")
    asked = [street.asked(0, "bea", f"key {n}", amount) for n, amount in enumerate(amounts)]
    async with street.database.reading() as connection:
        before = await written(connection)
        assert await ledger_rail.pay_columns(connection, asked, NOW) is None
        assert await written(connection) == before

    first, second, third = await ledger_rail.pay_many(street.database, street.terms, asked, NOW)
    assert isinstance(first, Settled)
    assert isinstance(third, Settled)
    assert isinstance(second, InsufficientFunds)
    assert second.account == account.wallet("ann", street.assets["EUR"])
    assert await street.available(street.people[0].wallet, "EUR") == "0.00 EUR"
    assert await street.wrong() == []


async def test_what_a_payer_pays_twenty_times_at_once_is_paid_once_and_no_ring_of_waiting_comes_of_it(
    street: Street,
) -> None:
    calls = [
        [street.asked(payer, HANDLES[(payer + n % 4 + 1) % 5], f"key {n}", "0.01 EUR") for n in range(40)]
        for payer in (0, 1, 2, 3, 4) * 4
    ]
    outcomes = await asyncio.gather(
        *(ledger_rail.pay_many(street.database, street.terms, call, NOW) for call in calls),
    )
    assert sum(isinstance(one, Settled) for call in outcomes for one in call) == 5 * 40
    assert {await street.available(person.wallet, "EUR") for person in street.people} == {"500.00 EUR"}
    assert await street.wrong() == []

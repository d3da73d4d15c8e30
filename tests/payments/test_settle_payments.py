"""Payments of plain API keys on the ledger rail: alone or together, the answer is the same."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from gateway.errors import Unauthenticated
from gateway.identity import wallet as wallets
from gateway.identity.wallet import Wallet
from gateway.ids import TransferId, new_id
from gateway.ledger import account, ledger
from gateway.ledger.errors import InsufficientFunds
from gateway.ledger.transfer import Leg, Transfer
from gateway.money import Assets
from gateway.payments.model.plain import Undecided
from gateway.payments.rails import ledger as ledger_rail
from gateway.payments.rails.ledger import LedgerPayment, Outcome, Settled
from gateway.postgres.pool import Connection, Database
from gateway.secret import hash_of
from tests.databases import until_waiting
from tests.factory import NOW
from tests.payments.test_ledger_rail import LedgerTown

pytestmark = pytest.mark.anyio

#: Everything that a payment writes, but for what is made anew each time: ids, times, and numbers of events.
WRITTEN = {
    "payment": """SELECT state, rail, payer, payee, asset, amount, fee, captured, refunded, memo, refund_of
        FROM payment ORDER BY payer, payee, amount, memo""",
    "entry": "SELECT account_id, number, side, amount, balance, purpose FROM entry ORDER BY account_id, number",
    "account": """SELECT code, debits_posted, credits_posted, debits_pending, credits_pending, shortfall, entries
        FROM account ORDER BY id""",
    "key": "SELECT idempotency_hash, fingerprint, amount FROM ledger_payment WHERE leg = 1 ORDER BY idempotency_hash",
    "other key": "SELECT * FROM idempotency_key",
    "event": "SELECT kind, wallet_id, other_id, payload FROM event ORDER BY id",
}


@dataclass
class Person:
    wallet: Wallet
    api_key: str


class Street(LedgerTown):
    """A town whose people are known by number, and pay by their API keys."""

    async def arrive(self, *handles: str, money: str = "10.00 EUR") -> None:
        self.people: list[Person] = []
        for handle in handles:
            async with self.database.transaction() as connection:
                self.people.append(Person(*await wallets.claim(connection, self.vault, handle, NOW)))
            await self.give(self.people[-1].wallet, money)

    def asked(self, payer: int, payee: str, key: str, text: str = "1.00 EUR", api_key: str = "") -> LedgerPayment:
        api_key = api_key or self.people[payer].api_key
        return LedgerPayment(hash_of(api_key), key, b"f" * 32, payee, self.money(text), "tea")


@pytest.fixture
async def street(database: Database, assets: Assets) -> Street:
    street = Street(database, assets)
    await street.arrive("ann", "bea", "cyd")
    return street


@asynccontextmanager
async def undone(connection: Connection) -> AsyncIterator[None]:
    """As if it had not been."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    finally:
        await transaction.rollback()


async def written(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    return {name: [dict(row) for row in await connection.fetch(read)] for name, read in WRITTEN.items()}


def plain(outcome: Outcome) -> object:
    """An outcome as something that equals another of its kind."""
    if isinstance(outcome, InsufficientFunds):
        return "short", outcome.account, outcome.asked, outcome.available
    return (outcome.asked, outcome.payer_handle, outcome.fee) if isinstance(outcome, Settled) else type(outcome)


async def both_ways(street: Street, asked: Sequence[LedgerPayment]) -> list[Outcome]:
    """Ask one after the other and, from the same ledger, together; assert that all is the same; keep the latter."""
    async with street.database.reading() as connection:
        async with undone(connection):
            one_by_one = [
                (await ledger_rail.pay_in(connection, street.settings, [one], street.now))[0] for one in asked
            ]
            left_by_each = await written(connection)
        together = await ledger_rail.pay_in(connection, street.settings, asked, street.now)
        assert [plain(one) for one in together] == [plain(one) for one in one_by_one]
        assert await written(connection) == left_by_each
    return together


@pytest.mark.parametrize("basis_points", [0, 150])
async def test_together_or_one_by_one_the_answers_and_all_that_is_written_are_the_same(
    street: Street, basis_points: int
) -> None:
    draw = random.Random(7)
    handles = ["ann", "bea", "cyd"]
    seen = set()
    street.charge(basis_points)
    async with street.database.transaction() as connection:
        await ledger.accounts(connection, [("fees:EUR", street.assets["EUR"])])
    for step in range(40):
        if step % 5 == 4:  # something is set aside
            payer = draw.randrange(3)
            await street.give(street.people[payer].wallet, "3.00 EUR")
            await street.pay(street.people[payer].wallet, f"@{handles[payer - 1]}", "1.00 EUR", capture=False)
        keys = draw.sample(range(400), draw.randrange(1, 12))
        asked = [
            street.asked(
                draw.randrange(3),
                draw.choice([*handles, *handles, "nobody"]),
                key=f"key {key}",
                text=f"{draw.choice((0, 1, 3, 9))}.0{draw.randrange(1, 10)} EUR",
                api_key="gw_of_nobody" if draw.random() < 0.05 else "",
            )
            for key in keys
        ]
        seen |= {type(one) for one in await both_ways(street, asked)}

    assert seen == {Settled, InsufficientFunds, Unauthenticated, Undecided}
    assert await street.wrong() == []


async def test_many_of_one_payer_are_answered_as_one_by_one(street: Street) -> None:
    draw = random.Random(11)
    await street.give(street.people[0].wallet, "500.00 EUR")
    for call in range(6):
        asked = [
            street.asked(0, draw.choice(("bea", "cyd", "nobody")), f"{call} {n}", f"0.{draw.randrange(1, 60):02} EUR")
            for n in range(80)
        ]
        assert {type(one) for one in await both_ways(street, asked)} == {Settled, Undecided}
    assert await street.wrong() == []


async def test_who_gets_money_in_a_group_spends_it_later_in_the_group(street: Street) -> None:
    """A payer who is short at first, and not any more once somebody has paid it; and the other way round."""
    gets_first = [street.asked(1, "ann", "gets", "10.00 EUR"), street.asked(0, "cyd", "spends", "20.00 EUR")]
    spends_first = [street.asked(1, "ann", "too early", "20.00 EUR"), street.asked(2, "bea", "too late", "30.00 EUR")]
    assert [type(one) for one in await both_ways(street, gets_first)] == [Settled, Settled]
    assert [type(one) for one in await both_ways(street, spends_first)] == [InsufficientFunds, Settled]
    assert await street.wrong() == []


async def test_a_payer_who_has_not_enough_for_all_pays_what_it_can_in_order(street: Street) -> None:
    amounts = ("8.00 EUR", "4.00 EUR", "2.00 EUR")
    asked = [street.asked(0, "bea", f"key {n}", amount) for n, amount in enumerate(amounts)]
    first, second, third = await both_ways(street, asked)
    assert isinstance(first, Settled)
    assert isinstance(third, Settled)
    assert isinstance(second, InsufficientFunds)
    assert (second.account, str(second.available)) == (account.wallet("ann", street.assets["EUR"]), "2.00 EUR")
    assert await street.available(street.people[0].wallet, "EUR") == "0.00 EUR"


@pytest.mark.parametrize("beside", [0, 1])
async def test_what_was_short_may_be_asked_again_with_its_key(street: Street, beside: int) -> None:
    group = [street.asked(1, "cyd", "beside", "0.01 EUR")] * beside + [street.asked(0, "bea", "key", "11.00 EUR")]
    assert isinstance((await ledger_rail.pay_all(street.database, street.settings, group, NOW))[-1], InsufficientFunds)

    await street.give(street.people[0].wallet, "10.00 EUR")
    again = street.asked(0, "bea", "key", "11.00 EUR")
    assert isinstance((await ledger_rail.pay_all(street.database, street.settings, [again], NOW))[0], Settled)
    assert await street.available(street.people[0].wallet, "EUR") == "9.00 EUR"


async def test_an_account_that_unconditional_postings_left_short_is_short_and_is_filled_up(street: Street) -> None:
    eur = street.assets["EUR"]
    await street.pay(street.people[0].wallet, "@bea", "8.00 EUR", capture=False)
    async with street.database.transaction() as connection:
        codes = [account.wallet("ann", eur), account.system_account("liquidity", eur)]
        ids = await ledger.accounts(connection, [(code, eur) for code in codes])
        id = new_id(NOW)
        taken = Transfer(
            TransferId(id), "observation", id, (Leg(ids[codes[0]], ids[codes[1]], 5_00),), unconditional=True
        )
        ledger.all_done(await ledger.post(connection, [taken], NOW))

    (short,) = await both_ways(street, [street.asked(0, "bea", "short", "0.01 EUR")])
    assert isinstance(short, InsufficientFunds)
    assert str(short.available) == "-3.00 EUR"

    filled = [street.asked(1, "ann", "some", "2.00 EUR"), street.asked(2, "ann", "rest", "2.00 EUR")]
    assert [type(one) for one in await both_ways(street, filled)] == [Settled, Settled]
    assert [type(one) for one in await both_ways(street, [street.asked(0, "cyd", "spent", "1.00 EUR")])] == [Settled]
    assert await street.wrong() == []


async def test_the_clock_going_back_leaves_statements_in_order(street: Street) -> None:
    for step, seconds in enumerate((5, -9, 3)):
        street.now = street.now.fromtimestamp(street.now.timestamp() + seconds, street.now.tzinfo)
        asked = [
            street.asked(step, ("bea", "cyd", "ann")[step], "now"),
            street.asked((step + 1) % 3, ("bea", "cyd", "ann")[step - 1], "then"),
        ]
        async with street.database.reading() as connection:
            outcomes = await ledger_rail.pay_in(connection, street.settings, asked, street.now)
        assert [type(one) for one in outcomes] == [Settled, Settled]
    assert await street.wrong() == []


async def test_money_that_another_takes_meanwhile_makes_the_group_be_decided_in_order(street: Street) -> None:
    """The group sees ten euros and waits for who is spending seven: what it gets later in the group comes too late."""
    async with street.database.transaction() as other:
        await ledger_rail.pay_in(other, street.settings, [street.asked(0, "cyd", "first", "7.00 EUR")], NOW)
        group = [
            street.asked(0, "bea", "much", "6.00 EUR"),
            street.asked(0, "bea", "little", "3.00 EUR"),
            street.asked(2, "ann", "later", "9.00 EUR"),
        ]
        waiting = asyncio.create_task(ledger_rail.pay_all(street.database, street.settings, group, NOW))
        async with street.database.reading() as connection:
            await until_waiting(connection, 1)
    much, little, later = await waiting

    assert isinstance(much, InsufficientFunds)
    assert str(much.available) == "3.00 EUR"
    assert (type(little), type(later)) == (Settled, Settled)
    assert await street.available(street.people[0].wallet, "EUR") == "9.00 EUR"
    assert await street.wrong() == []


async def test_sixty_at_once_to_and_fro_wait_for_each_other_in_no_ring(street: Street) -> None:
    """Each alone, on a connection of its own, as from so many gateways; in groups beside them too."""
    lone = [street.asked(n % 3, ("bea", "cyd", "ann", "cyd", "ann", "bea")[n % 6], f"lone {n}") for n in range(48)]
    groups = [[street.asked(n, ("cyd", "ann", "bea")[n], f"group {g}") for n in range(3)] for g in range(4)]

    outcomes = await asyncio.gather(
        *(ledger_rail.pay_all(street.database, street.settings, group, NOW) for group in ([one] for one in lone)),
        *(ledger_rail.pay_all(street.database, street.settings, group, NOW) for group in groups),
    )

    assert {type(one) for group in outcomes for one in group} <= {Settled, InsufficientFunds}
    assert await street.wrong() == []


async def test_twenty_with_one_key_at_once_pay_once(street: Street) -> None:
    outcomes = await asyncio.gather(
        *(
            ledger_rail.pay_all(street.database, street.settings, [street.asked(0, "bea", "one key")], NOW)
            for _ in range(20)
        )
    )
    kinds = [type(one) for (one,) in outcomes]
    assert sorted(kind.__name__ for kind in kinds) == ["Settled"] + ["Undecided"] * 19
    assert await street.available(street.people[0].wallet, "EUR") == "9.00 EUR"


async def test_money_that_arrives_while_it_is_found_short_is_not_told_as_available(street: Street) -> None:
    """Twenty pay all that ann has while others give her more: who is refused is told of less than what was asked."""
    spent = [street.asked(0, "bea", f"spent {n}", "10.00 EUR") for n in range(20)]
    given = [street.asked(1 + n % 2, "ann", f"given {n}", "1.00 EUR") for n in range(16)]

    outcomes = await asyncio.gather(
        *(ledger_rail.pay_all(street.database, street.settings, [one], NOW) for one in (*spent, *given))
    )

    refused = [one for (one,) in outcomes if isinstance(one, InsufficientFunds)]
    assert refused
    assert all(one.available.units < one.asked.units for one in refused)
    assert await street.wrong() == []


async def test_calls_of_many_payers_at_once_with_the_same_keys_pay_once_and_wait_in_no_ring(street: Street) -> None:
    for person in street.people:
        await street.give(person.wallet, "90.00 EUR")
    calls = [
        [street.asked(payer, ("ann", "bea", "cyd")[payer - 1 - n % 2], f"key {n}", "0.01 EUR") for n in range(40)]
        for payer in (0, 1, 2) * 5
    ]
    outcomes = await asyncio.gather(
        *(ledger_rail.pay_all(street.database, street.settings, call, NOW) for call in calls)
    )
    assert sum(isinstance(one, Settled) for call in outcomes for one in call) == 3 * 40
    assert {await street.available(person.wallet, "EUR") for person in street.people} == {"100.00 EUR"}
    assert await street.wrong() == []

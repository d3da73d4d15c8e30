"""Payments by keys with caps in one statement: which find room, and which are left to the checks."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec import structs

from gateway.ids import PaymentId, new_id
from gateway.ledger import account, ledger
from gateway.payments.checks.spending import bucket_of
from gateway.payments.rails import ledger as ledger_rail
from gateway.payments.rails.ledger import HeldPayment, LedgerPayment
from tests.databases import until_waiting
from tests.factory import NOW
from tests.payments.street import Street, units


async def outcomes(street: Street, asked: Sequence[LedgerPayment]) -> list[str]:
    done = await ledger_rail.pay_all(street.database, street.settings, asked, street.now)
    return [type(one).__name__ for one in done]


async def held(street: Street, asked: Sequence[LedgerPayment]) -> list[str]:
    """The outcomes, if the money is only held."""
    fresh = [HeldPayment(*structs.astuple(one)[:6], PaymentId(new_id(street.now))) for one in asked]
    return [
        type(one).__name__ for one in await ledger_rail.hold_all(street.database, street.settings, fresh, street.now)
    ]


@pytest.mark.anyio
async def test_what_no_cap_covers_or_one_is_too_small_for_is_left_to_the_checks(street: Street) -> None:
    eur, jpy = street.assets["EUR"], street.assets["JPY"]
    await street.person("carol", "1.00 EUR")
    async with street.database.transaction() as connection:
        code = account.wallet(street.alice.handle, jpy)
        await ledger.accounts(connection, [(code, jpy), (account.wallet(street.bob.handle, jpy), jpy)])

    assert await outcomes(street, street.by_key(jpy.parse("5"))) == ["NeedsChecks"]
    assert await outcomes(street, street.by_key(eur.parse("25.01"))) == ["NeedsChecks"]
    # 30.00 a day are for bob, and 40.00 for all: of these two the second has no room.
    assert await outcomes(street, street.by_key(*map(eur.parse, ("20.00", "15.00")))) == ["NeedsChecks"] * 2
    assert await outcomes(street, street.by_key(*map(eur.parse, ("20.00", "10.00")))) == ["Settled"] * 2
    assert await outcomes(street, street.by_key(eur.parse("0.01"))) == ["NeedsChecks"]
    assert await outcomes(street, street.by_key(eur.parse("10.00"), to="carol")) == ["Settled"]
    assert await outcomes(street, street.by_key(eur.parse("0.01"), to="carol")) == ["NeedsChecks"]
    assert [await units(street, name) for name in ("cap", "cap of bob", "policy")] == [4000, 3000, 4000]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "change",
    [
        "UPDATE wallet SET frozen_at = now() WHERE id = $1",
        "UPDATE api_key SET approved = false WHERE wallet_id = $1",
        "UPDATE api_key SET scopes = '{read}' WHERE wallet_id = $1",
        "UPDATE api_key SET networks = '{10.0.0.0/8}' WHERE wallet_id = $1",
    ],
)
async def test_a_key_of_which_more_than_caps_is_to_be_checked_is_left_to_the_checks(
    street: Street, change: str
) -> None:
    async with street.database.transaction() as connection:
        await connection.execute(change, street.alice.id)

    assert await outcomes(street, street.by_key(street.money("1.00 EUR"))) == ["NeedsChecks"]


@pytest.mark.anyio
@pytest.mark.parametrize("hold", [False, True])
async def test_a_key_that_is_revoked_while_its_payment_waits_pays_nothing(street: Street, hold: bool) -> None:
    asked = street.by_key(street.money("1.00 EUR"))
    async with street.database.transaction() as connection:
        await connection.execute("UPDATE api_key SET revoked_at = now() WHERE id = $1", street.origin)
        paying = asyncio.create_task(held(street, asked) if hold else outcomes(street, asked))
        async with street.database.reading() as watching:
            await until_waiting(watching, 1, paying)

    assert await paying == ["NeedsChecks"]


@pytest.mark.anyio
async def test_holds_by_a_key_with_caps_use_its_day_and_are_left_to_the_checks_after_it(street: Street) -> None:
    money = street.money

    assert await held(street, street.by_key(money("20.00 EUR"), money("15.00 EUR"))) == ["NeedsChecks"] * 2
    assert await held(street, street.by_key(money("20.00 EUR"), money("10.00 EUR"))) == ["Held"] * 2
    assert await held(street, street.by_key(money("0.01 EUR"))) == ["NeedsChecks"]
    assert [await units(street, name) for name in ("cap", "cap of bob", "policy")] == [3000] * 3


@pytest.mark.anyio
async def test_fifty_groups_at_once_find_no_more_room_than_a_keys_day_has(street: Street) -> None:
    groups = [street.by_key(*[street.money("1.00 EUR")] * 2) for _ in range(50)]

    done = await asyncio.gather(*(outcomes(street, asked) for asked in groups))

    assert sorted(done) == [["NeedsChecks"] * 2] * 35 + [["Settled"] * 2] * 15
    assert await units(street, "cap of bob") == 3000


@pytest.mark.anyio
async def test_a_payment_that_is_short_takes_no_room(street: Street) -> None:
    await street.pay(street.alice, f"@{street.bob.handle}", "885.00 EUR")  # to be approved: only 15.00 are left

    asked = street.by_key(*(street.money(text) for text in ("10.00 EUR", "10.00 EUR", "5.00 EUR")))
    assert await outcomes(street, asked) == ["Settled", "InsufficientFunds", "Settled"]
    assert await units(street, "cap of bob") == 1500


@pytest.mark.parametrize("seconds", [0, 1, 599, 600, 601, 86399])
@pytest.mark.anyio
async def test_the_database_and_the_gateway_mean_the_same_buckets(street: Street, seconds: int) -> None:
    at = NOW + timedelta(seconds=seconds, microseconds=7)
    async with street.database.reading() as connection:
        assert await connection.fetchval("SELECT spending_bucket($1)", at) == bucket_of(at)

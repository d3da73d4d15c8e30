"""How often one may try: exact where it is counted, within a second where it is noted, the same for all processes."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from gateway.identity.errors import TooManyTries
from gateway.identity.rate_limits import Kind, Limits, Rate, Rates, place_of
from gateway.postgres.pool import Database

pytestmark = pytest.mark.anyio

NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RATES = Rates(sign_ups=Rate(5, timedelta(hours=1)), tries=Rate(10, MINUTE), requests=Rate(20, MINUTE))


@pytest.fixture
async def limits(database: Database) -> AsyncIterator[list[Limits]]:
    """Those of three processes. What they still tell when the test ends is waited for."""
    those = [Limits(RATES) for _ in range(3)]
    yield those
    for one in those:
        await told(one)


async def told(one: Limits) -> None:
    """It has told all that it was to tell."""
    if one._writing is not None:
        await one._writing


async def test_what_is_counted_is_done_as_often_as_may_be_by_all_processes_together(
    database: Database, limits: list[Limits]
) -> None:
    async def sign_up(one: Limits) -> bool:
        try:
            await one.count(database, "sign-ups", "192.0.2.1", NOW)
        except TooManyTries:
            return False
        return True

    done = await asyncio.gather(*(sign_up(one) for one in limits * 10))

    assert done.count(True) == RATES.sign_ups.maximum
    await limits[0].count(database, "sign-ups", "192.0.2.2", NOW)  # another address has its own


async def test_who_is_told_to_wait_is_told_for_how_long_and_may_go_on_then(
    database: Database, limits: list[Limits]
) -> None:
    one, *_ = limits
    for _ in range(RATES.sign_ups.maximum):
        await one.count(database, "sign-ups", "a", NOW)
    with pytest.raises(TooManyTries) as refused:
        await one.count(database, "sign-ups", "a", NOW + timedelta(minutes=59))

    assert (refused.value.kind, refused.value.seconds) == ("sign-ups", 61)
    for later in limits:
        await later.count(database, "sign-ups", "a", NOW + timedelta(hours=1))


async def test_whoever_has_done_too_much_costs_the_database_nothing_more(
    database: Database, limits: list[Limits]
) -> None:
    one, *_ = limits

    async def counted() -> int:
        async with database.reading() as connection:
            return int(await connection.fetchval("SELECT count FROM rate_limit_counter"))

    for _ in range(50):
        try:
            await one.count(database, "sign-ups", "a", NOW)
        except TooManyTries:
            continue
    assert await counted() == RATES.sign_ups.maximum + 1


async def test_what_is_noted_in_one_process_is_known_in_the_others_within_a_second(
    database: Database, limits: list[Limits]
) -> None:
    first, second, third = limits
    later = NOW + timedelta(seconds=1)
    for _ in range(8):
        first.note(database, "look-ups", "a", NOW)
        second.note(database, "look-ups", "a", NOW)
    third.note(database, "look-ups", "b", NOW)
    first.check("look-ups", "a", NOW)
    for one in limits:
        one.note(database, "look-ups", "a", later)
        await told(one)

    with pytest.raises(TooManyTries):
        third.check("look-ups", "a", later)
    third.check("look-ups", "b", later)
    third.check("look-ups", "a", later + MINUTE)


async def test_a_burst_within_the_second_is_seen_at_once(database: Database, limits: list[Limits]) -> None:
    one, *_ = limits
    for _ in range(RATES.requests.maximum + 1):
        one.note(database, "requests", "a", NOW)
    assert not one.is_over("requests", "a", NOW)
    await told(one)
    assert one.is_over("requests", "a", NOW)


async def test_of_many_who_do_little_nobody_is_told_and_nothing_is_kept_for_long(database: Database) -> None:
    one = Limits(Rates(requests=Rate(1000, MINUTE)))
    for n in range(500):
        for _ in range(9):
            one.note(database, "requests", f"quiet {n}", NOW)
    for _ in range(10):
        one.note(database, "requests", "loud", NOW)
    one.note(database, "requests", "loud", NOW + timedelta(seconds=1))
    await told(one)
    async with database.reading() as connection:
        rows = await connection.fetch("SELECT who, count FROM rate_limit_counter")
    assert [tuple(row) for row in rows] == [("loud", 11)]

    one.note(database, "requests", "later", NOW + MINUTE)
    assert dict(one._noted) == {("requests", "later"): 1}


async def test_processes_that_tell_of_the_same_people_at_once_do_not_wait_for_each_other_in_a_ring(
    database: Database, limits: list[Limits]
) -> None:
    people = [str(number) for number in range(200)]
    for one, order in zip(limits, (people, people[::-1], people[100:] + people[:100]), strict=True):
        for who in order:
            one.note(database, "look-ups", who, NOW)
        one.note(database, "look-ups", "0", NOW + timedelta(seconds=1))
    await asyncio.gather(*(told(one) for one in limits))

    async with database.reading() as connection:
        rows = await connection.fetch("SELECT who, count FROM rate_limit_counter")
    assert {row["who"]: row["count"] for row in rows} == {**dict.fromkeys(people, 3), "0": 6}


async def test_windows_that_are_over_are_forgotten(database: Database, limits: list[Limits]) -> None:
    one, *_ = limits
    await one.count(database, "sign-ups", "a", NOW)
    one.note(database, "look-ups", "b", NOW + timedelta(hours=2))
    one.note(database, "look-ups", "b", NOW + timedelta(hours=2, seconds=1))
    await told(one)
    async with database.reading() as connection:
        assert [row["who"] for row in await connection.fetch("SELECT who FROM rate_limit_counter")] == ["b"]


@pytest.mark.parametrize(
    ("kind", "who", "rate"),
    [
        *(("sign-ups", "a", RATES.sign_ups), ("requests", "a", RATES.requests), ("guesses", "a", RATES.tries)),
        ("sign-ins", "@alice", Rate(100, MINUTE)),
    ],
)
def test_a_handle_may_be_signed_in_to_more_often_than_one_address_may(kind: Kind, who: str, rate: Rate) -> None:
    assert RATES.of(kind, who) == rate


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/56"),
        ("2001:db8:1:ff::", "2001:db8:1::/56"),
        ("2001:db8:1:100::1", "2001:db8:1:100::/56"),
        (None, "nowhere"),
        ("a socket", "nowhere"),
    ],
)
def test_a_household_is_one_place(address: str | None, place: str) -> None:
    assert place_of(address) == place

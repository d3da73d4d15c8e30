"""What a wallet had at a past time, and its statement of a period; and which times are taken."""

from datetime import datetime, timedelta
from urllib.parse import quote

import pytest

from gateway.clock import rfc3339
from tests.api.conftest import Api, Person, opened

pytestmark = pytest.mark.anyio


@pytest.fixture
async def days(api: Api) -> tuple[Person, list[datetime]]:
    """Alice is paid 1.00, 2.00 and 3.00 EUR, a day between them, and holds 0.50 of it for Bob; the times after each."""
    alice, bob = await api.person("alice"), await api.person("bob")
    times = []
    for day in range(1, 4):
        await alice.receive(f"{day}.00 EUR")
        times.append(api.clock())
        api.clock.ahead += timedelta(days=1)
    await alice.pay(f"@{bob.handle}", "0.50 EUR", capture=False)
    return alice, times


def plus(at: datetime) -> str:
    """As it is written in a URL."""
    return quote(rfc3339(at))


async def test_balances_at_a_past_time_are_what_was_posted_by_then(days: tuple[Person, list[datetime]]) -> None:
    alice, times = days
    for at, posted in zip([times[0] - timedelta(days=1), *times], ["0.00", "1.00", "3.00", "6.00"], strict=True):
        wallet = (await alice.get(f"/v1/wallet?at={plus(at)}")).json()
        (eur,) = [one for one in wallet["balances"] if one["asset"] == "EUR"]
        assert (wallet["at"], eur["posted"]) == (rfc3339(at), posted)
        assert (eur["pending"], eur["available"], eur["final_block"]) == (None, None, None), "not known any more"

    now = (await alice.get("/v1/wallet")).json()
    assert now["at"] is None
    assert {one["asset"] for one in now["balances"]} == {one["asset"] for one in wallet["balances"]}
    assert await alice.balance("EUR") == ("6.00", "0.50", "5.50")


async def test_a_former_asset_is_there_at_the_times_when_the_wallet_had_some(api: Api) -> None:
    alice = await api.person("alice")
    before = api.clock()
    await alice.receive("1 JPY")
    then, api.clock.ahead = api.clock(), timedelta(days=1)
    assets = api.services.settings.assets
    async with opened(
        api.services.database, type(assets)([one for one in assets if one.code != "JPY"], assets)
    ) as closed:
        closed.clock.ahead = api.clock.ahead
        later = Person(closed, alice.handle, alice.api_key, alice.wallet_id, alice.address)

        listed = [
            [one["asset"] for one in (await later.get(f"/v1/wallet?at={plus(at)}")).json()["balances"]]
            for at in (before, then)
        ]

    assert ["JPY" in codes for codes in listed] == [False, True]


@pytest.mark.parametrize("limit", [1, 2, 200])
async def test_a_statement_of_a_period_has_its_entries_and_no_others(
    days: tuple[Person, list[datetime]], limit: int
) -> None:
    alice, times = days

    async def amounts(query: str) -> list[str]:
        found, cursor = list[str](), ""
        while cursor is not None:
            path = f"/v1/entries?asset=EUR&limit={limit}&{query}" + (f"&cursor={cursor}" if cursor else "")
            page = (await alice.get(path)).json()
            found += [entry["amount"] for entry in page["items"]]
            assert page["items"] or page["next_cursor"] is None
            cursor = page["next_cursor"]
        return found

    second = datetime.fromisoformat((await alice.get("/v1/entries?asset=EUR")).json()["items"][1]["posted_at"])
    assert await amounts("") == ["3.00", "2.00", "1.00"]
    assert await amounts(f"from={plus(times[0])}") == ["3.00", "2.00"]
    assert await amounts(f"until={plus(times[1])}") == ["2.00", "1.00"]
    assert await amounts(f"from={plus(times[0])}&until={plus(times[1])}") == ["2.00"]
    assert await amounts(f"from={plus(second)}&until={plus(second + timedelta(microseconds=1))}") == ["2.00"]
    assert await amounts(f"until={plus(second)}") == ["1.00"], "the end is not part of the period"
    assert await amounts(f"from={plus(times[2])}&until=9999-12-31T23:59:59Z") == []
    assert await amounts("until=0001-01-01T00:00:00Z") == []


async def test_a_time_is_the_same_moment_with_any_offset(days: tuple[Person, list[datetime]]) -> None:
    alice, times = days
    local = times[1] + timedelta(hours=5, minutes=30)
    for text in (local.strftime("%Y-%m-%dT%H:%M:%S.%f+05:30"), local.strftime("%Y-%m-%dt%H:%M:%S.%f+05:30")):
        wallet = (await alice.get(f"/v1/wallet?at={quote(text)}")).json()
        assert wallet["at"] == rfc3339(times[1])
        assert [one["posted"] for one in wallet["balances"] if one["asset"] == "EUR"] == ["3.00"]


async def test_a_time_long_past_has_a_year_of_four_digits_in_the_answer_too(alice: Person) -> None:
    wallet = await alice.get("/v1/wallet?at=0315-08-12T23:11:21%2B11:44")
    assert wallet.json()["at"] == "0315-08-12T11:27:21.000000Z"


@pytest.mark.parametrize(
    "text",
    [
        *("", "now", "2030-01-31", "2030-01-31T12:00:00", "2030-01-31 12:00:00Z", "1893456000", "2030-01-31T12:00Z"),
        *("2030-04-31T12:00:00Z", "2030-01-31T24:00:01Z", "2030-01-31T12:00:00 02:00", "2030-01-31T12:00:00%2B99:00"),
        *("2030-01-31T12:00:00.1234567Z", "0001-01-01T00:00:00%2B01:00", "9999-12-31T23:59:59-01:00"),
        *("2030-01-31T12:00:00z0", "٢٠٣٠-01-31T12:00:00Z", "2030-01-31T12:00:60Z"),
    ],
)
async def test_what_is_no_time_with_an_offset_is_refused_by_the_parameters_name(alice: Person, text: str) -> None:
    for name, path in {"at": "wallet", "from": "entries?asset=EUR", "until": "entries?asset=EUR"}.items():
        answer = await alice.get(f"/v1/{path}{'&' if '?' in path else '?'}{name}={text}")
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["kind"]) == (400, "invalid_request", "parameter")
        assert problem["detail"].startswith(f"the query parameter {name} cannot be ")


async def test_a_time_that_is_still_to_come_has_no_balances(alice: Person) -> None:
    soon = alice.api.clock() + timedelta(seconds=60)
    problem = (await alice.get(f"/v1/wallet?at={plus(soon)}")).json()
    assert (problem["code"], problem["kind"]) == ("invalid_request", "parameter")
    assert problem["detail"].startswith("the query parameter at cannot be ")
    assert "in the future" in problem["detail"]


async def test_a_period_that_ends_before_it_begins_is_refused(alice: Person) -> None:
    for until in ("2030-01-31T12:00:00Z", "2030-01-31T11:59:59Z", "2030-01-31T12:59:59%2B01:00"):
        path = f"/v1/entries?asset=EUR&from=2030-01-31T12:00:00Z&until={until}"
        assert (await alice.get(path)).json()["detail"].startswith("the query parameter until cannot be ")

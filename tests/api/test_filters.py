"""Filters of GET /v1/payments: whatever is combined, its pages have what a recount by hand finds, once and in order."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.payments.records import search
from tests.api.conftest import Api, MovableClock, Person

pytestmark = pytest.mark.anyio

ADDRESS = "0x" + "1a" * 20
HANDLES = ("filter_alice", "filter_bob", "filter_carol")


@pytest.fixture(scope="module")
async def people(shared: Api) -> list[Person]:
    """Three people who paid each other and an address, in all states that need no chain."""
    people = [await shared.person(handle, "500.00 EUR", "500.00 USD", "50 USDX") for handle in HANDLES]
    alice, bob, carol = people
    mandate = {"payee": f"@{bob.handle}", "asset": "EUR", "period": "20.00"}
    granted = (await alice.post("/v1/mandates", mandate)).json()["id"]
    for n in range(1, 5):
        shared.clock.ahead += timedelta(hours=1)
        await alice.pay(f"@{bob.handle}", f"{n}.00 EUR", memo="rent", reference="order-1")
        await bob.pay(f"@{carol.handle}", f"{n}.50 EUR", reference="order-1")
        await alice.pay(ADDRESS, f"{n} USDX", reference=f"order-{n}")
        await carol.pay(f"@{alice.handle}", f"{n} USDX", memo="rent")
        settled = (await bob.pay(f"@{alice.handle}", f"{n}.00 USD", metadata={"n": n})).json()["id"]
        await alice.post(f"/v1/payments/{settled}/refund", {"amount": "0.50", "reference": "order-1"})
        held = [(await alice.pay(f"@{to}", f"{n}.00 EUR", capture=False)).json()["id"] for to in HANDLES[1:]]
        await bob.post(f"/v1/payments/{held[0]}/{'void' if n % 2 else 'capture'}", {})
        await bob.post(f"/v1/mandates/{granted}/draws", {"amount": "0.25", "reference": "order-2"})
    return people


async def pages(person: Person, limit: int, query: dict[str, str]) -> list[dict[str, Any]]:
    """All pages of the list, in one."""
    seen, cursor = list[dict[str, Any]](), {}
    while True:
        answer = await person.get(f"/v1/payments?{urlencode({'limit': limit, **query, **cursor})}")
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["items"]) <= limit
        seen += page["items"]
        if page["next_cursor"] is None:
            return seen
        assert page["next_cursor"] != cursor.get("cursor")
        cursor = {"cursor": page["next_cursor"]}


def fits(person: Person, query: dict[str, str]) -> Callable[[dict[str, Any]], bool]:
    """The filters once more, over what is shown of a payment."""
    checks: dict[str, Callable[[dict[str, Any], str], bool]] = {
        "state": lambda one, text: one["state"] == text,
        "asset": lambda one, text: one["asset"] == text,
        "rail": lambda one, text: one["route"]["rail"] == text,
        "memo": lambda one, text: one["memo"] == text,
        "reference": lambda one, text: one["reference"] == text,
        "from": lambda one, text: one["from"].lower() == text.lower(),
        "to": lambda one, text: one["to"].lower() == text.lower(),
        "counterparty": lambda one, text: (
            text.lower() == (one["to"] if one["from"] == f"@{person.handle}" else one["from"]).lower()
        ),
        "created_from": lambda one, text: one["created_at"] >= text,
        "created_until": lambda one, text: one["created_at"] < text,
        "amount_min": lambda one, text: Decimal(one["amount"]) >= Decimal(text),
        "amount_max": lambda one, text: Decimal(one["amount"]) <= Decimal(text),
    }
    return lambda one: all(checks[name](one, text) for name, text in query.items())


PARTIES = st.sampled_from([f"@{handle}" for handle in HANDLES] + [ADDRESS, "@nobody_at_all"])
QUERIES = st.fixed_dictionaries(
    {},
    optional={
        "state": st.sampled_from(["settled", "held", "voided", "queued", "failed", "declined"]),
        "rail": st.sampled_from(["ledger", "chain"]),
        "memo": st.sampled_from(["rent", "Rent"]),
        "reference": st.sampled_from(["order-1", "order-2", "order-9"]),
        "from": PARTIES,
        "to": PARTIES,
        "counterparty": PARTIES,
    },
)
AMOUNTS = st.fixed_dictionaries(
    {"asset": st.sampled_from(["EUR", "USD", "USDX"])},
    optional={name: st.sampled_from(["0.5", "1", "2.00", "3.5"]) for name in ("amount_min", "amount_max")},
)
#: Which of the payments' times; a microsecond after it, or not.
TIMES = st.tuples(st.integers(0, 200), st.booleans())


@pytest.mark.timeout(240)
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(
    who=st.integers(0, 2),
    limit=st.integers(1, 6),
    walked=st.sampled_from([3, 7, 1000]),
    query=QUERIES,
    amounts=st.one_of(st.just({}), AMOUNTS),
    begins=st.none() | TIMES,
    ends=st.none() | TIMES,
)
async def test_any_filters_together_find_what_a_recount_finds(
    people: list[Person],
    monkeypatch: pytest.MonkeyPatch,
    who: int,
    limit: int,
    walked: int,
    query: dict[str, str],
    amounts: dict[str, str],
    begins: tuple[int, bool] | None,
    ends: tuple[int, bool] | None,
) -> None:
    monkeypatch.setattr(search, "WALKED_MAX", max(walked, limit))
    person = people[who]
    everything = await pages(person, 200, {})
    query = query | amounts
    for name, time in (("created_from", begins), ("created_until", ends)):
        if time is not None:
            at = datetime.fromisoformat(everything[time[0] % len(everything)]["created_at"])
            query[name] = (at + timedelta(microseconds=time[1])).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if "created_from" in query and query["created_from"] >= query.get("created_until", "9"):
        del query["created_from"]

    found = await pages(person, limit, query)

    assert found == list(filter(fits(person, query), everything))


@pytest.mark.parametrize("limit", [3, 6])
@pytest.mark.parametrize("side", ["from", "to", "counterparty"])
async def test_of_two_walks_the_page_goes_on_from_where_either_has_seen_all(
    people: list[Person], monkeypatch: pytest.MonkeyPatch, side: str, limit: int
) -> None:
    """One's own payments and those of the other side are walked, a few at a time: none is left out, or found twice."""
    monkeypatch.setattr(search, "WALKED_MAX", limit + 1)
    for person in people:
        everything = await pages(person, 200, {})
        for handle in HANDLES:
            query = {side: f"@{handle}"}
            assert await pages(person, limit, query) == list(filter(fits(person, query), everything))


@pytest.mark.parametrize(
    "query",
    [
        {"created_from": "2030-01-31"},
        {"created_until": "2030-01-31T12:00:00"},
        {"created_from": "2030-01-31T12:00:00Z", "created_until": "2030-01-31T12:00:00Z"},
        {"amount_min": "1.00"},
        {"amount_max": "much", "asset": "EUR"},
        {"amount_max": "-1.00", "asset": "EUR"},
        {"amount_min": "1.001", "asset": "EUR"},
        {"amount_min": "1" * 90, "asset": "EUR"},
        {"state": "paid"},
        {"rail": "bank"},
        {"from": "@x"},
        {"to": "0x12"},
        {"counterparty": ""},
        {"reference": "a\nb"},
    ],
)
async def test_a_value_that_is_none_is_refused_by_the_name_of_its_parameter(
    alice: Person, query: dict[str, str]
) -> None:
    answer = await alice.get(f"/v1/payments?{urlencode(query)}")
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (400, "invalid_request")
    assert any(name in problem["detail"] for name in query)


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59.999999Z"])
async def test_a_period_may_begin_and_end_at_any_time(two: tuple[Person, Person], time: str) -> None:
    alice, bob = two
    paid = (await alice.pay(f"@{bob.handle}", "1.00 EUR")).json()["id"]
    later, earlier = [
        [one["id"] for one in await pages(alice, 50, {name: time})] for name in ("created_from", "created_until")
    ]
    assert (later, earlier) == (([], [paid]) if time > "2" else ([paid], []))


async def test_what_few_payments_are_in_is_found_in_one_page_however_many_others_there_are(
    two: tuple[Person, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the state that few are in, by a reference, and by who has few: there is no empty page on the way."""
    alice, bob = two
    carol = await alice.api.person(f"c{bob.handle[:10]}")
    held = (await alice.pay(f"@{carol.handle}", "0.01 EUR", capture=False, reference="needle")).json()["id"]
    line = {"to": f"@{bob.handle}", "amount": "0.01", "asset": "EUR"}
    await alice.post("/v1/payments/batch", [line] * 20)
    monkeypatch.setattr(search, "WALKED_MAX", 5)

    for query in ("state=held", "reference=needle", f"counterparty=@{carol.handle}", f"to=@{carol.handle}&state=held"):
        page = (await alice.get(f"/v1/payments?{query}")).json()
        assert ([one["id"] for one in page["items"]], page["next_cursor"]) == ([held], None), query
    assert (await alice.get("/v1/payments?memo=needle")).json()["next_cursor"] is not None
    assert (await bob.get("/v1/payments?reference=needle")).json()["items"] == []


async def test_a_payment_is_created_at_the_time_that_its_id_begins_with(
    two: tuple[Person, Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it has waited for its commit: the list is searched by time by its ids."""
    alice, bob = two
    await alice.receive("5 USDX")
    for money in ("1.00 EUR", "1 USDX"):
        await alice.pay(f"@{bob.handle}", money)  # the accounts are open now, as the fast path wants them
    seconds = count()
    start = alice.api.clock() + timedelta(days=1)
    monkeypatch.setattr(MovableClock, "__call__", lambda _: start + timedelta(seconds=next(seconds)))
    for money in ("1.00 EUR", "1 USDX"):
        created = (await alice.pay(f"@{bob.handle}", money)).json()["created_at"]
        at = datetime.fromisoformat(created)
        query = {"created_from": created, "created_until": (at + timedelta(microseconds=1)).isoformat()}
        assert [one["created_at"] for one in await pages(alice, 50, query)] == [created]

"""GET /v1/events: each event shows its object as it was, in both directions, by type, object and time."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from gateway.api.events.catalogue import CATALOGUE
from gateway.clock import rfc3339
from tests.api.browser import browsing
from tests.api.conftest import Api, Person, code_of, opened
from tests.api.test_approvals import approve, waiting

pytestmark = pytest.mark.anyio


async def events(of: Any, query: str = "") -> list[Any]:
    limit = "" if "limit=" in query else "limit=200"
    answer = await of.get(f"/v1/events?{limit}{query}")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


@pytest.fixture
async def alice(api: Api) -> Person:
    return await api.person("alice", "100.00 EUR", "10 USDX")


@pytest.fixture
async def bob(api: Api) -> Person:
    return await api.person("bob")


async def test_an_event_has_the_payment_as_get_showed_it_at_that_moment(api: Api) -> None:
    """A payment that was approved, held and voided: three events, each with what it was then."""
    alice, key, _ = await browsing(api, "alice", "100.00 EUR")
    await api.person("bob")
    note = {"memo": "coffee", "reference": "order-17", "metadata": {"shop": "berlin"}}

    seen = [await waiting(alice, "@bob", "10.00 EUR", capture=False, **note)]
    seen.append((await approve(alice, key, seen[0])).json())
    await alice.post(f"/v1/payments/{seen[0]['id']}/void", {})
    seen.append((await alice.get(f"/v1/payments/{seen[0]['id']}")).json())

    told = await events(alice, f"&object={seen[0]['id']}")
    assert [one["type"] for one in told] == ["payment.requires_confirmation", "payment.held", "payment.voided"]
    assert [one["data"] for one in told] == [{"object": "payment", **one} for one in seen]
    assert [one["sequence"] for one in told] == [1, 2, 3]
    assert {one["api_version"] for one in told} == {"v1"}


async def test_a_payee_gets_the_same_event_without_the_payers_note_and_its_own_sequence(
    api: Api,
) -> None:
    alice, key, _ = await browsing(api, "alice", "100.00 EUR")
    bob = await api.person("bob")
    asked = await waiting(alice, "@bob", "10.00 EUR", reference="order-17", capture=False)
    await approve(alice, key, asked)
    captured = await bob.post(f"/v1/payments/{asked['id']}/capture", {"amount": "4.00"})

    told = await events(bob, "&type=payment.*")
    assert [(one["type"], one["sequence"], one["data"]["captured"]) for one in told] == [
        ("payment.held", 1, "0.00"),
        ("payment.settled", 2, "4.00"),
    ]
    assert told[1]["data"] == {"object": "payment", **captured.json()}
    assert [one["data"]["reference"] for one in told] == [None, None]
    payers = await events(alice, f"&object={asked['id']}")
    assert [(one["sequence"], one["data"]["reference"]) for one in payers] == [(n, "order-17") for n in (1, 2, 3)]
    assert payers[1]["id"] == told[0]["id"]


async def test_a_settled_payment_is_told_as_it_was_whatever_was_refunded_since(alice: Person, bob: Person) -> None:
    paid = (await alice.pay("@bob", "3.00 EUR", memo="lunch")).json()
    refund = (await bob.post(f"/v1/payments/{paid['id']}/refund", {"amount": "1.00"})).json()

    told = await events(alice, "&type=payment.settled")
    assert [one["data"] for one in told] == [{"object": "payment", **paid}, {"object": "payment", **refund}]
    assert (told[1]["data"]["refund_of"], told[0]["data"]["refunded"]) == (paid["id"], "0.00")


async def test_events_are_read_in_both_directions_and_between_two(alice: Person, bob: Person) -> None:
    for _ in range(5):
        await alice.pay("@bob", "1.00 EUR")
        await bob.pay("@alice", "0.10 EUR", capture=False)
    everything = await events(alice)
    ids = [one["id"] for one in everything]

    assert await events(alice, "&order=newest_first") == everything[::-1]
    assert [one["id"] for one in await events(alice, f"&after={ids[2]}&before={ids[6]}")] == ids[3:6]
    backwards = f"&after={ids[2]}&before={ids[6]}&order=newest_first"
    assert [one["id"] for one in await events(alice, backwards)] == ids[3:6][::-1]
    seen: list[str] = []
    rest = ""
    while True:
        page = (await alice.get(f"/v1/events?limit=3&order=newest_first{rest}")).json()
        seen += [one["id"] for one in page["items"]]
        rest = f"&before={page['next_cursor']}"
        if not page["has_more"]:
            break
    assert seen == ids[::-1]


async def test_events_of_a_type_an_object_and_a_time_are_found(api: Api, alice: Person, bob: Person) -> None:
    begin = api.services.clock()
    held = (await alice.pay("@bob", "1.00 EUR", capture=False)).json()
    api.clock.ahead += timedelta(hours=1)
    between = api.services.clock()
    await alice.post(f"/v1/payments/{held['id']}/void", {})
    paid = (await alice.pay("@bob", "2.00 EUR")).json()
    api.clock.ahead += timedelta(hours=1)
    await alice.pay("@bob", "3.00 EUR")

    async def types(query: str) -> list[str]:
        return [one["type"] for one in await events(alice, query)]

    assert await types("&type=payment.voided") == ["payment.voided"]
    assert await types("&type=payment.*&order=newest_first&limit=2") == ["payment.settled"] * 2
    assert await types(f"&object={held['id']}") == ["payment.held", "payment.voided"]
    assert await types(f"&object={held['id']}&type=payment.held") == ["payment.held"]
    assert await types(f"&object={held['id']}&order=newest_first") == ["payment.voided", "payment.held"]
    assert await types(f"&object={paid['id']}") == ["payment.settled"]
    assert await types(f"&from={rfc3339(between)}") == ["payment.voided", "payment.settled", "payment.settled"]
    hour = f"&from={rfc3339(between)}&until={rfc3339(between + timedelta(minutes=30))}"
    assert await types(hour) == ["payment.voided", "payment.settled"]
    assert await types(f"&from={rfc3339(begin)}&until={rfc3339(between)}&type=payment.*") == ["payment.held"]


async def test_a_page_that_finds_nothing_says_where_to_read_on(
    alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.events.log.WALKED_MAX", 4)
    for _ in range(9):
        await alice.pay("@bob", "0.01 EUR")
    last = (await alice.pay("@bob", "0.01 EUR", capture=False)).json()

    found, rest, pages = [], "", 0
    while True:
        page = (await alice.get(f"/v1/events?type=payment.held{rest}")).json()
        found += [one["data"]["id"] for one in page["items"]]
        rest, pages = f"&after={page['next_cursor']}", pages + 1
        if not page["has_more"]:
            break

    assert found == [last["id"]]
    assert pages > 2


async def test_a_cursor_past_the_end_is_an_error(alice: Person, bob: Person) -> None:
    """Such as of a program that has seen what a gateway that was restored from a backup has not."""
    last = (await events(alice))[-1]["id"]
    ahead = last[:-1] + ("9" if last[-1] < "9" else "z")

    for query in (f"after={ahead}", f"after={ahead}&order=newest_first"):
        refused = await alice.get(f"/v1/events?{query}")
        assert (code_of(refused), refused.json()["kind"]) == ((400, "invalid_request"), "after")
        assert "the log does not reach this event" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("after=17", "the query parameter after cannot be '17': it should be the id of an event (evt_…)"),
        ("before=evt_01h455vb4pex5vsknk084sn02q", "it should be the id of an event (evt_…)"),
        ("type=payment.settle", "is not an event type; did you mean payment.settled"),
        ("type=nothing.*", "is not an event type"),
        ("object=pay_1", "it should be the id of an object, such as a payment's (pay_…)"),
        ("object=", "it should be the id of an object, such as a payment's"),
        ("order=up", "it should be"),
        ("from=yesterday", "it should be a date, a time and an offset"),
    ],
)
async def test_what_is_no_event_no_type_and_no_object_is_told_in_words(alice: Person, query: str, detail: str) -> None:
    refused = await alice.get(f"/v1/events?{query}")
    assert code_of(refused) == (400, "invalid_request")
    assert detail in refused.json()["detail"]


async def test_events_made_at_the_same_time_are_each_read_once(alice: Person, bob: Person) -> None:
    await asyncio.gather(*(alice.pay("@bob", "0.01 EUR") for _ in range(50)))
    told = await events(bob, "&type=payment.settled")
    assert len({one["id"] for one in told}) == len(told) == 50
    assert len({one["data"]["id"] for one in told}) == 50


def test_a_type_is_an_object_and_a_verb_and_says_when_it_is_made() -> None:
    for name, (_, said) in CATALOGUE.items():
        assert name.count(".") == 1
        assert said.endswith(".")


async def test_an_event_has_the_fee_and_the_route_of_its_moment(api: Api) -> None:
    async with opened(api.services.database, api.services.settings.assets, fee_basis_points=100) as costly:
        alice, bob = await costly.person("alice", "100.00 EUR"), await costly.person("bob")
        held = (await alice.pay("@bob", "10.00 EUR", capture=False)).json()
        captured = (await bob.post(f"/v1/payments/{held['id']}/capture", {"amount": "1.00"})).json()

        told = await events(alice, f"&object={held['id']}")
        assert [(one["data"]["fee"], one["data"]["route"]["fee"]) for one in told] == [
            ("0.10", "0.10"),
            ("0.01", "0.01"),
        ]
        assert [one["data"] for one in told] == [{"object": "payment", **one} for one in (held, captured)]

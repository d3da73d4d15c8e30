"""Streams that miss nothing, and waiting for a payment by them."""

import asyncio
import json

import msgspec
import pytest

from gateway.api.events import stream as served
from gateway.client import AsyncClient, Client, NoAnswer, ProblemError, Retry, StillPending, UnknownEvent
from gateway.client.resources import events as client_events
from gateway.client.resources.events import read_event
from gateway.events import hub
from tests.api.conftest import Api, Person
from tests.api.test_stream import Gateway, until
from tests.client.conftest import between, either_client

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

Kind = type[Client] | type[AsyncClient]

#: Repetitions for the tenth of a second.
FOR_A_MOMENT = Retry(seconds=0.1, first_seconds=0.005, longest_seconds=0.01)

#: A place in no log.
PLACE = "evt_01m8p4zk5xg00800000000000j"


async def joined(gateway: Gateway) -> None:
    await until(gateway, lambda: sum(map(len, gateway.hub._joined.values())) >= 1)


async def listed(of: Person, after: str) -> list[str]:
    return [one["id"] for one in (await of.get(f"/v1/events?limit=200&after={after}")).json()["items"]]


async def test_a_stream_goes_on_over_broken_connections_and_misses_none(
    kind: Kind, gateway: Gateway, alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them is silent, as a connection that somebody in between has forgotten."""
    monkeypatch.setattr(client_events, "SILENCE_SECONDS", 0.5)
    start = (await bob.get("/v1/events?order=newest_first&limit=1")).json()["items"][0]["id"]
    fates = ["drop", "cut", "cut", "lose", "cut"]
    async with between(gateway, fates) as (way, url), either_client(kind, url, bob.api_key) as face:
        stream, seen = face.client.events.stream(after=start, of_type="payment.settled"), []
        for _ in range(8):
            paying = asyncio.gather(*(alice.pay("@bob", "0.01 EUR") for _ in range(5)))
            seen += [(await face.next(stream)).id for _ in range(5)]
            await paying
        await face.close(stream)
        assert len(way.heads) > len(fates)
    assert seen == await listed(bob, start)


async def test_a_stream_from_now_on_begins_before_its_first_connection(
    kind: Kind, gateway: Gateway, alice: Person, bob: Person
) -> None:
    """What happens between the call and a connection that holds is told."""
    async with between(gateway) as (way, url), either_client(kind, url, bob.api_key) as face:
        way.shut = "/v1/events/stream"
        stream = face.client.events.stream()
        first = asyncio.create_task(face.next(stream))
        await until(gateway, lambda: any(f" {way.shut} " in head for head in way.heads))
        paid = (await alice.pay("@bob", "1.00 EUR")).json()
        way.shut = ""
        await joined(gateway)
        await alice.pay("@bob", "2.00 EUR")  # what a stream without that place would begin with
        event = await first
        await face.close(stream)
    assert (event.type, event.data.id) == ("payment.settled", paid["id"])


async def test_words_of_others_break_no_line(kind: Kind, gateway: Gateway, alice: Person, bob: Person) -> None:
    """U+0085, U+2028 and U+2029 are line breaks in Unicode, and in JSON they stand as they are."""
    memo = "a\u2028b\u2029c\u0085d\ndata: e\x1cf"
    async with either_client(kind, gateway.url, bob.api_key) as face:
        stream = face.client.events.stream()
        first = asyncio.create_task(face.next(stream))
        await joined(gateway)
        await alice.pay("@bob", "1.00 EUR", memo=memo)
        assert (await first).data.memo == memo
        await face.close(stream)


async def test_a_stream_that_is_refused_says_so_at_once(kind: Kind, gateway: Gateway, bob: Person) -> None:
    """Its client would repeat what may be answered otherwise for a while."""
    refusals = (("x", bob.api_key, "invalid_request"), (PLACE, "none", "unauthenticated"))
    for after, key, code in refusals:
        async with between(gateway) as (way, url), either_client(kind, url, key, FOR_A_MOMENT) as face:
            with pytest.raises(ProblemError, match=code):
                await face.next(face.client.events.stream(after=after))
            assert len(way.heads) == 1


async def test_a_stream_whose_gateway_stays_away_ends(kind: Kind) -> None:
    """A client that does not give up asks for its key more often than there is time for."""
    keys = iter(["key"] * 200)
    async with either_client(kind, "http://127.0.0.1:1", lambda: next(keys), FOR_A_MOMENT) as face:
        with pytest.raises(NoAnswer, match="no connection"):
            await face.next(face.client.events.stream(after=PLACE))
    assert len([*keys]) < 199, "it was tried again"


async def test_a_payment_is_waited_for_until_it_has_ended(
    kind: Kind, gateway: Gateway, alice: Person, bob: Person
) -> None:
    held = (await alice.pay("@bob", "1.00 EUR", capture=False)).json()["id"]
    async with either_client(kind, gateway.url, alice.api_key) as face:
        waiting = asyncio.create_task(face.call(face.client.payments.wait, held, timeout=100))
        await joined(gateway)
        await alice.pay("@bob", "1.00 EUR")  # another's event ends nothing
        await bob.post(f"/v1/payments/{held}/capture", {})
        settled = await waiting
        assert (settled.id, settled.state) == (held, "settled")
        assert await face.call(face.client.payments.wait, held) == settled


async def test_what_has_not_ended_in_time_is_told_as_it_is(
    kind: Kind, gateway: Gateway, alice: Person, bob: Person
) -> None:
    held = (await alice.pay("@bob", "1.00 EUR", capture=False)).json()["id"]
    async with either_client(kind, gateway.url, alice.api_key) as face:
        with pytest.raises(StillPending, match=f"{held} is still held after 0.2 seconds") as pending:
            await face.call(face.client.payments.wait, held, timeout=0.2)
    assert pending.value.payment.state == "held"


async def test_waiting_goes_on_over_lost_connections_and_without_a_stream(
    kind: Kind, gateway: Gateway, alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wallet may have no stream more: then the payment is asked for again and again."""
    monkeypatch.setattr(hub, "OF_A_WALLET_MAX", 0)
    held = (await alice.pay("@bob", "1.00 EUR", capture=False)).json()["id"]
    fates = ["pass", "drop", "lose", "pass", "drop"]
    async with between(gateway, fates) as (way, url), either_client(kind, url, alice.api_key) as face:
        waiting = asyncio.create_task(face.call(face.client.payments.wait, held, timeout=100))
        await until(gateway, lambda: len(way.heads) > len(fates))
        await bob.post(f"/v1/payments/{held}/void", {})
        assert (await waiting).state == "voided"


async def test_every_event_that_the_gateway_makes_is_read_as_it_is_shown(
    gateway: Gateway, api: Api, alice: Person, bob: Person
) -> None:
    await alice.post("/v1/keys", {"name": "till", "scopes": ["read"]})
    await alice.pay("@bob", "1.00 EUR")
    shown = (await alice.get("/v1/events")).json()["items"]
    for one in shown:
        event = read_event(json.dumps(one).encode())
        assert not isinstance(event, UnknownEvent)
        assert json.loads(msgspec.json.encode(event)) == one


def test_an_event_of_a_later_version_is_read_as_it_comes() -> None:
    known = {"id": "evt_1", "created_at": "t", "api_version": "v1", "wallet_id": "wal_1", "sequence": 1}
    order = known | {"type": "order.shipped", "data": {"object": "order", "id": "ord_1"}, "more": 1}
    cut = known | {"type": "payment.settled", "data": {"object": "payment", "id": "pay_1"}}
    for one in (order, cut):
        event = read_event(json.dumps(one).encode())
        assert isinstance(event, UnknownEvent)
        assert (event.type, event.data) == (one["type"], one["data"])


def test_a_connection_that_is_silent_is_given_up_after_three_comments_have_not_come() -> None:
    assert client_events.SILENCE_SECONDS == 3 * served.HEARTBEAT_SECONDS

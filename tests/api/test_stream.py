"""GET /v1/events/stream over a socket: events as they happen, and none missed over a reconnection."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from gateway.api import server
from gateway.api.events import stream
from gateway.api.server import Server
from gateway.cli.processes.ports import free_port
from gateway.events import hub
from gateway.events.hub import Hub
from gateway.identity.api_key import authenticate_all
from gateway.secret import hash_of
from tests.api.conftest import Api, Person
from tests.applications import application
from tests.processes import HANG_SECONDS

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


#: How long an event may take to come.
_NEXT_SECONDS = 20


@dataclass
class Gateway:
    """A gateway that listens on a port."""

    url: str
    hub: Hub
    stop: Any


@asynccontextmanager
async def listening(api: Api) -> AsyncIterator[Gateway]:
    port = free_port("127.0.0.1")
    app = application(api.services)
    serving_one = Server(app, "127.0.0.1", port, api.services.stopping, stop_seconds=2.0)
    serving = asyncio.create_task(serving_one.serve())
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=url) as client:
        while not serving.done():
            with suppress(httpx.TransportError):
                await client.get("/health/live")
                break
    yield Gateway(url, app.state.hub, serving_one.stop)
    serving_one.stop()
    await serving


@pytest.fixture
async def gateway(api: Api) -> AsyncIterator[Gateway]:
    async with listening(api) as one:
        yield one


@dataclass
class Reader:
    """A browser's EventSource, as far as it matters here."""

    lines: AsyncIterator[str]
    comments: int = 0
    ids: list[str] = field(default_factory=list)

    async def next(self) -> Any:
        """The next event."""
        found: dict[str, str] = {}
        async with asyncio.timeout(_NEXT_SECONDS):
            async for line in self.lines:
                if line.startswith(":"):
                    self.comments += 1
                elif line:
                    name, _, value = line.partition(": ")
                    found[name] = value
                elif "data" in found:
                    event = json.loads(found["data"])
                    assert (found["id"], found["event"]) == (event["id"], event["type"])
                    self.ids.append(event["id"])
                    return event
        raise EOFError


@asynccontextmanager
async def streaming(gateway: Gateway, of: Person, query: str = "", last: str | None = None) -> AsyncIterator[Reader]:
    headers = {**of.bearer, **({"Last-Event-ID": last} if last else {})}
    async with (
        httpx.AsyncClient(base_url=gateway.url, timeout=HANG_SECONDS) as client,
        client.stream("GET", f"/v1/events/stream{query}", headers=headers) as answer,
    ):
        assert answer.status_code == 200, await answer.aread()
        assert answer.headers["content-type"].startswith("text/event-stream")
        reader = Reader(answer.aiter_lines())
        async for line in reader.lines:  # it is open
            if line.startswith("retry: "):
                break
        yield reader


async def joined(gateway: Gateway, streams: int) -> None:
    """Until so many streams are handed what is new."""
    await until(gateway, lambda: sum(map(len, gateway.hub._joined.values())) >= streams)


async def until(gateway: Gateway, holds: Callable[[], bool]) -> None:
    """Until it holds: the gateway is asked something meanwhile."""
    async with httpx.AsyncClient(base_url=gateway.url, timeout=HANG_SECONDS) as client:
        while not holds():
            await client.get("/health/live")


@pytest.fixture
async def alice(api: Api) -> Person:
    return await api.person("alice", "100.00 EUR")


@pytest.fixture
async def bob(api: Api) -> Person:
    return await api.person("bob")


async def test_both_sides_hear_of_a_payment_as_the_list_shows_it(gateway: Gateway, alice: Person, bob: Person) -> None:
    async with streaming(gateway, alice) as at_alice, streaming(gateway, bob) as at_bob:
        await joined(gateway, 2)
        await alice.pay("@bob", "1.00 EUR", memo="ключ\nlunch", reference="order-17")
        heard = [await at_alice.next(), await at_bob.next()]
    for person, event in zip((alice, bob), heard, strict=True):
        assert event == (await person.get("/v1/events")).json()["items"][-1]
    assert [event["data"]["reference"] for event in heard] == ["order-17", None]


async def test_nobody_hears_of_what_is_not_theirs(gateway: Gateway, api: Api, alice: Person, bob: Person) -> None:
    eve = await api.person("eve")
    async with streaming(gateway, eve) as at_eve:
        await joined(gateway, 1)
        await alice.pay("@bob", "1.00 EUR")
        await alice.pay("@eve", "2.00 EUR")
        assert (await at_eve.next())["data"]["amount"] == "2.00"


async def test_a_stream_of_types_has_those_alone(gateway: Gateway, alice: Person, bob: Person) -> None:
    async with streaming(gateway, bob, "?type=payment.settled") as at_bob:
        await joined(gateway, 1)
        await alice.pay("@bob", "1.00 EUR", capture=False)
        await alice.pay("@bob", "2.00 EUR")
        assert (await at_bob.next())["data"]["amount"] == "2.00"


async def test_whoever_comes_back_with_the_last_id_misses_nothing(gateway: Gateway, alice: Person, bob: Person) -> None:
    async with streaming(gateway, bob) as at_bob:
        await joined(gateway, 1)
        await alice.pay("@bob", "0.01 EUR")
        last = (await at_bob.next())["id"]
    for _ in range(450):  # more than two pages
        await alice.pay("@bob", "0.01 EUR")

    seen = []
    for way in ({"last": last}, {"query": f"?after={last}"}):
        async with streaming(gateway, bob, **way) as again:
            payments = asyncio.gather(*(alice.pay("@bob", "0.01 EUR") for _ in range(25)))
            events = [await again.next() for _ in range(450)]
            await payments
            events += [await again.next() for _ in range(25)]
            seen.append([event["id"] for event in events])
    listed, after = [], last
    while True:
        page = (await bob.get(f"/v1/events?limit=200&after={after}")).json()
        listed += [event["id"] for event in page["items"]]
        after = page["next_cursor"]
        if not page["has_more"]:
            break
    assert seen[0] == listed[:475]
    assert seen[1] == listed[:475]


async def test_a_stream_goes_on_at_another_gateway(gateway: Gateway, beside: Api, alice: Person, bob: Person) -> None:
    async with listening(beside) as there, streaming(there, bob) as at_bob:
        await joined(there, 1)
        await alice.pay("@bob", "1.00 EUR")
        assert (await at_bob.next())["data"]["amount"] == "1.00"
        last = at_bob.ids[-1]
    await alice.pay("@bob", "2.00 EUR")
    async with streaming(gateway, bob, last=last) as again:
        assert (await again.next())["data"]["amount"] == "2.00"


async def test_a_notification_wakes_before_the_next_look(
    gateway: Gateway, beside: Api, alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What another process has committed is heard of by NOTIFY."""
    monkeypatch.setattr(hub, "POLL_SECONDS", 3_600.0)
    async with listening(beside) as there, streaming(there, bob) as at_bob:
        await joined(there, 1)
        await alice.pay("@bob", "1.00 EUR")  # over the pool of the first
        assert (await at_bob.next())["data"]["amount"] == "1.00"


async def test_a_silent_stream_says_that_it_is_alive(
    gateway: Gateway, alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.01)
    async with streaming(gateway, bob) as at_bob:
        await joined(gateway, 1)
        async with asyncio.timeout(HANG_SECONDS):
            async for line in at_bob.lines:
                if line.startswith(":"):
                    break
        await alice.pay("@bob", "1.00 EUR")
        assert (await at_bob.next())["type"] == "payment.settled"


async def test_a_stream_of_other_types_than_those_that_come_says_that_it_is_alive(
    gateway: Gateway, alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_SECONDS", 0.3)
    monkeypatch.setattr(hub, "rest", lambda _: 0.0)

    async def pay_on() -> None:
        while True:
            await alice.pay("@bob", "0.01 EUR")

    async with streaming(gateway, bob, "?type=wallet.*") as at_bob:
        await joined(gateway, 1)
        paying = asyncio.create_task(pay_on())
        async with asyncio.timeout(_NEXT_SECONDS):
            async for line in at_bob.lines:
                if line.startswith(":"):
                    break
        paying.cancel()
        with suppress(asyncio.CancelledError):
            await paying


async def test_a_slow_reader_is_cut_and_costs_nobody_else_anything(
    gateway: Gateway, api: Api, alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "KEPT_MAX", 20)
    carol = await api.person("carol")
    port = int(gateway.url.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1)
    head = f"GET /v1/events/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bob.api_key}\r\n\r\n"
    writer.write(head.encode())
    async with streaming(gateway, carol) as at_carol:
        await joined(gateway, 2)
        for n in range(40):
            lines = [{"to": "@bob", "amount": "0.01", "asset": "EUR", "memo": "x" * 280}] * 100
            lines.append({"to": "@carol", "amount": "0.01", "asset": "EUR"})
            assert (await alice.post("/v1/payments/batch", lines, f"batch-{n}")).status_code == 200
            assert (await at_carol.next())["data"]["amount"] == "0.01"
        await until(gateway, lambda: gateway.hub.count == 1)
    writer.close()


async def test_a_connection_whose_client_takes_nothing_is_closed(
    gateway: Gateway, alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More waits for it than all buffers between the two hold."""
    monkeypatch.setattr(server, "_TAKE_SECONDS", 0.2)
    lines = [{"to": "@bob", "amount": "0.01", "asset": "EUR", "memo": "x" * 280}] * 1_000
    for n in range(8):
        assert (await alice.post("/v1/payments/batch", lines, f"batch-{n}")).status_code == 200
    first = (await bob.get("/v1/events?limit=1")).json()["items"][0]["id"]
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    narrow.connect(("127.0.0.1", int(gateway.url.rpartition(":")[2])))
    head = f"GET /v1/events/stream?after={first} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {bob.api_key}\r\n\r\n"
    narrow.send(head.encode())
    with narrow:
        await until(gateway, lambda: gateway.hub.count == 1)
        async with asyncio.timeout(_NEXT_SECONDS):
            await until(gateway, lambda: gateway.hub.count == 0)


async def test_a_stream_ends_with_the_key_that_it_was_opened_with(gateway: Gateway, alice: Person, bob: Person) -> None:
    made = (await bob.post("/v1/keys", {"name": "till", "scopes": ["read"]})).json()
    by_key = Person(bob.api, "bob", made["api_key"], "", "")
    async with streaming(gateway, by_key, "?type=payment.*") as at_bob:
        await joined(gateway, 1)
        ended = await bob.api.call("DELETE", f"/v1/keys/{made['id']}", headers=bob.bearer)
        assert ended.status_code == 200
        with pytest.raises(EOFError):
            await at_bob.next()


async def test_a_stream_ends_with_a_key_that_was_revoked_before_it_was_joined(
    gateway: Gateway, api: Api, bob: Person
) -> None:
    """After the request was authenticated, and before the first event that it would be handed."""
    made = (await bob.post("/v1/keys", {"name": "till", "scopes": ["read"]})).json()
    hashed = hash_of(made["api_key"])
    async with api.services.database.reading() as connection:
        (credential,) = (await authenticate_all(connection, [hashed], api.services.clock())).values()
    await bob.api.call("DELETE", f"/v1/keys/{made['id']}", headers=bob.bearer)

    async with asyncio.timeout(_NEXT_SECONDS):
        sent = [text async for text in stream._events(gateway.hub, api.services, credential, None, None)]

    assert [text.partition(b":")[0] for text in sent] == [b"retry"]


async def test_events_that_were_committed_together_are_sent_as_one_text(
    gateway: Gateway, api: Api, alice: Person, bob: Person
) -> None:
    async with api.services.database.reading() as connection:
        (credential,) = (await authenticate_all(connection, [hash_of(bob.api_key)], api.services.clock())).values()

    async def first() -> bytes:
        async for text in stream._events(gateway.hub, api.services, credential, None, None):
            if b"event: " in text:
                return text
        raise AssertionError("the stream ended")

    following = asyncio.create_task(first())
    await joined(gateway, 1)
    await alice.post("/v1/payments/batch?mode=all", [{"to": "@bob", "amount": "1.00", "asset": "EUR"}] * 3)

    async with asyncio.timeout(_NEXT_SECONDS):
        assert (await following).count(b"event: payment.settled") == 3


async def test_a_gateway_that_stops_ends_its_streams(gateway: Gateway, bob: Person) -> None:
    async with streaming(gateway, bob) as at_bob:
        await joined(gateway, 1)
        gateway.stop()
        with pytest.raises(EOFError):
            await at_bob.next()


async def test_head_is_answered_and_ends(gateway: Gateway, bob: Person) -> None:
    async with httpx.AsyncClient(base_url=gateway.url, timeout=HANG_SECONDS) as client:
        answer = await client.head("/v1/events/stream", headers=bob.bearer)
        assert (answer.status_code, answer.content) == (200, b"")
    await until(gateway, lambda: gateway.hub.count == 0)


@pytest.mark.parametrize(
    "query", ["?after=x", "?after=", "?type=nothing", "?after=evt_7zzzzzzzz00800000000000001", "?limit=3"]
)
async def test_what_cannot_be_streamed_is_refused_before_it_begins(gateway: Gateway, bob: Person, query: str) -> None:
    async with httpx.AsyncClient(base_url=gateway.url, timeout=HANG_SECONDS) as client:
        answer = await client.get(f"/v1/events/stream{query}", headers=bob.bearer)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("last", ["", "zzz", "evt_01h455vb4pex5vsknk084sn02q"])
async def test_a_last_id_that_is_none_is_refused_rather_than_begun_without(
    gateway: Gateway, bob: Person, last: str
) -> None:
    async with httpx.AsyncClient(base_url=gateway.url, timeout=HANG_SECONDS) as client:
        answer = await client.get("/v1/events/stream", headers={**bob.bearer, "Last-Event-ID": last})
    assert (answer.status_code, answer.json()["kind"]) == (400, "last_event_id")


async def test_more_streams_than_there_may_be_are_refused(
    gateway: Gateway, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "OF_A_WALLET_MAX", 1)
    async with streaming(gateway, bob), httpx.AsyncClient(base_url=gateway.url, timeout=HANG_SECONDS) as client:
        await joined(gateway, 1)
        answer = await client.get("/v1/events/stream", headers=bob.bearer)
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_streams")

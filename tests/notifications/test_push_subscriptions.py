"""Browsers that take pushes: added as a browser writes them, told, and let go when they are gone."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from gateway.clock import system_clock
from gateway.money import Assets
from gateway.notifications.channels.email import Email
from gateway.notifications.channels.push import Push
from gateway.notifications.push.vapid import Vapid, from_base64
from gateway.outbound.allowed import Allowed
from gateway.postgres.pool import Database
from tests.api.conftest import Api, Person, code_of, opened
from tests.notifications.browser import LOOPBACK, Browser, claims
from tests.notifications.conftest import URL, Workers, confirmed, removed, states
from tests.notifications.mail_server import MailServer
from tests.webhooks.receiver import Receiver, receiving, status

pytestmark = pytest.mark.anyio

PATH = "/v1/notifications/push-subscriptions"


@pytest.fixture
async def service() -> AsyncIterator[Receiver]:
    """A push service, on loopback."""
    async with receiving() as receiver:
        receiver.answer = lambda _: status(201, "Location: /message/1")
        yield receiver


def pushing(allowed: Allowed) -> Push:
    return Push(Vapid(generate_private_key(SECP256R1()), "mailto:ops@pay.example"), allowed, system_clock)


@pytest.fixture
def browser(service: Receiver) -> Browser:
    return Browser(f"{service.url}/capability")


@pytest.fixture
async def api(database: Database, assets: Assets, mails: MailServer) -> AsyncIterator[Api]:
    """A gateway that sends pushes to loopback, and e-mail."""
    channels = (pushing(LOOPBACK), Email(mails.server()))
    async with opened(database, assets, public_url=URL, channels=channels) as api:
        yield api


async def added(of: Person, browser: Browser, **fields: Any) -> Any:
    answer = await of.post(PATH, browser.json | fields)
    assert answer.status_code == 201, answer.text
    return answer.json()


def told(browser: Browser, service: Receiver) -> list[Any]:
    return [msgspec.json.decode(browser.reads(request.body)) for request in service.received]


async def listed(of: Person) -> list[Any]:
    return list((await of.get("/v1/notifications/addresses")).json()["items"])


async def test_a_browser_is_told_of_what_happens_after_it_was_added(
    workers: Workers, alice: Person, bob: Person, browser: Browser, service: Receiver
) -> None:
    made = await added(bob, browser, locale="th", time_zone="Asia/Bangkok")
    assert (made["channel"], made["state"], made["address"]) == ("push", "confirmed", browser.subscription.shown)

    await alice.pay("@bob", "10.00 EUR")
    await workers.deliver()

    one = told(browser, service)[-1]
    (notice, *_) = (await bob.get("/v1/notifications")).json()["items"]
    assert one["title"] == "คุณได้รับ €10.00 จาก @alice"
    assert (one["tag"], one["url"], one["lang"]) == (f"{notice['id']} bob", f"/notifications#{notice['id']}", "th")
    assert claims(service.received[-1])["sub"] == "mailto:ops@pay.example"


async def test_a_browser_of_both_sides_shows_what_each_is_told_of_one_payment(
    workers: Workers, alice: Person, bob: Person, browser: Browser, service: Receiver
) -> None:
    await added(alice, browser)
    await added(bob, browser)
    await workers.deliver()
    service.received.clear()
    await alice.pay("@bob", "10.00 EUR")
    await workers.deliver()
    tags = [one["tag"] for one in told(browser, service) if "10.00" in one["title"]]
    assert sorted(tag.split()[1] for tag in tags) == ["alice", "bob"]
    assert len({request.headers["topic"] for request in service.received}) == len(service.received)


async def test_browsers_subscribe_to_the_key_that_pushes_are_signed_with(
    workers: Workers, alice: Person, browser: Browser, service: Receiver
) -> None:
    assert code_of(await alice.api.call("GET", "/v1/notifications/push-key")) == (401, "unauthenticated")
    key = (await alice.get("/v1/notifications/push-key")).json()["public_key"]
    assert len(from_base64(key)) == 65
    await added(alice, browser)
    await alice.receive("1.00 EUR")
    await workers.deliver()
    assert {request.headers["authorization"].rpartition("k=")[2] for request in service.received} == {key}


async def test_a_browser_that_comes_again_is_one_address_and_reads_as_it_says_now(
    alice: Person, browser: Browser
) -> None:
    first = await added(alice, browser)
    second = await added(alice, browser, locale="th", expirationTime=1, other={"fields": "are passed over"})
    assert first["id"] == second["id"]
    (one,) = await listed(alice)
    assert (one["locale"], one["address"]) == ("th", browser.subscription.shown)


@pytest.mark.parametrize("code", [404, 410])
async def test_a_browser_that_is_gone_is_let_go_and_its_owner_told_by_what_is_left(
    workers: Workers, mails: MailServer, alice: Person, browser: Browser, service: Receiver, code: int
) -> None:
    await confirmed(alice, workers, mails, "alice@example.com")
    await added(alice, browser)
    await workers.deliver()
    mails.mails.clear()
    service.received.clear()
    service.answer = lambda _: status(code)

    await alice.receive("1.00 EUR")
    await workers.deliver()

    gone, _ = await listed(alice)
    assert (gone["channel"], gone["state"], gone["failure"]) == ("push", "failed", f"http_{code}")
    assert "A notification address no longer works" in [mail.subject for mail in mails.to("alice@example.com")]
    assert len(service.received) == 1
    await alice.receive("1.00 EUR")
    await workers.deliver()
    assert len(service.received) == 1, "nothing more is sent there"

    service.answer = lambda _: status(201)
    assert (await added(alice, browser))["state"] == "confirmed"
    await alice.receive("2.00 EUR")
    await workers.deliver()
    assert "2.00" in told(browser, service)[-1]["title"]


async def test_a_push_that_its_service_puts_off_waits_as_long_as_it_says(
    workers: Workers, alice: Person, browser: Browser, service: Receiver
) -> None:
    await added(alice, browser)
    await workers.deliver()
    service.received.clear()
    service.answer = lambda _: status(429, "Retry-After: 600")
    await alice.receive("1.00 EUR")
    await workers.deliver()
    assert len(service.received) == 1

    service.answer = lambda _: status(201)
    await workers.later(minutes=9)
    assert len(service.received) == 1
    await workers.later(minutes=2)
    assert len(service.received) == 2
    assert service.received[0].headers["topic"] == service.received[1].headers["topic"], "the repeat replaces it"


async def test_what_cannot_be_pushed_goes_by_e_mail(
    workers: Workers, mails: MailServer, alice: Person, browser: Browser, service: Receiver
) -> None:
    await confirmed(alice, workers, mails, "alice@example.com")
    await added(alice, browser)
    modes = [{"kind": "bank_movement", "channel": "email", "mode": "fallback"}]
    await alice.api.call("PUT", "/v1/notifications/preferences", headers=alice.bearer, json={"modes": modes})
    await workers.deliver()
    mails.mails.clear()
    service.answer = lambda _: status(410)

    await alice.receive("1.00 EUR")
    await workers.deliver()

    assert "€1.00 came in from the bank" in [mail.subject for mail in mails.to("alice@example.com")]
    said = dict(await states(alice))["deposit.settled"]
    assert ("failed", "http_410") in said


async def test_a_removed_browser_is_told_that_and_nothing_else(
    workers: Workers, alice: Person, browser: Browser, service: Receiver
) -> None:
    id = (await added(alice, browser))["id"]
    await workers.deliver()
    service.received.clear()
    assert (await removed(alice, id)).status_code == 200
    await alice.receive("1.00 EUR")
    await workers.deliver()
    assert [one["title"] for one in told(browser, service)] == ["A notification address was removed"]
    assert await listed(alice) == []


async def test_a_subscription_is_in_the_database_encrypted_alone(alice: Person, browser: Browser) -> None:
    await added(alice, browser)
    async with alice.api.services.database.reading() as connection:
        tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        rows = [
            str(row[0])
            for table in tables
            for row in await connection.fetch(f'SELECT t::text FROM "{table["tablename"]}" AS t')
        ]
    auth = browser.json["keys"]["auth"]
    assert [row for row in rows if "capability" in row or auth in row] == []


async def test_only_the_owner_says_which_browsers_are_told(api: Api, alice: Person, browser: Browser) -> None:
    key = (await alice.post("/v1/keys", {"name": "reader", "scopes": ["read", "pay"]})).json()["api_key"]
    headers = {"Authorization": f"Bearer {key}"}
    assert code_of(await api.call("POST", PATH, headers=headers, json=browser.json)) == (403, "forbidden")
    assert await listed(alice) == []


@pytest.mark.parametrize(
    "endpoint", ["http://push.example/1", "https://127.0.0.1/1", "https://[::1]/1", "https://169.254.169.254/latest"]
)
async def test_no_browser_has_its_pushes_at_an_address_inside(
    database: Database, assets: Assets, endpoint: str
) -> None:
    push = pushing(Allowed())
    async with opened(database, assets, channels=(push,)) as api:
        alice = await api.person("alice")
        answer = await alice.post(PATH, Browser("https://push.example/1").json | {"endpoint": endpoint})
        assert code_of(answer) == (400, "invalid_request")
        assert await listed(alice) == []
    await push.close()


async def test_a_gateway_without_a_key_says_that_it_has_none(database: Database, assets: Assets) -> None:
    async with opened(database, assets) as api:
        alice = await api.person("alice")
        for answer in (
            await alice.get("/v1/notifications/push-key"),
            await alice.post(PATH, Browser("https://push.example/1").json),
        ):
            assert code_of(answer) == (404, "not_found")
            assert "key for push messages" in answer.json()["detail"]


async def test_all_addresses_are_written_to_in_the_language_that_was_chosen(
    workers: Workers, mails: MailServer, alice: Person, browser: Browser, service: Receiver
) -> None:
    await confirmed(alice, workers, mails, "alice@example.com")
    await added(alice, browser)
    reader = {"locale": "th", "time_zone": "Asia/Bangkok"}
    answer = await alice.api.call("PUT", "/v1/notifications/locale", headers=alice.bearer, json=reader)
    assert {(one["locale"], one["time_zone"]) for one in answer.json()["items"]} == {("th", "Asia/Bangkok")}
    await workers.deliver()
    mails.mails.clear()
    service.received.clear()

    await alice.receive("1.00 EUR")
    await workers.deliver()

    (push,), (mail,) = told(browser, service), mails.to("alice@example.com")
    assert push["title"] == mail.subject
    assert push["lang"] == "th"

    for wrong in ({**reader, "locale": "xx"}, {**reader, "time_zone": "Bangkok"}):
        refused = await alice.api.call("PUT", "/v1/notifications/locale", headers=alice.bearer, json=wrong)
        assert code_of(refused) == (400, "invalid_request")


async def test_a_notice_says_how_much_and_between_whom(alice: Person, bob: Person) -> None:
    await alice.pay("@bob", "10.00 EUR")
    money = {"amount": "10.00", "asset": "EUR", "from": "@alice", "to": "@bob"}
    for person in (alice, bob):
        (one, *_) = (await person.get("/v1/notifications")).json()["items"]
        assert one["money"] == money
    (deposit,) = [
        one for one in (await alice.get("/v1/notifications")).json()["items"] if one["type"] == "deposit.settled"
    ]
    assert deposit["money"] == {"amount": "1000.00", "asset": "EUR", "from": None, "to": "@alice"}
    signed_up = (await bob.get("/v1/notifications")).json()["items"][-1]
    assert signed_up["money"] is None or signed_up["type"].startswith("payment")

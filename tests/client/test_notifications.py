"""What a wallet's owner is told, by the client: listed, switched, and sent to addresses that were confirmed."""

from collections.abc import AsyncIterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from gateway.client import AsyncClient, Client, NotificationModeRequest
from gateway.clock import system_clock
from gateway.money import Assets
from gateway.notifications.channels.email import Email
from gateway.notifications.channels.push import Push
from gateway.notifications.push.vapid import Vapid
from gateway.postgres.pool import Database
from tests.api.conftest import Api, Person, opened
from tests.api.test_stream import Gateway
from tests.client.conftest import EitherClient, between, either_client
from tests.client.test_owners_calls import refused
from tests.notifications.browser import LOOPBACK, Browser
from tests.notifications.conftest import URL, Workers, code_in
from tests.notifications.conftest import mails as mails
from tests.notifications.conftest import workers as workers
from tests.notifications.mail_server import MailServer

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

Kind = type[Client] | type[AsyncClient]

MAIL = "alice@example.com"


@pytest.fixture
async def api(database: Database, assets: Assets, mails: MailServer) -> AsyncIterator[Api]:
    """A gateway that sends e-mail and push messages."""
    push = Push(Vapid(generate_private_key(SECP256R1()), "mailto:ops@pay.example"), LOOPBACK, system_clock)
    async with opened(database, assets, public_url=URL, channels=(Email(mails.server()), push)) as api:
        yield api


async def confirmed(face: EitherClient, workers: Workers, mails: MailServer) -> str:
    """The id of an address that its owner has confirmed."""
    id: str = (await face.call(face.client.notifications.add_address, MAIL, locale="th")).id
    await workers.deliver()
    await face.call(face.client.notifications.confirm_address, id, code_in(mails, MAIL))
    mails.mails.clear()
    return id


async def test_an_address_is_confirmed_told_and_removed(
    kind: Kind, gateway: Gateway, workers: Workers, mails: MailServer, alice: Person
) -> None:
    async with either_client(kind, gateway.url, alice.api_key) as face:
        told = face.client.notifications
        waits = await face.call(told.add_address, MAIL, locale="th", time_zone="Asia/Bangkok")
        assert (waits.channel, waits.address, waits.state) == ("email", "a…@example.com", "pending")
        await workers.deliver()
        right = code_in(mails, MAIL)
        assert await refused(face, told.confirm_address, waits.id, f"{(int(right) + 1) % 10**6:06}") == "invalid_code"
        assert (await face.call(told.confirm_address, waits.id, right)).state == "confirmed"
        (listed,) = await face.all(told.addresses())
        assert (listed.id, listed.locale, listed.time_zone) == (waits.id, "th", "Asia/Bangkok")

        (changed,) = await face.call(told.set_locale, "en", "Europe/Berlin")
        assert (changed.locale, changed.time_zone) == ("en", "Europe/Berlin")
        mails.mails.clear()
        await face.call(face.client.bank.deposit, "2.00", "EUR")
        await workers.deliver()
        assert "€2.00 came in from the bank" in [mail.subject for mail in mails.to(MAIL)]

        assert (await face.call(told.remove_address, waits.id)).id == waits.id
        assert await face.all(told.addresses()) == []
        assert await refused(face, told.remove_address, waits.id) == "not_found"


async def test_the_id_of_an_address_leads_to_no_other_path(kind: Kind, gateway: Gateway, alice: Person) -> None:
    async with between(gateway) as (way, url), either_client(kind, url, alice.api_key) as face:
        assert await refused(face, face.client.notifications.remove_address, "x/../../preferences?a#b") == "not_found"
    assert way.heads[-1].split()[1] == "/v1/notifications/addresses/x%2F..%2F..%2Fpreferences%3Fa%23b"


async def test_notifications_are_listed_in_the_reader_s_language_and_seen(
    kind: Kind, gateway: Gateway, alice: Person, bob: Person
) -> None:
    async with either_client(kind, gateway.url, bob.api_key) as face:
        told = face.client.notifications
        before = await face.call(told.unseen)
        paid = [(await alice.pay("@bob", "1.00 EUR")).json()["id"] for _ in range(3)]
        listed = await face.all(told.list(page_size=2))
        assert [one.payment for one in listed[:3]] == paid[::-1]
        first = listed[0]
        assert (first.kind, first.title, first.security) == ("money_in", "You received €1.00 from @alice", False)
        assert (first.money.amount, first.money.from_, first.money.to) == ("1.00", "@alice", "@bob")
        (thai, *_) = await face.all(told.list(locale="th", time_zone="Asia/Bangkok"))
        assert thai.title == "คุณได้รับ €1.00 จาก @alice"

        assert await face.call(told.unseen) == before + 3
        assert (await face.call(told.see, listed[1].id)).unseen == 1
        assert [one.seen for one in (await face.all(told.list()))[:3]] == [False, True, True]
        assert (await face.call(told.see, listed[0].id)).unseen == 0


async def test_preferences_say_what_is_sent(
    kind: Kind, gateway: Gateway, workers: Workers, mails: MailServer, alice: Person
) -> None:
    async with either_client(kind, gateway.url, alice.api_key) as face:
        told = face.client.notifications
        await confirmed(face, workers, mails)
        usual = await face.call(told.preferences)
        assert {mode for one in usual.kinds for mode in one.modes.values()} == {"on"}
        off = NotificationModeRequest("bank_movement", "email", "off")
        changed = await face.call(told.change_preferences, [off])
        assert changed == await face.call(told.preferences)
        assert {one.kind for one in changed.kinds if one.modes["email"] == "off"} == {"bank_movement"}
        more = NotificationModeRequest("money_in", "email", "fallback")
        changed = await face.call(told.set_preferences, more)
        assert {one.kind: one.modes["email"] for one in changed.kinds if one.modes["email"] != "on"} == {
            "bank_movement": "off",
            "money_in": "fallback",
        }
        silent = [NotificationModeRequest("new_key", "email", "off")]
        assert await refused(face, told.change_preferences, silent) == "invalid_request"

        await workers.deliver()
        mails.mails.clear()
        await face.call(face.client.bank.deposit, "2.00", "EUR")
        await workers.deliver()
        assert mails.mails == []
        assert await face.call(told.change_preferences, []) == usual


async def test_a_browser_is_added_as_an_address(kind: Kind, gateway: Gateway, alice: Person) -> None:
    browser = Browser("https://127.0.0.1/push/1")
    keys = browser.json["keys"]
    async with between(gateway, ["lose", "pass"]) as (_, url), either_client(kind, url, alice.api_key) as face:
        told = face.client.notifications
        added = await face.call(told.add_push_subscription, browser.endpoint, keys["p256dh"], keys["auth"], locale="th")
        assert (added.channel, added.state, added.locale) == ("push", "confirmed", "th")
        assert [one.id for one in await face.all(told.addresses())] == [added.id], "once, though it was asked twice"
        assert len((await face.call(told.push_key)).public_key) == 87


async def test_a_payment_is_reported_and_the_wallet_frozen(
    kind: Kind, gateway: Gateway, alice: Person, bob: Person
) -> None:
    async with between(gateway) as (way, url), either_client(kind, url, alice.api_key) as face:
        payments = face.client.payments
        held = await face.call(payments.create, "@bob", "5.00", "EUR", capture=False)
        way.fates = ["lose"]
        assert (await face.call(payments.report_unauthorized, held.id)).state == "voided"
        assert await refused(face, payments.create, "@bob", "1.00", "EUR") == "wallet_frozen"
    async with either_client(kind, gateway.url, bob.api_key) as face:
        assert await refused(face, face.client.payments.report_unauthorized, held.id) == "forbidden"

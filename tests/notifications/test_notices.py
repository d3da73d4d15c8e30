"""What people are told of, and when: payments, keys, freezes; what they switched off, and what they cannot."""

import re
from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from gateway.notifications import delivery, schedule
from tests.api.browser import browsing, registered
from tests.api.conftest import Api, Person, code_of
from tests.api.test_approvals import approve, waiting
from tests.authenticator import Authenticator
from tests.notifications.conftest import Workers, asked, confirmed, notices, prefer, states
from tests.notifications.mail_server import MailServer

pytestmark = pytest.mark.anyio

MAIL = "alice@example.com"


async def test_payer_and_payee_are_told_of_a_payment_each_in_their_language(
    workers: Workers, mails: MailServer, alice: Person, bob: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
    await confirmed(bob, workers, mails, "bob@example.com", locale="th", time_zone="Asia/Bangkok")

    paid = (await alice.pay("@bob", "10.00 EUR")).json()
    await workers.deliver()

    (out,), (into,) = mails.to(MAIL), mails.to("bob@example.com")
    assert out.subject == "You paid €10.00 to @bob"
    assert into.subject == "คุณได้รับ €10.00 จาก @alice"
    assert out.id == into.id == (await notices(alice))[0]["id"]
    assert paid["id"] in out.text
    assert "(GMT+07:00)" in into.text
    assert await states(alice) == [("payment.settled", [("sent", None)])]


async def test_whoever_has_no_address_costs_nothing_and_sees_everything_on_their_page(
    api: Api, workers: Workers, mails: MailServer, alice: Person, bob: Person
) -> None:
    await alice.pay("@bob", "10.00 EUR")
    await workers.deliver()

    assert [one["title"] for one in await notices(bob)] == ["You received €10.00 from @alice"]
    async with api.services.database.reading() as connection:
        assert await connection.fetchval("SELECT count(*) FROM notification") == 0
    assert mails.mails == []


async def test_money_that_leaves_carries_a_link_that_freezes_the_wallet(
    api: Api, workers: Workers, mails: MailServer, alice: Person, bob: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
    await confirmed(bob, workers, mails, "bob@example.com")
    await alice.pay("@bob", "10.00 EUR")
    await workers.deliver()

    (out,), (into,) = mails.to(MAIL), mails.to("bob@example.com")
    (link,) = re.findall(r"https://pay\.example/report#\S+", out.text)
    assert link in out.part("html")
    assert "/report#" not in into.text

    token = urlsplit(link).fragment
    assert (await api.call("POST", f"/v1/report-links/{token}")).status_code == 200
    assert code_of(await alice.pay("@bob", "1.00 EUR")) == (409, "wallet_frozen")
    await workers.deliver()
    assert mails.to(MAIL)[-1].subject == "Your wallet is frozen"


async def test_a_frozen_wallet_is_told_of_what_comes_in(
    api: Api, workers: Workers, mails: MailServer, alice: Person, bob: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
    paid = (await alice.pay("@bob", "10.00 EUR")).json()["id"]
    await alice.post(f"/v1/payments/{paid}/report-unauthorized", b"")
    await alice.receive("5.00 EUR")
    await workers.deliver()

    told = {one.subject for one in mails.to(MAIL)}
    assert told == {"You paid €10.00 to @bob", "Your wallet is frozen", "€5.00 came in from the bank"}


async def test_what_leaves_is_told_of_once_and_that_it_failed_besides(
    workers: Workers, mails: MailServer, alice: Person, bob: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
    await confirmed(bob, workers, mails, "bob@example.com")
    held = (await alice.pay("@bob", "10.00 EUR", capture=False)).json()["id"]
    await bob.post(f"/v1/payments/{held}/capture", {"amount": "4.00"})
    await workers.deliver()

    assert [one.subject for one in mails.to(MAIL)] == ["€10.00 is set aside for @bob"]
    assert [one.subject for one in mails.to("bob@example.com")] == ["You received €10.00 from @alice"]


async def test_a_payee_hears_nothing_of_a_payment_until_its_payer_has_approved_it(
    api: Api, workers: Workers, mails: MailServer, bob: Person
) -> None:
    await confirmed(bob, workers, mails, "bob@example.com")
    mallory, key, _ = await browsing(api, "mallory", "100.00 EUR")
    asked_for = await waiting(mallory, "@bob", "10.00 EUR")
    await workers.deliver()
    assert mails.to("bob@example.com") == []
    assert [one["kind"] for one in await notices(bob)] == ["protection"], "the address that was added"

    await approve(mallory, key, asked_for)
    await workers.deliver()
    assert [one.subject for one in mails.to("bob@example.com")] == ["You received €10.00 from @mallory"]


async def test_an_approval_that_is_needed_is_told_to_the_payer(
    workers: Workers, mails: MailServer, alice: Person, bob: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
    await registered(alice, Authenticator())
    await waiting(alice, "@bob", "10.00 EUR")
    await workers.deliver()

    assert {one.subject for one in mails.to(MAIL)} == {"A passkey was added", "Approve a payment of €10.00 to @bob?"}


async def test_sign_ins_and_keys_are_told_of(api: Api, workers: Workers, mails: MailServer, alice: Person) -> None:
    await confirmed(alice, workers, mails, MAIL)
    await alice.post("/v1/keys", {"name": "Shop", "scopes": ["read"]})
    await alice.post("/v1/wallet/key/export", {"confirm": f"@alice exports the key of {alice.address}"})
    await workers.deliver()

    told = {one.subject: one for one in mails.to(MAIL)}
    assert told.keys() == {"An API key was created", "Your wallet's private key was exported"}
    assert "“Shop”" in told["An API key was created"].text
    assert [one.message["List-Unsubscribe"] for one in told.values()] == [None, None]


async def test_what_is_switched_off_is_not_sent_and_is_listed(
    workers: Workers, mails: MailServer, alice: Person, bob: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
    assert (await prefer(alice, money_out="off", money_in="fallback")).status_code == 200
    mails.mails.clear()
    await alice.pay("@bob", "10.00 EUR")
    await workers.deliver()

    assert [one.subject for one in mails.mails] == ["Your notification preferences changed"]
    assert (await notices(alice))[0]["title"] == "You paid €10.00 to @bob"


async def test_what_is_switched_off_before_it_is_sent_is_not_sent(
    api: Api, workers: Workers, mails: MailServer, alice: Person, bob: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
    await alice.pay("@bob", "10.00 EUR")
    async with api.services.database.transaction() as connection:
        await delivery.take_in(connection, api.clock())
    await prefer(alice, money_out="off")
    await workers.deliver()

    assert [one.subject for one in mails.mails] == ["Your notification preferences changed"]
    assert ("payment.settled", [("skipped", "switched_off")]) in await states(alice)


@pytest.mark.parametrize("kind", ["new_sign_in", "new_key", "freeze", "protection"])
async def test_what_guards_the_wallet_cannot_be_switched_off(
    kind: str, workers: Workers, mails: MailServer, alice: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
    for mode in ("off", "fallback"):
        refused = await prefer(alice, **{kind: mode})
        assert code_of(refused) == (400, "invalid_request")
        assert kind in refused.json()["detail"]


async def test_what_was_switched_off_before_there_was_an_address_is_sent_all_the_same_if_it_guards_the_wallet(
    workers: Workers, mails: MailServer, alice: Person
) -> None:
    assert (await prefer(alice, new_key="off", bank_movement="off")).status_code == 200
    await confirmed(alice, workers, mails, MAIL)
    await alice.receive("5.00 EUR")
    await alice.post("/v1/keys", {"name": "Shop", "scopes": ["read"]})
    await workers.deliver()

    assert [one.subject for one in mails.to(MAIL)] == ["An API key was created"]


async def test_a_flood_of_payments_fills_no_mailbox_and_hides_no_sign_in(
    api: Api, workers: Workers, mails: MailServer, alice: Person, bob: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "HOURLY_MAX", 5)
    await confirmed(bob, workers, mails, "bob@example.com")
    for _ in range(8):
        await alice.pay("@bob", "0.01 EUR")
    await bob.post("/v1/keys", {"name": "Shop", "scopes": ["read"]})
    await workers.deliver()

    subjects = [one.subject for one in mails.to("bob@example.com")]
    assert len(subjects) == 6
    assert "An API key was created" in subjects
    assert sum(found == [("skipped", "too_many")] for _, found in await states(bob)) == 3

    await workers.later(hours=2)
    await alice.pay("@bob", "0.02 EUR")
    await workers.deliver()
    assert mails.to("bob@example.com")[-1].subject == "You received €0.02 from @alice"


async def test_what_is_no_news_any_more_is_not_sent(
    api: Api, workers: Workers, mails: MailServer, alice: Person, bob: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
    await alice.pay("@bob", "10.00 EUR")
    api.clock.ahead += schedule.NEWS_FOR + timedelta(minutes=1)
    await alice.pay("@bob", "11.00 EUR")
    await workers.deliver()

    assert [one.subject for one in mails.mails] == ["You paid €11.00 to @bob"]


async def test_what_was_seen_is_counted(workers: Workers, alice: Person, bob: Person) -> None:
    for money in ("1.00 EUR", "2.00 EUR", "3.00 EUR"):
        await alice.pay("@bob", money)
    page = (await bob.get("/v1/notifications?limit=2")).json()
    assert (page["unseen"], [one["seen"] for one in page["items"]]) == (3, [False, False])
    rest = (await bob.get(f"/v1/notifications?limit=2&cursor={page['next_cursor']}")).json()
    assert [one["title"] for one in rest["items"]] == ["You received €1.00 from @alice"]

    answer = await bob.post("/v1/notifications/seen", {"up_to": page["items"][1]["id"]})
    assert (answer.status_code, answer.json()) == (200, {"unseen": 1})
    older = await bob.post("/v1/notifications/seen", {"up_to": rest["items"][0]["id"]})
    assert older.json() == {"unseen": 1}, "it is never set back"
    assert code_of(await bob.post("/v1/notifications/seen", {"up_to": "pay_1"})) == (400, "invalid_request")


async def test_the_list_is_in_the_language_that_is_asked_for(alice: Person) -> None:
    (thai,) = await notices(alice, "?locale=th&time_zone=Asia/Bangkok&limit=1")
    assert thai["title"] == "มีเงิน €1,000.00 เข้าจากธนาคาร"
    for query in ("?locale=xx", "?time_zone=Mars/Olympus", "?cursor=x", "?time_zone=../../etc/passwd"):
        assert code_of(await alice.get(f"/v1/notifications{query}")) == (400, "invalid_request"), query


async def test_unsubscribing_by_one_click_stops_a_kind_and_nothing_else(
    api: Api, workers: Workers, mails: MailServer, alice: Person, bob: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
    await alice.pay("@bob", "1.00 EUR")
    await workers.deliver()
    message = mails.mails[0].message
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    path = urlsplit(str(message["List-Unsubscribe"]).strip("<>")).path

    assert (await api.call("GET", path)).json()["kind"] == "money_out"
    form = {"content": b"List-Unsubscribe=One-Click", "headers": {"Content-Type": "application/x-www-form-urlencoded"}}
    assert (await api.call("POST", path, **form)).status_code == 200
    await alice.pay("@bob", "2.00 EUR")
    await alice.receive("3.00 EUR")
    await workers.deliver()

    subjects = {one.subject for one in mails.mails[1:]}
    assert subjects == {"Your notification preferences changed", "€3.00 came in from the bank"}
    for wrong in (path.replace("money_out", "freeze"), path.replace("money_out", "nothing"), path[:-20] + "x/freeze"):
        assert (await api.call("POST", wrong)).status_code == 404


async def test_nothing_is_sent_where_nobody_asked_for_it(workers: Workers, mails: MailServer, alice: Person) -> None:
    await asked(alice, MAIL)
    await workers.deliver()
    await alice.receive("3.00 EUR")
    await workers.deliver()
    assert len(mails.mails) == 1, "the code alone"

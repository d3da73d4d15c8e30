"""Deliveries that fail: they are tried again, fall back to another channel, and end."""

import asyncio
from datetime import timedelta

import pytest

from gateway.notifications import delivery, schedule
from gateway.notifications.channels.channel import TryLater
from gateway.notifications.delivery import Claimed
from tests.api.conftest import Api, Person
from tests.databases import until_waiting
from tests.notifications.conftest import Workers, confirmed, states
from tests.notifications.delivery.conftest import MAIL, Pager, modes, nobody, paged, refuse, rows
from tests.notifications.mail_server import MailServer

pytestmark = pytest.mark.anyio


async def test_what_failed_is_tried_again_with_the_same_id_until_it_is_taken(
    api: Api, workers: Workers, mails: MailServer, alice: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
    mails.recipient = refuse
    await alice.receive("1.00 EUR")
    tries = len(mails.tried)
    await workers.deliver()
    for wait in schedule.WAITS[:3]:
        await workers.later(seconds=wait.total_seconds() * (1 + schedule.JITTER) + 1)
    assert len(mails.tried) == tries + 4
    assert await states(alice) == [("deposit.settled", [("pending", "greylisted")])]

    async def taken(_: str) -> None:
        return None

    mails.recipient = taken
    await workers.later(hours=1)
    assert [one.subject for one in mails.mails] == ["€1.00 came in from the bank"]
    assert await states(alice) == [("deposit.settled", [("sent", None)])]


async def test_after_seven_tries_it_has_failed(api: Api, workers: Workers, mails: MailServer, alice: Person) -> None:
    await confirmed(alice, workers, mails, MAIL)
    mails.recipient = refuse
    await alice.receive("1.00 EUR")
    tries = len(mails.tried)
    for _ in range(10):
        await workers.later(hours=3)
    assert len(mails.tried) == tries + len(schedule.WAITS) + 1
    assert await states(alice) == [("deposit.settled", [("failed", "greylisted")])]


async def test_an_address_that_is_gone_is_sent_nothing_more_and_another_channel_says_so(
    api: Api, workers: Workers, mails: MailServer, pager: Pager, alice: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
    await paged(api, alice, pager)
    await modes(api, alice, bank_movement="fallback")
    await workers.deliver()
    pager.sent.clear()
    mails.recipient = nobody
    await alice.receive("1.00 EUR")
    await workers.deliver()

    assert await rows(api) == [("email", "failed", "refused", None), ("pager", "sent", None, "email")]
    said = {message.title: " ".join(message.footer) for _, message in pager.sent}
    assert said.keys() == {"€1.00 came in from the bank", "A notification address no longer works"}
    assert "could not be sent by e-mail" in said["€1.00 came in from the bank"]

    tries = len(mails.tried)
    await alice.receive("2.00 EUR")
    await workers.deliver()
    assert len(mails.tried) == tries


async def test_a_channel_that_is_off_is_fallen_back_to_for_what_guards_the_wallet_alone(
    api: Api, workers: Workers, mails: MailServer, pager: Pager, alice: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
    await paged(api, alice, pager)
    await modes(api, alice, bank_movement="off", new_key="off")
    await workers.deliver()
    pager.sent.clear()
    mails.recipient = refuse
    await alice.receive("1.00 EUR")
    await alice.post("/v1/keys", {"name": "Shop", "scopes": ["read"]})
    for _ in range(10):
        await workers.later(hours=3)

    assert await rows(api) == [("email", "failed", "greylisted", None)]
    assert await rows(api, "new_key") == [("email", "failed", "greylisted", None), ("pager", "sent", None, "email")]
    assert [message.title for _, message in pager.sent] == ["An API key was created"]


async def test_two_channels_that_fail_at_the_same_moment_fall_back_once(
    api: Api, workers: Workers, mails: MailServer, pager: Pager, alice: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
    await paged(api, alice, pager)
    third = Pager(name="telex")
    await paged(api, alice, third)
    await modes(api, alice, "telex", bank_movement="fallback")
    await workers.deliver()
    await alice.receive("1.00 EUR")
    async with api.services.database.transaction() as connection:
        await delivery.take_in(connection, api.clock())
    claimed: list[Claimed] = []
    for channel in ("email", "pager"):
        async with api.services.database.transaction() as connection:
            claimed += await delivery.claim(connection, channel, 5, api.clock())
    assert len(claimed) == 2

    last = api.clock() + schedule.NEWS_FOR

    async def fail(one: Claimed) -> None:
        async with api.services.database.transaction() as connection:
            await delivery.record(connection, one, TryLater("server"), last)

    async with api.services.database.transaction() as connection:
        await delivery.record(connection, claimed[0], TryLater("server"), last)
        second = asyncio.create_task(fail(claimed[1]))
        await until_waiting(connection, 1, second)
    await second
    assert [row[:2] for row in await rows(api)] == [("email", "failed"), ("pager", "failed"), ("telex", "pending")]


async def test_a_refused_transaction_leaves_neither_event_nor_notice(
    api: Api, workers: Workers, mails: MailServer, alice: Person, bob: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
    assert (await alice.pay("@bob", "90000.00 EUR")).status_code == 409
    await workers.deliver()
    assert mails.mails == []


async def test_what_no_worker_has_the_channel_for_has_failed_after_a_day(
    api: Api, workers: Workers, mails: MailServer, pager: Pager, alice: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
    await paged(api, alice, pager)
    await modes(api, alice, bank_movement="fallback")
    await alice.receive("1.00 EUR")
    alone = workers.another(channels=(pager,))
    await workers.deliver(alone)
    assert (await rows(api))[0][:2] == ("email", "pending")

    api.clock.ahead += schedule.NEWS_FOR + timedelta(minutes=1)
    await alone.forget()
    await workers.deliver(alone)
    assert await rows(api) == [("email", "failed", "too_late", None), ("pager", "sent", None, "email")]


async def test_payer_and_payee_at_one_mailbox_are_two_messages(
    workers: Workers, mails: MailServer, alice: Person, bob: Person
) -> None:
    for one in (alice, bob):
        await confirmed(one, workers, mails, MAIL)
    await alice.pay("@bob", "1.00 EUR")
    await workers.deliver()
    assert len({str(one.message["Message-ID"]) for one in mails.mails}) == 2

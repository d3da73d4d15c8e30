"""Workers that deliver side by side, hang, or are cut off anywhere."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from gateway.notifications import delivery
from gateway.notifications.channels.channel import TryLater
from gateway.notifications.channels.email import Email
from tests.api.conftest import Api, Person
from tests.cuts import CutDatabase, Fate, Killed
from tests.notifications.conftest import Workers, confirmed, states
from tests.notifications.delivery.conftest import MAIL, Pager, claimed_now, paged, rows
from tests.notifications.mail_server import MailServer

pytestmark = pytest.mark.anyio


async def test_a_channel_that_hangs_delays_no_other(
    api: Api, workers: Workers, mails: MailServer, pager: Pager, alice: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
    await paged(api, alice, pager)
    await workers.deliver()
    mails.mails.clear()
    pager.hangs = asyncio.Event()
    worker = workers.made[0]
    for _ in range(5):
        await alice.receive("1.00 EUR")
    while len(mails.mails) < 5:
        await worker.run()

    pager.hangs.set()
    await workers.deliver()
    assert Counter(row[:2] for row in await rows(api)) == {("email", "sent"): 5, ("pager", "sent"): 5}


async def test_two_workers_at_once_send_each_notice_once(
    api: Api, workers: Workers, mails: MailServer, alice: Person, bob: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
    await confirmed(bob, workers, mails, "bob@example.com")
    for _ in range(20):
        await alice.pay("@bob", "1.00 EUR")
    both, under_way = [workers.another(), workers.another()], asyncio.Event()

    async def wait(_: str) -> None:
        await under_way.wait()

    mails.data = wait
    for worker in both:
        assert await worker.run()
    under_way.set()
    await asyncio.gather(*(worker.finish() for worker in both))
    assert len(mails.mails) == 2 * Email.at_once, "each had its own"
    await asyncio.gather(*(workers.deliver(one) for one in both))
    await workers.deliver()

    assert len(mails.mails) == 40
    assert max(Counter((one.id, one.to[0]) for one in mails.mails).values()) == 1


async def test_what_a_worker_records_late_changes_nothing(
    api: Api, workers: Workers, mails: MailServer, alice: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
    await alice.receive("1.00 EUR")
    async with api.services.database.transaction() as connection:
        await delivery.take_in(connection, api.clock())
        (asleep,) = await delivery.claim(connection, "email", 5, api.clock())
    assert await claimed_now(api) == []

    api.clock.ahead += delivery.LEASE + timedelta(seconds=1)
    await workers.deliver()
    assert len(mails.mails) == 1
    async with api.services.database.transaction() as connection:
        await delivery.record(connection, asleep, TryLater("server"), api.clock())
    assert await states(alice) == [("deposit.settled", [("sent", None)])]


@dataclass
class Cut(Fate):
    """Kills whoever passes the n-th commit, before it or after."""

    at: int = 0
    side: str = "before"

    async def before(self, what: str) -> None:
        self.count("before")

    async def after(self, what: str) -> None:
        self.count("after")

    def count(self, side: str) -> None:
        if side == self.side:
            self.at -= 1
            if self.at == 0:
                raise Killed


@pytest.mark.parametrize("side", ["before", "after"])
async def test_a_worker_cut_off_at_any_commit_loses_nothing_and_repeats_with_the_same_id(
    side: str, api: Api, workers: Workers, mails: MailServer, alice: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
    expected, cut = 0, 0
    for at in range(1, 8):
        await alice.receive(f"{at}.00 EUR")
        expected += 1
        fate = Cut(at=at, side=side)
        worker = workers.another(CutDatabase(api.services.database, fate))
        try:
            await workers.deliver(worker)
        except Killed:
            cut += 1
        api.clock.ahead += delivery.LEASE + timedelta(seconds=1)
        await workers.deliver()

    assert cut >= 3
    subjects = Counter((one.id, one.subject) for one in mails.mails)
    assert len(subjects) == expected, "none is lost, and a repeat has the same id"
    assert {id for id, _ in subjects} == {one["id"] for one in (await deposits(alice))[-expected:]}


async def deposits(of: Person) -> list[Any]:
    answer = await of.get("/v1/events?type=deposit.settled&limit=200")
    return list(answer.json()["items"])


async def test_a_worker_without_channels_leaves_the_log_to_others(
    api: Api, workers: Workers, mails: MailServer, alice: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
    await alice.receive("1.00 EUR")
    await workers.deliver(workers.another(channels=()))
    await workers.deliver()
    assert len(mails.mails) == 1


async def test_a_worker_does_not_race_payments_for_each_of_their_events(
    api: Api, workers: Workers, mails: MailServer, alice: Person, bob: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
    await bob.receive("1.00 EUR")
    assert not await workers.made[0].run(), "it has read what nobody is told of, and rests"

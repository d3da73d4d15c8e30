"""Deliveries through failures: tries, channels that fall back, workers side by side or cut off anywhere."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from gateway.audit.log import ANYONE
from gateway.events import log
from gateway.ids import WalletId, read
from gateway.notifications import address, delivery, preference, schedule
from gateway.notifications.address import Wanted
from gateway.notifications.channels.channel import Channel, Message, Outcome, Sent, TryLater
from gateway.notifications.channels.email import Email
from gateway.notifications.delivery import Claimed
from gateway.notifications.vocabulary import Mode
from tests.api.conftest import Api, Person
from tests.cuts import CutDatabase, Fate, Killed
from tests.notifications.conftest import Workers, prefer, proved, states
from tests.notifications.mail_server import MailServer, refusing

pytestmark = pytest.mark.anyio

MAIL = "alice@example.com"


@dataclass
class Pager(Channel):
    """Another channel, which answers as a test says."""

    outcome: Outcome = field(default_factory=Sent)
    sent: list[tuple[str, Message]] = field(default_factory=list)
    hangs: asyncio.Event | None = None
    name: str = "pager"

    at_once = 2
    needs_code = False

    def check(self, address: str) -> str:
        return address

    def shown(self, address: str) -> str:
        return address

    async def send(self, address: str, message: Message) -> Outcome:
        if self.hangs is not None:
            await self.hangs.wait()
        self.sent.append((address, message))
        return self.outcome

    async def close(self) -> None:
        pass


@pytest.fixture
def pager() -> Pager:
    return Pager()


@pytest.fixture
async def workers(api: Api, mails: MailServer, pager: Pager) -> Any:
    workers = Workers(api, (Email(mails.server()), pager))
    yield workers
    for one in workers.made:
        await one.close()


async def paged(api: Api, of: Person, pager: Pager, number: str = "17") -> UUID:
    """A pager of somebody's."""
    wallet = WalletId(read("wal", of.wallet_id))
    async with api.services.database.transaction() as connection:
        wanted = Wanted(number, "en", "UTC")
        added = await address.add(connection, api.services.vault, pager, wallet, wanted, ANYONE, api.clock())
    return added.id


async def modes(api: Api, of: Person, channel: str = "pager", **by_kind: Mode) -> None:
    """Modes of a channel."""
    wallet = WalletId(read("wal", of.wallet_id))
    wanted = {(kind, channel): mode for kind, mode in by_kind.items()}
    async with api.services.database.transaction() as connection:
        await preference.change(connection, wallet, wanted, (), ANYONE, api.clock())


async def rows(api: Api, kind: str = "bank_movement") -> list[tuple[str, str, str | None, str | None]]:
    """Channel, state, reason and what it falls back from, of deliveries of a kind."""
    async with api.services.database.reading() as connection:
        found = await connection.fetch(
            "SELECT channel, state, reason, falls_back_from FROM notification_delivery"
            " JOIN notification USING (wallet_id, event) WHERE kind = $1 ORDER BY channel",
            kind,
        )
    return [tuple(row) for row in found]


async def refuse(to: str) -> str | None:
    return "450 4.2.0 later"


async def nobody(to: str) -> str | None:
    return "550 5.1.1 nobody here"


async def test_what_failed_is_tried_again_with_the_same_id_until_it_is_taken(
    api: Api, workers: Workers, mails: MailServer, alice: Person
) -> None:
    await proved(alice, workers, mails, MAIL)
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
    await proved(alice, workers, mails, MAIL)
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
    await proved(alice, workers, mails, MAIL)
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
    await proved(alice, workers, mails, MAIL)
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
    await proved(alice, workers, mails, MAIL)
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
        waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        while not second.done() and not await connection.fetchval(waits):
            await connection.execute("SELECT pg_stat_clear_snapshot()")
    await second
    assert [row[:2] for row in await rows(api)] == [("email", "failed"), ("pager", "failed"), ("telex", "pending")]


async def test_a_channel_that_hangs_delays_no_other(
    api: Api, workers: Workers, mails: MailServer, pager: Pager, alice: Person
) -> None:
    await proved(alice, workers, mails, MAIL)
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
    await proved(alice, workers, mails, MAIL)
    await proved(bob, workers, mails, "bob@example.com")
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
    await proved(alice, workers, mails, MAIL)
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


async def claimed_now(api: Api) -> list[Claimed]:
    async with api.services.database.transaction() as connection:
        return await delivery.claim(connection, "email", 5, api.clock())


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
    await proved(alice, workers, mails, MAIL)
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


async def test_a_refused_transaction_leaves_neither_event_nor_notice(
    api: Api, workers: Workers, mails: MailServer, alice: Person, bob: Person
) -> None:
    await proved(alice, workers, mails, MAIL)
    assert (await alice.pay("@bob", "90000.00 EUR")).status_code == 409
    await workers.deliver()
    assert mails.mails == []


async def test_what_no_worker_has_the_channel_for_has_failed_after_a_day(
    api: Api, workers: Workers, mails: MailServer, pager: Pager, alice: Person
) -> None:
    await proved(alice, workers, mails, MAIL)
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


async def test_a_worker_without_channels_leaves_the_log_to_others(
    api: Api, workers: Workers, mails: MailServer, alice: Person
) -> None:
    await proved(alice, workers, mails, MAIL)
    await alice.receive("1.00 EUR")
    await workers.deliver(workers.another(channels=()))
    await workers.deliver()
    assert len(mails.mails) == 1


async def test_what_became_of_a_notice_is_forgotten_after_thirty_days(
    api: Api, workers: Workers, mails: MailServer, alice: Person
) -> None:
    await proved(alice, workers, mails, MAIL)
    await alice.receive("1.00 EUR")
    await workers.deliver()
    api.clock.ahead += delivery.KEPT - timedelta(minutes=1)
    await workers.made[0].forget()
    assert len(await rows(api)) == 1
    api.clock.ahead += timedelta(minutes=2)
    await workers.made[0].forget()
    async with api.services.database.reading() as connection:
        for table in ("notification", "notification_delivery"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0


async def test_what_is_due_and_how_far_the_log_was_read_is_told(
    api: Api, workers: Workers, mails: MailServer, alice: Person
) -> None:
    await proved(alice, workers, mails, MAIL)
    await alice.receive("1.00 EUR")
    async with api.services.database.transaction() as connection:
        before = await delivery.backlog(connection)
        assert before.waiting == {}
        assert before.reached < await log.last(connection)
        await delivery.take_in(connection, api.clock())
        queued = await delivery.backlog(connection)
        waits = queued.waiting["email"]
        assert (waits.count, waits.oldest, waits.due_since) == (1, waits.due_since, waits.oldest)
        assert waits.oldest is not None
        assert queued.addresses == {("email", "proved"): 1}
        assert queued.reached == await log.last(connection)
    await workers.deliver()
    async with api.services.database.transaction() as connection:
        assert (await delivery.backlog(connection)).waiting == {}
    assert workers.made[0].attempts == {("email", "sent"): 2}
    assert workers.made[0].ended == {("email", "sent"): 2}


async def test_what_is_tried_again_waits_until_it_has_ended(
    api: Api, workers: Workers, mails: MailServer, alice: Person
) -> None:
    await proved(alice, workers, mails, MAIL)
    worker = workers.made[0]
    mails.recipient = refusing("451 4.7.1 Later")
    await alice.receive("1.00 EUR")
    await workers.deliver()
    async with api.services.database.reading() as connection:
        waits = (await delivery.backlog(connection)).waiting["email"]
    assert (waits.count, waits.oldest is None, waits.due_since) == (1, False, None)
    sent = worker.ended["email", "sent"]

    api.clock.ahead += schedule.NEWS_FOR
    await worker.forget()
    async with api.services.database.reading() as connection:
        assert (await delivery.backlog(connection)).waiting == {}
    assert worker.ended == {("email", "sent"): sent, ("email", "failed"): 1}


async def test_what_is_switched_off_meanwhile_is_counted_as_skipped(
    workers: Workers, mails: MailServer, alice: Person
) -> None:
    await proved(alice, workers, mails, MAIL)
    mails.recipient = refusing("451 4.7.1 Later")
    await alice.receive("1.00 EUR")
    await workers.deliver()
    await prefer(alice, bank_movement="off")
    await workers.later(hours=1)
    assert workers.made[0].ended["email", "skipped"] == 1


async def test_an_address_that_is_none_is_counted_as_failed(workers: Workers, mails: MailServer, alice: Person) -> None:
    await proved(alice, workers, mails, MAIL)
    before = workers.made[0].ended.copy()
    mails.recipient = refusing("550 5.1.1 No such user")
    await alice.receive("1.00 EUR")
    await workers.deliver()
    assert workers.made[0].ended - before == {("email", "failed"): 1}


async def test_payer_and_payee_at_one_mailbox_are_two_messages(
    workers: Workers, mails: MailServer, alice: Person, bob: Person
) -> None:
    for one in (alice, bob):
        await proved(one, workers, mails, MAIL)
    await alice.pay("@bob", "1.00 EUR")
    await workers.deliver()
    assert len({str(one.message["Message-ID"]) for one in mails.mails}) == 2


async def test_a_worker_does_not_race_payments_for_each_of_their_events(
    api: Api, workers: Workers, mails: MailServer, alice: Person, bob: Person
) -> None:
    await proved(alice, workers, mails, MAIL)
    await bob.receive("1.00 EUR")
    assert not await workers.made[0].run(), "it has read what nobody is told of, and rests"

"""What is due, what ended how, and how long that is kept."""

from datetime import timedelta

import pytest

from gateway.events import log
from gateway.notifications import delivery, schedule
from tests.api.conftest import Api, Person
from tests.notifications.conftest import Workers, confirmed, prefer
from tests.notifications.delivery.conftest import MAIL, rows
from tests.notifications.mail_server import MailServer, refusing

pytestmark = pytest.mark.anyio


async def test_what_is_due_and_how_far_the_log_was_read_is_told(
    api: Api, workers: Workers, mails: MailServer, alice: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
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
        assert queued.addresses == {("email", "confirmed"): 1}
        assert queued.reached == await log.last(connection)
    await workers.deliver()
    async with api.services.database.transaction() as connection:
        assert (await delivery.backlog(connection)).waiting == {}
    assert workers.made[0].attempts == {("email", "sent"): 2}
    assert workers.made[0].ended == {("email", "sent"): 2}


async def test_what_is_tried_again_waits_until_it_has_ended(
    api: Api, workers: Workers, mails: MailServer, alice: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
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
    await confirmed(alice, workers, mails, MAIL)
    mails.recipient = refusing("451 4.7.1 Later")
    await alice.receive("1.00 EUR")
    await workers.deliver()
    await prefer(alice, bank_movement="off")
    await workers.later(hours=1)
    assert workers.made[0].ended["email", "skipped"] == 1


async def test_an_address_that_is_none_is_counted_as_failed(workers: Workers, mails: MailServer, alice: Person) -> None:
    await confirmed(alice, workers, mails, MAIL)
    before = workers.made[0].ended.copy()
    mails.recipient = refusing("550 5.1.1 No such user")
    await alice.receive("1.00 EUR")
    await workers.deliver()
    assert workers.made[0].ended - before == {("email", "failed"): 1}


async def test_what_became_of_a_notice_is_forgotten_after_thirty_days(
    api: Api, workers: Workers, mails: MailServer, alice: Person
) -> None:
    await confirmed(alice, workers, mails, MAIL)
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

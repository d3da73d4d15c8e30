"""Workers that are killed (SIGKILL) at any moment lose no notice, and what they repeat has the same id."""

import asyncio
import random
import signal
import sys

import pytest

from gateway.notifications.channels.email import Email
from tests.api.conftest import Api, Person
from tests.notifications.conftest import Workers, confirmed
from tests.notifications.mail_server import MailServer
from tests.processes import HANG_SECONDS, start
from tests.running import ROOT

pytestmark = pytest.mark.anyio

PAYMENTS, KILLS = 40, 3


@pytest.mark.seeds(1)
async def test_no_notice_is_lost_while_workers_are_killed(
    seed: int, api: Api, database_url: str, workers: Workers, mails: MailServer, alice: Person, bob: Person
) -> None:
    await confirmed(bob, workers, mails, "bob@example.com")
    chosen, kill = random.Random(seed), asyncio.Event()
    kills = sorted(chosen.sample(range(1, PAYMENTS - 5), KILLS))

    async def count(_: str) -> None:
        if kills and len({one.id for one in mails.mails}) >= kills[0]:
            kills.pop(0)
            kill.set()

    mails.data = count
    for _ in range(PAYMENTS):
        await alice.pay("@bob", "1.00 EUR")

    for _ in range(KILLS):
        argv = [sys.executable, "-P", "-m", "tests.notifications.worker", database_url, str(mails.port)]
        process = start(argv, cwd=ROOT)
        async with asyncio.timeout(HANG_SECONDS):
            await kill.wait()
        process.kill()
        assert process.wait() == -signal.SIGKILL
        kill.clear()
        async with api.services.database.transaction() as connection:  # as if the lease had run out by itself
            await connection.execute(
                "UPDATE notification_delivery SET leased_until = $1 WHERE lease IS NOT NULL", api.clock()
            )
    await workers.deliver()

    events = (await bob.get("/v1/events?type=payment.settled&limit=200")).json()["items"]
    assert {one.id for one in mails.mails} == {one["id"] for one in events}
    assert PAYMENTS <= len(mails.mails) <= PAYMENTS + KILLS * Email.at_once
    async with api.services.database.reading() as connection:
        states = await connection.fetch("SELECT DISTINCT state FROM notification_delivery")
        assert [row["state"] for row in states] == ["sent"]

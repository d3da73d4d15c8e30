"""A worker for notices, as a process that a test kills: `python -m tests.notifications.worker DATABASE_URL PORT`."""

import asyncio
import sys

from gateway.assembly import report_links
from gateway.clock import system_clock
from gateway.config.environment import from_environment
from gateway.config.mail import SmtpServer
from gateway.keys.vault import Vault
from gateway.notifications.channels.email import Email
from gateway.notifications.notifier import Notifier
from gateway.payments.model.settings import PaymentSettings
from gateway.postgres.pool import connect
from tests.api.conftest import MASTER_KEY
from tests.notifications.mail_server import SENDER


async def work(url: str, port: int) -> None:
    settings = PaymentSettings(from_environment({}).assets, {}, 0, 60, 60, 1.0, rails=(), payees=(), settles=())
    channel = Email(SmtpServer("127.0.0.1", port, "none", None, None, SENDER))
    async with connect(url, connections=4) as database:
        notifier = Notifier(
            *(database, Vault(MASTER_KEY), system_clock, (channel,), report_links(settings, system_clock)),
            "https://pay.example",
        )
        while True:
            if not await notifier.run():
                await asyncio.sleep(0.05)  # the pause of a worker that has nothing to do, a short one


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1], int(sys.argv[2])))

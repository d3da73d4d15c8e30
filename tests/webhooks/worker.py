"""A worker for webhooks alone, as a process that a test kills: `python -m tests.webhooks.worker DATABASE_URL`."""

import asyncio
import sys

from gateway.api.events.views import rendering
from gateway.clock import system_clock
from gateway.config.environment import from_environment
from gateway.keys.vault import Vault
from gateway.payments.model.settings import PaymentSettings
from gateway.postgres.pool import connect
from gateway.webhooks.dispatcher import Dispatcher
from gateway.webhooks.sender import Sender
from tests.api.conftest import MASTER_KEY
from tests.webhooks.conftest import LOOPBACK


async def work(url: str) -> None:
    settings = PaymentSettings(from_environment({}).assets, {}, 0, 60, 60, 1.0, rails=(), payees=(), settles=())
    async with connect(url, connections=4) as database:
        sender = Sender(LOOPBACK, system_clock, 4)
        dispatcher = Dispatcher(database, Vault(MASTER_KEY), system_clock, rendering(settings), sender)
        while True:
            if not await dispatcher.run():
                await asyncio.sleep(0.05)  # the pause of a worker that has nothing to do, a short one


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1]))

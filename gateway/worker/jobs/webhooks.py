"""Events are sent to the endpoints of the wallets that they concern."""

import asyncio

from gateway.worker.worker import Worker


async def run(worker: Worker) -> bool:
    """Take new events in, and send what is due. What takes long goes on between two runs."""
    return await worker.webhooks.run()


def news(worker: Worker) -> asyncio.Event:
    """Set when there may be something to do."""
    return worker.webhooks.news

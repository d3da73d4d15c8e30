"""Send events to the webhook endpoints of the wallets that they concern."""

import asyncio

from gateway.worker.worker import Worker


async def run(worker: Worker) -> bool:
    """Read new events, and send due deliveries. Long deliveries continue between two runs."""
    return await worker.webhooks.run()


def news(worker: Worker) -> asyncio.Event:
    """Return the asyncio event that is set when there may be something to do."""
    return worker.webhooks.news

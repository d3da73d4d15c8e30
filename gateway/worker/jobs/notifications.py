"""Notify people of events of their wallets."""

from gateway.worker.worker import Worker


async def run(worker: Worker) -> bool:
    """Read new events, and send due deliveries. Long deliveries continue between two runs."""
    return await worker.notifications.run()

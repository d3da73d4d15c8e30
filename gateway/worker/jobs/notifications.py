"""Notify people of what happened to their wallets."""

from gateway.worker.worker import Worker


async def run(worker: Worker) -> bool:
    """Read new events, and send what is due. Long deliveries continue between two runs."""
    return await worker.notifications.run()

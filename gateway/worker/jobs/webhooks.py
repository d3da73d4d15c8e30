"""Events are sent to the endpoints of the wallets that they concern."""

from gateway.worker.worker import Worker


async def run(worker: Worker) -> bool:
    """Take new events in, and send what is due. What takes long goes on between two runs."""
    return await worker.webhooks.run()

"""People are told what happened to their wallets."""

from gateway.worker.worker import Worker


async def run(worker: Worker) -> bool:
    """Read what is new, and send what is due. What takes long goes on between two runs."""
    return await worker.notifications.run()

"""Tokens that stayed at an address which their wallet has left are sent after it once more."""

from gateway.custody import sweep
from gateway.worker.worker import Worker


async def run(worker: Worker) -> bool:
    """Try again what was to follow its wallet to another address and came to nothing."""
    async with worker.database.reading() as connection:
        settings = await worker.settings_now(connection)
    return await sweep.retry(worker.database, worker.node, settings, worker.clock()) > 0

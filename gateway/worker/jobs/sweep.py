"""Retry sweeps of tokens that stayed at a wallet's previous address."""

from gateway.custody import sweep
from gateway.worker.worker import Worker


async def run(worker: Worker) -> bool:
    """Retry failed sweeps."""
    async with worker.database.reading() as connection:
        settings = await worker.settings_now(connection)
    return await sweep.retry(worker.database, worker.node, settings, worker.clock()) > 0

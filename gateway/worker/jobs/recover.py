"""After a restore: says when the chain is read up, and brings in what lies at addresses that were given back."""

from gateway.reconciliation import recovery
from gateway.worker.worker import Worker


async def run(worker: Worker) -> bool:
    """In recovery, say when all is read; afterwards, bring in what lies at the addresses that were given back."""
    async with worker.database.reading() as connection:
        settings = await worker.settings_now(connection)
    read = await recovery.finish_reading(worker.database, worker.node, worker.clock())
    return await recovery.post_returned(worker.database, worker.node, settings, worker.clock()) > 0 or read

"""After a restore: report when the chain is read, and post the balances of addresses that were returned."""

from gateway.reconciliation import recovery
from gateway.worker.worker import Worker


async def run(worker: Worker) -> bool:
    """In recovery, report when everything is read; afterwards, post the balances of addresses that were returned."""
    async with worker.database.reading() as connection:
        settings = await worker.settings_now(connection)
    read = await recovery.finish_reading(worker.database, worker.node, worker.clock())
    return await recovery.post_returned(worker.database, worker.node, settings, worker.clock()) > 0 or read

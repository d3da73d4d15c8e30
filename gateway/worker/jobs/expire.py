"""End expired holds, payments that were not signed in time, and freezes that were not approved. Also queue payments
whose undo window has ended, and delete counts that no limit uses any more. Each kind has a transaction of its own.
"""

from gateway.controls import wallet_freeze
from gateway.payments.checks import spending
from gateway.payments.ends import capture_void, undo_window
from gateway.worker.worker import Worker


async def run(worker: Worker) -> bool:
    """Release expired holds, queue payments whose undo window has ended, and delete counts that no limit uses
    any more.
    """
    async with worker.database.transaction() as connection:
        expired = await capture_void.expire_due(connection, worker.settings, worker.clock())
    async with worker.database.transaction() as connection:
        expired += await capture_void.expire_unsigned(connection, worker.settings, worker.clock())
    async with worker.database.transaction() as connection:
        expired += await wallet_freeze.end_expired(connection, worker.clock())
    async with worker.database.transaction() as connection:
        expired += await undo_window.send_due(connection, await worker.settings_now(connection), worker.clock())
    async with worker.database.transaction() as connection:
        expired += await spending.forget(connection, worker.clock())
    return expired > 0

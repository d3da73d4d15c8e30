"""Compare the ledger with the chain and the bank, in one of all workers. A difference that is seen twice freezes
withdrawals. The totals of each token are recorded over time.
"""

import logging

from gateway.bank import movements
from gateway.reconciliation import history, monitor
from gateway.worker.worker import Worker

log = logging.getLogger(__name__)


async def run(worker: Worker) -> bool:
    """Reconcile the ledger with the chain and the bank, if a run is due and no other worker does it."""
    async with worker.database.reading() as connection:
        settings = await worker.settings_now(connection)
    confirmed = await monitor.reconcile(
        worker.database, worker.node, settings, movements.reconcile, worker.schedule, worker.clock
    )
    for one in confirmed:
        log.error(
            "%s: withdrawals of %s are frozen. Find out why, put it right, then run 'gateway withdrawals unfreeze %s'",
            *(one, one.asset.code, one.asset.code),
        )
    await history.record(worker.database, settings, worker.clock())
    return False

"""Write checkpoints over the new rows of both logs (audit/checkpoint.py)."""

import logging

from gateway.audit import checkpoint
from gateway.audit.row import LEAF
from gateway.custody import wallet_keys
from gateway.worker import intervals
from gateway.worker.worker import Worker

log = logging.getLogger(__name__)


async def run(worker: Worker) -> bool:
    """Write a checkpoint over the next rows of both logs. The first of each hour is logged: a logged head shows later
    whether checkpoints were removed.
    """
    now = worker.clock()
    async with worker.database.transaction() as connection:
        last = await checkpoint.head(connection)
        key = await wallet_keys.checkpoint_key(connection, worker.vault, now)
        written = await checkpoint.write(connection, key, now)
    if written is None:
        return False
    if last is None or last.at.replace(minute=0, second=0, microsecond=0) + intervals.LOG_CHECKPOINT_EVERY <= now:
        log.info("the newest checkpoint of the logs is %s", written.head)
    return any(len(part.leaves) == checkpoint.ROWS_MAX * LEAF for part in written.parts.values())

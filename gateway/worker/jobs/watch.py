"""Settle final blocks in the ledger, in order, a block range at a time.

The block range is read from the node first. One transaction then moves the cursor and posts the movements, so a block
range is settled once, whichever worker has read it.
"""

import logging
from dataclasses import replace
from time import monotonic
from uuid import UUID

from gateway.chain.deployment import deploy
from gateway.chain.errors import NodeUnavailable
from gateway.chain.relayer import relayers
from gateway.chain.token import authorization
from gateway.chain.watcher import watch
from gateway.chain.watcher.block_range import BlockRange
from gateway.payments.model.settings import PaymentSettings
from gateway.reconciliation import recovery
from gateway.settlement import block_settlement
from gateway.worker import traces
from gateway.worker.worker import Worker

log = logging.getLogger(__name__)


async def run(worker: Worker) -> bool:
    """Read the next final blocks and write them into the ledger."""
    async with worker.database.reading() as connection:
        chain = await deploy.chain(connection, worker.settings.assets)
        settings, cursor = replace(worker.settings, contracts=chain.contracts), chain.cursor
        contracts = list(settings.contracts.values())
        hashes = await relayers.open_hashes(connection, contracts[0].chain_id, worker.clock()) if contracts else {}
    if cursor is None or not worker.block_time.due(awaited=bool(hashes)):
        return False
    block_range = await watch.read(worker.node, contracts, cursor, worker.finality, hashes)
    if block_range is None:
        return False
    read = monotonic()
    worker.block_time.came(block_range.last.number - cursor.number, block_range.last.timestamp - cursor.timestamp)
    if not block_range.newest:
        worker.block_time.at_once()
    used = await _used(worker, settings, block_range) if block_range.newest else {}
    unknown = await recovery.unknown_movements(worker.database, worker.node, settings, block_range.movements)
    async with worker.database.transaction() as connection:
        written = await block_settlement.settle(
            connection, settings.assets, settings.settles, cursor, block_range, used, worker.clock()
        )
        if written:
            await recovery.record(connection, settings, block_range, unknown, worker.clock())
    if written and worker.tracer is not None:
        traces.final(worker.tracer, written.events, block_range, read)
    line = worker.catch_up.line(block_range, worker.clock()) if written else None
    if line:
        log.info(line)
    return True


async def _used(worker: Worker, settings: PaymentSettings, block_range: BlockRange) -> dict[UUID, bool]:
    """Return what the contracts say about expired authorizations. A node may not know, for an old block or after a
    restart: then they wait for a later block range, and this one is written without them.
    """
    async with worker.database.reading() as connection:
        overdue = await authorization.overdue(connection, block_range.assets, block_range.last.timestamp)
    try:
        return await authorization.used(worker.node, settings.contracts, overdue, block_range.last.number)
    except NodeUnavailable as unknown:
        log.warning("%d expired authorizations wait: %s", len(overdue), unknown)
        return {}

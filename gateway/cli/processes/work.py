"""work: signs, relays, watches and settles. Any number of these processes run over one database."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

import uvloop

from gateway import assembly, logs
from gateway.api.events.views import rendering
from gateway.chain.deployment import roles
from gateway.chain.errors import NodeUnavailable
from gateway.chain.watcher import cursors, same_chain
from gateway.cli.processes.process import collect_less, exported, exporter_of, on_signal
from gateway.config.config import Config
from gateway.postgres.errors import DatabaseUnavailable
from gateway.worker import loop, metrics
from gateway.worker.worker import Worker

log = logging.getLogger(__name__)


def work(config: Config) -> None:
    """Sign, batch, send, watch and settle until SIGTERM or Ctrl-C."""
    logs.to_standard_error(config.log_format)
    uvloop.run(_work(config))


async def _work(config: Config) -> None:
    stop = asyncio.Event()
    on_signal(stop.set)
    async with assembly.patiently(lambda: assembly.worker(config, rendering), stop) as worker:
        if worker is not None:
            exporter = exporter_of(worker.database)
            metrics.WorkerMetrics(worker).export(exporter)
            async with exported(exporter, config):
                await _until_stopped(_run(worker, stop), stop, config.stop_seconds)


async def _run(worker: Worker, stop: asyncio.Event) -> None:
    if await _verified(worker, stop):
        collect_less()
        print("working", flush=True)
        await loop.run(worker, stop)


async def _until_stopped(work: Coroutine[Any, Any, None], stop: asyncio.Event, seconds: float) -> None:
    """Run the work to its end. Once `stop` is set it has `seconds` to finish, and is then cancelled wherever it is, as
    if the process had been killed: another worker continues it.
    """
    task, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    await asyncio.wait({task}, timeout=seconds)
    if not task.done():
        log.warning("a job did not end within %g s and was stopped; a worker will run it again", seconds)
        task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def _verified(worker: Worker, stop: asyncio.Event) -> bool:
    """Wait until the node and the ledger are known to be on the same chain. Returns False if `stop` is set before. The
    reason for waiting is logged once.
    """
    contracts, said = list(worker.settings.contracts.values()), ""
    while not stop.is_set():
        try:
            async with worker.database.reading() as connection:
                cursor = await cursors.read(connection, contracts[0].chain_id) if contracts else None
            await same_chain.verify(worker.node, contracts, cursor)
            await roles.grant(worker.database, worker.node, worker.signers, contracts, worker.clock)
            return True
        except (NodeUnavailable, DatabaseUnavailable) as gone:
            if said != str(gone):
                said = str(gone)
                log.warning("waiting: %s", said)
            await asyncio.sleep(1)
    return False

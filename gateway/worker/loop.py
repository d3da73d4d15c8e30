"""The loop: run every job repeatedly, side by side. It knows only the list (jobs/).

A job that fails is logged and retried; the others continue. A fatal error ends the worker.
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from time import monotonic

from gateway.chain.errors import ChainReplaced
from gateway.errors import GatewayError, Misconfigured
from gateway.postgres.errors import DatabaseUnavailable
from gateway.tracing import steps
from gateway.worker import intervals, traces
from gateway.worker.job import Job
from gateway.worker.jobs import JOBS
from gateway.worker.worker import Worker

log = logging.getLogger(__name__)

#: Fatal errors: the worker ends, so that nothing more is signed, and a person sees why.
_FATAL = (ChainReplaced, Misconfigured)


async def run(worker: Worker, stop: asyncio.Event, jobs: Sequence[Job] = JOBS) -> None:
    """Run the jobs until `stop` is set; each ends between two of its transactions.

    Raises ChainReplaced or Misconfigured, after cancelling every job wherever it is.
    """
    away: dict[str, datetime] = {}
    tasks = [asyncio.create_task(_repeat(job, worker, stop, away), name=job.name) for job in jobs]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _repeat(job: Job, worker: Worker, stop: asyncio.Event, away: dict[str, datetime]) -> None:
    """Run one job. `away` is shared by all jobs: an unavailable database is logged once for all of them."""
    said: dict[str, datetime] = {}
    while not stop.is_set():
        failed = False
        try:
            worked = await _run(job, worker)
            wait = 0.0 if worked else job.idle_seconds
            worker.runs.note(job.name, "worked" if worked else "idle", worker.clock())
        except _FATAL:
            raise
        except Exception as error:  # noqa: BLE001 - the one place that records whatever failed and goes on
            if isinstance(error, DatabaseUnavailable):
                _say("every job", error, away, worker.clock())
            else:
                _say(job.name, error, said, worker.clock())
            wait, failed = intervals.AFTER_FAILURE, True
            worker.runs.note(job.name, "failed", worker.clock())
        if wait:
            await _until(stop, wait, job.news(worker) if job.news is not None and not failed else None)


async def _run(job: Job, worker: Worker) -> bool:
    if worker.tracer is None:
        return await job.run(worker)
    kept, began = steps.begin(), monotonic()
    worked = await job.run(worker)
    if worked:
        traces.job_run(worker.tracer, job.name, began, kept)
    return worked


def _say(job: str, error: Exception, said: dict[str, datetime], now: datetime) -> None:
    """Log a failure, unless the same was logged recently. Unexpected errors have a traceback."""
    line = f"{job}: {error}" if isinstance(error, GatewayError) else f"{job}: {type(error).__name__}: {error}"
    for old in [old for old, at in said.items() if now - at >= intervals.LOG_AGAIN_EVERY]:
        del said[old]
    if line not in said:
        said[line] = now
        if isinstance(error, GatewayError):
            log.warning(line)
        else:
            log.error(line, exc_info=error)


async def _until(stop: asyncio.Event, seconds: float, news: asyncio.Event | None) -> None:
    """Sleep until the time is over, `stop` is set, or there is news."""
    waits = [asyncio.create_task(event.wait()) for event in (stop, news) if event is not None]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waits:
            one.cancel()

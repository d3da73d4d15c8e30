"""A worker that sends webhooks and does nothing else: `gateway work`, without the jobs that need a chain."""

import asyncio
import signal

import uvloop

from gateway import assembly
from gateway.api.events.views import rendering
from gateway.config.environment import from_environment
from gateway.worker import loop
from gateway.worker.jobs import JOBS


async def _deliver() -> None:
    stop = asyncio.Event()  # by SIGTERM, as `gateway work`: what is under way is recorded, and leaves no lease
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with assembly.worker(from_environment(), rendering) as worker:
        await loop.run(worker, stop, [job for job in JOBS if job.name == "webhooks"])


if __name__ == "__main__":
    uvloop.run(_deliver())

"""A worker that sends webhooks and does nothing else: `gateway work`, without the jobs that need a chain."""

import asyncio

import uvloop

from gateway import assembly
from gateway.api.events.views import rendering
from gateway.config.environment import from_environment
from gateway.worker import loop
from gateway.worker.jobs import JOBS


async def _deliver() -> None:
    async with assembly.worker(from_environment(), rendering) as worker:
        await loop.run(worker, asyncio.Event(), [job for job in JOBS if job.name == "webhooks"])


if __name__ == "__main__":
    uvloop.run(_deliver())

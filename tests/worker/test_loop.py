"""The loop alone, over jobs made for the test."""

import asyncio
from types import SimpleNamespace

import pytest

from gateway.clock import system_clock
from gateway.errors import Misconfigured
from gateway.worker import loop
from gateway.worker.job import Job
from gateway.worker.job_runs import JobRuns
from tests.processes import HANG_SECONDS

pytestmark = pytest.mark.anyio

#: The loop itself needs nothing of a worker but the time, and where to note how its jobs get on.
WORKER = SimpleNamespace(tracer=None, clock=system_clock, runs=JobRuns())


class Counted:
    """A job that has so many pieces of work, then stops the loop or raises `error`."""

    def __init__(self, stop: asyncio.Event, pieces: int, error: Exception | None = None) -> None:
        self.stop, self.pieces, self.error, self.runs = stop, pieces, error, 0

    async def run(self, _: object) -> bool:
        self.runs += 1
        await asyncio.sleep(0)  # a turn of the loop, as every job takes one
        if self.runs <= self.pieces:
            return True
        if self.error is not None:
            raise self.error
        self.stop.set()
        return False


async def test_a_job_runs_again_at_once_while_it_has_work_and_beside_one_that_fails() -> None:
    stop = asyncio.Event()
    failing, working = Counted(stop, 0, ZeroDivisionError()), Counted(stop, 50)
    jobs = [Job("failing", failing.run, HANG_SECONDS), Job("working", working.run, HANG_SECONDS)]

    await asyncio.wait_for(loop.run(WORKER, stop, jobs), HANG_SECONDS)

    assert (failing.runs, working.runs) == (1, 51)
    counts = WORKER.runs.counts
    assert counts == {("failing", "failed"): 1, ("working", "worked"): 50, ("working", "idle"): 1}
    assert set(WORKER.runs.succeeded_at) == {"working"}


async def test_what_nothing_may_go_on_after_ends_every_job() -> None:
    stop = asyncio.Event()
    fatal, endless = Counted(stop, 3, Misconfigured("there is no such token")), Counted(stop, 10**9)
    jobs = [Job("fatal", fatal.run, 0.0), Job("endless", endless.run, 0.0)]

    with pytest.raises(Misconfigured, match="no such token"):
        await asyncio.wait_for(loop.run(WORKER, stop, jobs), HANG_SECONDS)

    assert not stop.is_set()

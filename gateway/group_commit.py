"""Group commit: requests that arrive during a commit share the next one; a single request does not wait.

There is no timer: as soon as a connection is free, everything that waits is committed together. Batches grow with the
load, because more arrives during a commit; the disk is flushed once for all of them.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from time import monotonic
from typing import Generic, TypeVar, cast

from gateway.metrics.histogram import SIZES, Histogram
from gateway.postgres.errors import DatabaseUnavailable, LockTimeout
from gateway.tracing import steps

log = logging.getLogger(__name__)

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

#: Called after each commit with the submitted requests, their answers, and its beginning and end by the monotonic
#: clock.
AfterCommit = Callable[[Sequence[Asked], Sequence[Answer], float, float], None]

#: Called with the result of one request: its answer, or the error.
Callback = Callable[[Answer | None, Exception | None], None]


class GroupCommit(Generic[Asked, Answer]):
    """Passes submitted requests to `commit`, many at a time, and each answer back to its caller.

    `commit` takes a list and returns an answer each, in order, having committed; or it raises, having committed
    nothing, or with an unknown outcome. Up to `at_once` commits, of at most `maximum` requests each, run concurrently.
    One commit at a time has the same throughput as two, because two wait for each other's accounts, and its slowest
    answers take half the time. `maximum` is far below the number of requests that wait under load; otherwise PostgreSQL
    would be idle while all callers get their answers and send their next requests.
    """

    def __init__(
        self,
        commit: Callable[[list[Asked]], Awaitable[Sequence[Answer]]],
        maximum: int = 64,
        at_once: int = 1,
        after_commit: AfterCommit[Asked, Answer] | None = None,
    ) -> None:
        self._commit = commit
        self._after_commit = after_commit
        self._most = maximum
        self._free = at_once
        self._waiting: deque[tuple[Asked, Callback[Answer]]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self.sizes = Histogram(SIZES)  # The sizes of the batches passed to `commit`.

    def submit(self, asked: Asked) -> "asyncio.Future[Answer]":
        """Return a future with the answer. Cancelling it changes nothing: the request is committed all the same."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self.add(asked, partial(_resolve, future))
        return future

    def add(self, asked: Asked, callback: Callback[Answer]) -> None:
        """Submit without a future: `callback` is called from the event loop."""
        self._waiting.append((asked, callback))
        if self._free:
            self._free -= 1
            task = asyncio.get_running_loop().create_task(self._work())
            self._running.add(task)  # the loop itself keeps only weak references to tasks
            task.add_done_callback(self._running.discard)

    async def _work(self) -> None:
        """Commit batch after batch, until no request waits."""
        steps.stop()  # the batches are not only for the request that submitted first
        try:
            while self._waiting:
                fault = await self._batch([self._waiting.popleft() for _ in range(min(len(self._waiting), self._most))])
                if isinstance(fault, DatabaseUnavailable):  # each batch would wait as long as this one, in vain
                    waiting, self._waiting = list(self._waiting), deque()
                    _call_back(waiting, [None] * len(waiting), fault)
        finally:
            self._free += 1

    async def _batch(self, batch: list[tuple[Asked, Callback[Answer]]]) -> Exception | None:
        """Commit a batch. If it fails, its requests are committed one by one, so that one fault does not fail all. If
        the database is unavailable, all get that error. If a single request has waited for a lock until the timeout,
        the rest get that error too: one after the other they would wait longer than their callers do, and so would all
        after them. Returns the last error.
        """
        self.sizes.observe(len(batch))
        began = monotonic()
        try:
            answers = await self._commit([asked for asked, _ in batch])
        except DatabaseUnavailable as away:
            _call_back(batch, [None] * len(batch), away)
            return away
        except Exception as fault:  # noqa: BLE001 - whatever it was, everybody gets an answer
            if len(batch) == 1:
                _call_back(batch, [None] * len(batch), fault)
                return fault
            for place, one in enumerate(batch):
                alone = await self._batch([one])
                if isinstance(alone, LockTimeout | DatabaseUnavailable):
                    _call_back(batch[place:], [None] * len(batch[place:]), alone)
                    return alone
        else:
            assert len(answers) == len(batch), "an answer each"
            asyncio.get_running_loop().call_soon(_call_back, batch, answers)
            if self._after_commit is not None:
                self._after_commit([asked for asked, _ in batch], answers, began, monotonic())
        return None


def _call_back(
    batch: list[tuple[Asked, Callback[Answer]]], answers: Sequence[Answer | None], fault: Exception | None = None
) -> None:
    for (_, callback), answer in zip(batch, answers, strict=True):
        try:
            callback(answer, fault)
        except Exception:
            log.exception("a caller could not be given its result")


def _resolve(future: "asyncio.Future[Answer]", answer: Answer | None, fault: Exception | None) -> None:
    if future.done():
        return  # nobody waits any more
    if fault is not None:
        future.set_exception(fault)
    else:
        future.set_result(cast("Answer", answer))

"""Group commit: requests that arrive while a commit is under way share the next one; a lone request waits for nobody.

There is no timer: as soon as a connection is free, whatever waits goes together. Under load batches grow by themselves,
since more arrives during a commit; the disk is asked to be sure once for all of them.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Generic, TypeVar

from gateway.metrics.histogram import SIZES, Histogram
from gateway.postgres.errors import Contended, DatabaseUnavailable
from gateway.tracing import steps

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

#: Told of each commit: what was submitted, its answers, and when it began and ended, by the monotonic clock.
Told = Callable[[Sequence[Asked], Sequence[Answer], float, float], None]


class GroupCommit(Generic[Asked, Answer]):
    """Hands what is submitted to `commit`, many at a time, and each answer back to who asked.

    `commit` takes a list and returns an answer each, in order, having committed; or it raises, having committed
    nothing or nobody knows what. Up to `at_once` commits run side by side, of up to `most` each: one is as fast as two,
    since two wait for each other's accounts, and its slowest answers come in half the time. `most` is far below what
    waits when many ask at once, or else PostgreSQL would idle while everybody is answered and asks again.
    """

    def __init__(
        self,
        commit: Callable[[list[Asked]], Awaitable[list[Answer]]],
        most: int = 64,
        at_once: int = 1,
        told: Told[Asked, Answer] | None = None,
    ) -> None:
        self._commit = commit
        self._told = told
        self._most = most
        self._free = at_once
        self._waiting: deque[tuple[Asked, asyncio.Future[Answer]]] = deque()
        self._running: set[asyncio.Task[None]] = set()
        self.sizes = Histogram(SIZES)  #: How many were handed to each `commit`.

    def submit(self, asked: Asked) -> "asyncio.Future[Answer]":
        """A future with the answer. Whoever stops waiting for it changes nothing: what was submitted is committed."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, future))
        if self._free:
            self._free -= 1
            task = asyncio.get_running_loop().create_task(self._work())
            self._running.add(task)  # the loop itself keeps only weak references to tasks
            task.add_done_callback(self._running.discard)
        return future

    async def _work(self) -> None:
        """Commit batch after batch, until nothing waits."""
        steps.stop()  # whoever submitted first is not who all of it is for
        try:
            while self._waiting:
                fault = await self._batch([self._waiting.popleft() for _ in range(min(len(self._waiting), self._most))])
                if isinstance(fault, DatabaseUnavailable):  # each batch would wait as long as this one, in vain
                    waiting, self._waiting = list(self._waiting), deque()
                    _tell(waiting, fault)
        finally:
            self._free += 1

    async def _batch(self, batch: "list[tuple[Asked, asyncio.Future[Answer]]]") -> Exception | None:
        """Commit a batch. One that fails for a reason of its own is committed again, each alone, so that the fault of
        one is not the fault of all; where the database is away, everybody is told so, and so is the rest where somebody
        holds what even one alone is waiting for: the relayer is not theirs to block. Returns what went wrong at last.
        """
        self.sizes.observe(len(batch))
        began = monotonic()
        try:
            answers = await self._commit([asked for asked, _ in batch])
        except DatabaseUnavailable as away:
            _tell(batch, away)
            return away
        except Exception as fault:  # noqa: BLE001 - whatever it was, everybody gets an answer
            if len(batch) == 1:
                _tell(batch, fault)
                return fault
            for place, one in enumerate(batch):
                alone = await self._batch([one])
                if isinstance(alone, Contended | DatabaseUnavailable):
                    _tell(batch[place:], alone)
                    return alone
        else:
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
            if self._told is not None:
                self._told([asked for asked, _ in batch], answers, began, monotonic())
        return None


def _tell(batch: "list[tuple[Asked, asyncio.Future[Answer]]]", error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)

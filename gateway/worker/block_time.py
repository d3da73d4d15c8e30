"""How often the chain is asked for news: a few times in each block, however long its blocks take.

How long they take is measured from headers, and the shortest of late counts. A chain may rest: its blocks come every
half minute while there is nothing to mine, and every half second as soon as there is. So when something of ours is on
its way, the first questions are quick, and each later one waits for a part of the time that it has been so. While
nothing is, quick blocks are asked for less often the longer none came.
"""

import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta

#: In seconds: the least and the most between two questions, and the most where blocks are quick and nothing is awaited.
_LEAST, _MOST, _MOST_QUICK = 0.1, 4.0, 1.0

#: Questions in a block's time, and for each look after the relayers.
_QUESTIONS = 4
_ROUNDS = 2

#: Measurements that count.
_LATE = 16

#: Whatever blocks take, relayers are looked after so often: readiness counts on it.
_ROUND_MOST = timedelta(seconds=20)


class BlockTime:
    """`always` asks whenever it is told to, whatever was measured. `now` is in seconds."""

    def __init__(self, always: bool = False, now: Callable[[], float] = time.monotonic) -> None:
        self._always = always
        self._now = now
        self._measured: deque[float] = deque(maxlen=_LATE)
        self._asked_at = -float("inf")
        self._came_at = now()
        self._awaited_at: float | None = None

    @property
    def seconds(self) -> float | None:
        """The shortest that blocks have taken of late; None before any was seen."""
        return min(self._measured, default=None)

    def came(self, blocks: int, seconds: float) -> None:
        """Record how many blocks arrived, and how long they took by their timestamps."""
        self._measured.append(seconds / blocks)
        self._came_at = self._now()

    def due(self, awaited: bool) -> bool:
        """Whether to ask now; then it is noted that we did. `awaited`: something of ours is to be in a block soon."""
        if self._always:
            return True
        now = self._now()
        if not awaited:
            self._awaited_at = None
        elif self._awaited_at is None:
            self._awaited_at = now
        if now - self._asked_at < self._pause(now):
            return False
        self._asked_at = now
        return True

    def at_once(self) -> None:
        """Ask again at the next turn: there is more to read."""
        self._asked_at = -float("inf")

    def _pause(self, now: float) -> float:
        shortest = self.seconds
        if self._awaited_at is not None:
            waited = now - self._awaited_at
            pause = (waited if shortest is None else min(waited, shortest)) / _QUESTIONS
        else:
            rest = (now - self._came_at) / _QUESTIONS
            pause = rest if shortest is None else max(min(rest, _MOST_QUICK), shortest / _QUESTIONS)
        return min(max(pause, _LEAST), _MOST)

    def rounds(self, least: timedelta) -> timedelta:
        """How often relayers are looked after: no more than twice a block, and `least` where blocks are quick."""
        if self._always or self.seconds is None:
            return least
        return max(least, min(timedelta(seconds=self.seconds / _ROUNDS), _ROUND_MOST))

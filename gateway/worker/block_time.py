"""How often the node is polled: a few times per block, however long blocks take.

The block time is measured from headers; the shortest of the recent ones counts. A chain may be idle: some make a block
every half minute while there is nothing to mine, and every half second as soon as there is. So when a transaction is
pending, the first polls are quick, and each later one waits for a fraction of the time since. While none is, a chain of
quick blocks is polled less often the longer no block came.
"""

import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta

#: In seconds: the shortest and the longest time between two polls, and the longest if blocks are quick and nothing is
#: pending.
_MIN, _MAX, _MAX_QUICK = 0.1, 4.0, 1.0

#: Polls per block, and rounds of relayer maintenance per block.
_QUESTIONS = 4
_ROUNDS = 2

#: How many measurements count.
_LATE = 16

#: The longest time between two rounds of relayer maintenance, however long blocks take: readiness depends on it.
_ROUND_MAX = timedelta(seconds=20)


class BlockTime:
    """Decides when to poll. With `always` every call of `due` polls, whatever was measured. `now` is in seconds."""

    def __init__(self, always: bool = False, now: Callable[[], float] = time.monotonic) -> None:
        self._always = always
        self._now = now
        self._measured: deque[float] = deque(maxlen=_LATE)
        self._asked_at = -float("inf")
        self._came_at = now()
        self._awaited_at: float | None = None

    @property
    def seconds(self) -> float | None:
        """The shortest recent block time; None before any was measured."""
        return min(self._measured, default=None)

    def came(self, blocks: int, seconds: float) -> None:
        """Record how many blocks arrived, and how long they took by their timestamps."""
        self._measured.append(seconds / blocks)
        self._came_at = self._now()

    def due(self, awaited: bool) -> bool:
        """Return whether to poll now, and record it. `awaited`: a transaction is pending."""
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
        """Poll again at the next call: there is more to read."""
        self._asked_at = -float("inf")

    def _pause(self, now: float) -> float:
        shortest = self.seconds
        if self._awaited_at is not None:
            waited = now - self._awaited_at
            pause = (waited if shortest is None else min(waited, shortest)) / _QUESTIONS
        else:
            rest = (now - self._came_at) / _QUESTIONS
            pause = rest if shortest is None else max(min(rest, _MAX_QUICK), shortest / _QUESTIONS)
        return min(max(pause, _MIN), _MAX)

    def rounds(self, minimum: timedelta) -> timedelta:
        """Return how often relayers are maintained: at most twice a block, and every `minimum` if blocks are quick."""
        if self._always or self.seconds is None:
            return minimum
        return max(minimum, min(timedelta(seconds=self.seconds / _ROUNDS), _ROUND_MAX))

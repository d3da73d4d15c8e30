"""The time. A gateway's time is its database's: all processes of one gateway have the same, whatever their machines
say. It is kept in the process from one look at the database to the next, so that asking for it costs nothing, and it is
handed in, so a test can stand still or go ahead: nothing below `commands` asks the machine, except to read a header of
HTTP that is in the machine's time (chain/json_rpc.py).
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

log = logging.getLogger(__name__)

#: A function that says what time it is, in UTC.
Clock = Callable[[], datetime]

#: A machine's clock that is off by more than this is said to be wrong, in seconds.
_OFF_SECONDS: Final = 1.0

#: A look that differs from what is kept by less than this, beside what its own travel may account for, changes nothing.
_SAME_SECONDS: Final = 0.02


def system_clock() -> datetime:
    """The machine's time, in UTC."""
    return datetime.now(UTC)


def steady() -> float:
    """Seconds that only go forward, also while the machine sleeps, and that nobody sets (clock_gettime(2))."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class DatabaseClock:
    """The database's time, as a `Clock`. It is the machine's until `set` was called."""

    def __init__(self) -> None:
        self._ahead: float | None = None  #: Of `steady`, in seconds.
        self._uncertain = 0.0
        self._is_off = False

    def __call__(self) -> datetime:
        if self._ahead is None:
            return system_clock()
        return datetime.fromtimestamp(steady() + self._ahead, UTC)

    def set(self, at: datetime, asked: float, answered: float) -> None:
        """The database said that it is `at`; it was asked and had answered at these `steady` times. A machine whose
        clock is found to be off, or right again, is logged.
        """
        uncertain = (answered - asked) / 2
        ahead = at.timestamp() - (asked + answered) / 2
        if self._ahead is None or abs(ahead - self._ahead) > uncertain + _SAME_SECONDS:
            self._ahead, self._uncertain = ahead, uncertain
        off = self.off_seconds()
        if bool(off) != self._is_off:
            self._is_off = bool(off)
            if off:
                log.warning(
                    "this machine's clock is %.1f s %s the database's, which is what counts: set it right (NTP)",
                    *(abs(off), "ahead of" if off > 0 else "behind"),
                )
            else:
                log.info("this machine's clock agrees with the database's again")

    def off_seconds(self) -> float:
        """How far the machine's clock is ahead of the database's (negative: behind); 0 where it is within a second, or
        may be for all that is known.
        """
        off = (system_clock() - self()).total_seconds()
        return off if abs(off) - self._uncertain > _OFF_SECONDS else 0.0


@lru_cache(maxsize=256)  # what is committed together has one time
def rfc3339(at: datetime) -> str:
    """`at` as people and programs read it: 2030-01-31T12:00:00.000000Z (RFC 3339, microseconds, UTC)."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"

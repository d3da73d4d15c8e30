"""The time. A gateway uses the time of its database, so all processes of one gateway have the same time, whatever their
machines' clocks. It is kept in the process between two readings of the database's clock, so that reading it costs
nothing. It is passed in, so that a test can stop or advance it: only the commands (cli/) and the HTTP client of the
node, for a header in the machine's time (chain/json_rpc.py), read the machine's clock.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

log = logging.getLogger(__name__)

#: A function that returns the current time, in UTC.
Clock = Callable[[], datetime]

#: A machine's clock that is off by more than this is reported, in seconds.
_OFF_SECONDS: Final = 1.0

#: A reading that differs from the kept time by less than this, plus the uncertainty of its round trip, changes nothing.
_SAME_SECONDS: Final = 0.02


def system_clock() -> datetime:
    """Return the machine's time, in UTC."""
    return datetime.now(UTC)


def steady() -> float:
    """Return seconds that only increase, also while the machine sleeps, and that nobody sets (clock_gettime(2))."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class DatabaseClock:
    """The database's time, as a `Clock`. It is the machine's until `set` is called."""

    def __init__(self) -> None:
        self._ahead: float | None = None  # Ahead of `steady`, in seconds.
        self._uncertain = 0.0
        self._is_off = False

    def __call__(self) -> datetime:
        if self._ahead is None:
            return system_clock()
        return datetime.fromtimestamp(steady() + self._ahead, UTC)

    def set(self, at: datetime, asked: float, answered: float) -> None:
        """Set the database's time to `at`, which was requested and received at these `steady` times. Logs when the
        machine's clock is off, and when it is right again.
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
        """Return how far the machine's clock is ahead of the database's (negative: behind), in seconds; 0 if it is
        within a second, or may be.
        """
        off = (system_clock() - self()).total_seconds()
        return off if abs(off) - self._uncertain > _OFF_SECONDS else 0.0


@lru_cache(maxsize=256)  # everything that is committed together has one time
def rfc3339(at: datetime) -> str:
    """`at` as people and programs read it: 2030-01-31T12:00:00.000000Z (RFC 3339, microseconds, UTC)."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"

"""When a failed delivery is retried, and when a failing endpoint is paused. Pure.

The waits are those that Standard Webhooks recommends, with jitter, so that deliveries which failed together are not
retried together. They add up to a little over three days; then the delivery has failed.
"""

from datetime import timedelta
from secrets import SystemRandom
from typing import Final

#: The waits after the first, second, … failed attempt.
WAITS: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)

#: A wait is lengthened by up to this fraction of it.
JITTER: Final = 0.1

#: After this many failed attempts in a row, of any events, an endpoint gets one event at a time, with growing pauses.
FAILURES_IN_ROW: Final = 5
_PAUSE_MAX: Final = timedelta(minutes=5)


def wait(tries: int, retry_after: timedelta | None = None) -> timedelta | None:
    """How long to wait after this many failed attempts; None: no more attempts. `retry_after` is the delay that the
    endpoint asked for.
    """
    if tries > len(WAITS):
        return None
    waits = WAITS[tries - 1] * (1 + JITTER * SystemRandom().random())
    return max(waits, retry_after or timedelta())


def pause(failures: int) -> timedelta:
    """How long an endpoint is paused after this many failed attempts in a row."""
    if failures < FAILURES_IN_ROW:
        return timedelta()
    return min(timedelta(seconds=2 ** min(failures - FAILURES_IN_ROW, 16)), _PAUSE_MAX)

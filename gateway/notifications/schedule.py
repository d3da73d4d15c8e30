"""When a failed delivery is retried. Pure.

The waits add up to about four hours: long enough for a mail server that greylists (RFC 6647) or restarts, and short
enough that the news is not old when it comes by another channel. Jitter is added, so that deliveries that failed
together are not retried together.
"""

from datetime import timedelta
from secrets import SystemRandom
from typing import Final

#: The waits after the first, second, … failed try.
WAITS: Final = (
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=20),
    timedelta(hours=1),
    timedelta(hours=2, minutes=30),
)

#: A wait is extended by up to this fraction of it.
JITTER: Final = 0.1

#: Older events are not sent, such as those from a time when no worker ran; the wallet's page lists them.
NEWS_FOR: Final = timedelta(hours=24)

#: The longest `Retry-After` that is followed.
ASKED_MAX: Final = timedelta(hours=2, minutes=30)


def wait(tries: int, asked: timedelta | None = None) -> timedelta | None:
    """Return how long to wait after this many failed tries; None if there are no more. `asked` is the delay that the
    other side asked for.
    """
    if tries > len(WAITS):
        return None
    waits = WAITS[tries - 1] * (1 + JITTER * SystemRandom().random())
    return max(waits, min(asked or timedelta(), ASKED_MAX))

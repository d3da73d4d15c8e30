"""When a notice that could not be sent is tried again. Pure.

The waits add up to about four hours, long enough for a mail server that puts off strangers (RFC 6647) or starts again,
and short enough that the news is not old when it comes by another channel. Some chance is added, so that what failed
together does not come back together.
"""

from datetime import timedelta
from secrets import SystemRandom
from typing import Final

#: After the first, second, … try that failed.
WAITS: Final = (
    timedelta(seconds=10),
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=20),
    timedelta(hours=1),
    timedelta(hours=2, minutes=30),
)

#: A wait is made longer by up to this part of it.
JITTER: Final = 0.1

#: Nothing is sent of what happened longer ago, such as while no worker ran: it stands on the wallet's page.
NEWS_FOR: Final = timedelta(hours=24)

#: The longest `Retry-After` that is followed.
ASKED_MAX: Final = timedelta(hours=2, minutes=30)


def wait(tries: int, asked: timedelta | None = None) -> timedelta | None:
    """How long to wait after so many tries that failed; None: there are no more. `asked` is what the other side asked
    for.
    """
    if tries > len(WAITS):
        return None
    waits = WAITS[tries - 1] * (1 + JITTER * SystemRandom().random())
    return max(waits, min(asked or timedelta(), ASKED_MAX))

"""Parse a `Retry-After` header (RFC 9110, 10.2.3). Pure."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def seconds_asked(text: str, now: datetime) -> float | None:
    """Return how many seconds from `now` a server asks the client to wait: a number of seconds, or until a date in any
    of the three forms of HTTP (5.6.7), which is in UTC. 0 if the date has passed, None if the text is neither.
    """
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
        return max(0.0, (until.replace(tzinfo=until.tzinfo or UTC) - now).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return None

"""The time, handed in. Nothing below `__main__` asks the machine for it, so a test can stand still or go ahead."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

#: A function that says what time it is, in UTC.
Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """The machine's time, in UTC."""
    return datetime.now(UTC)


@lru_cache(maxsize=256)  # what is committed together has one time
def rfc3339(at: datetime) -> str:
    """`at` as people and programs read it: 2030-01-31T12:00:00.000000Z (RFC 3339, microseconds, UTC)."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

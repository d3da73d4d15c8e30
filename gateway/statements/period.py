"""Periods: a month, or from one time until another, in the reader's time zone. Pure.

A month is one of the Gregorian calendar, and begins at midnight in the time zone: in Asia/Bangkok seven hours before it
does in UTC. If summer time skips midnight, it begins with the first moment after the gap.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from gateway.errors import InvalidRequest

_MONTH: Final = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])", re.ASCII)

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """From `begins` on and before `ends`, in UTC. Times are shown in the time zone (an IANA name)."""

    begins: datetime
    ends: datetime
    time_zone: str

    def local(self, at: datetime) -> datetime:
        """The time in the period's time zone."""
        return at.astimezone(ZoneInfo(self.time_zone))

    @property
    def days(self) -> tuple[date, date]:
        """Its first and its last day in the time zone."""
        return self.local(self.begins).date(), self.local(self.ends - timedelta(microseconds=1)).date()

    @property
    def is_month(self) -> bool:
        """Whether it is a whole month in the time zone."""
        first, _ = self.days
        return 1 < first.year < 9999 and self == month_of(f"{first.year:04}-{first.month:02}", self.time_zone)

    @property
    def name(self) -> str:
        """Its name in a file name: 2026-11 for a month, 2026-11-03 for a day, or both its days."""
        first, last = self.days
        if self.is_month:
            return f"{first.year:04}-{first.month:02}"
        return first.isoformat() if first == last else f"{first.isoformat()}-{last.isoformat()}"


def month_of(text: str, time_zone: str) -> Period:
    """Return the month written YYYY-MM. Raises InvalidRequest if it is not one."""
    found = _MONTH.fullmatch(text)
    if found is None or not 1 < int(found[1]) < 9999:
        raise InvalidRequest("parameter", f"the query parameter month cannot be {text[:60]!r}: write it as 2026-11")
    first = date(int(found[1]), int(found[2]), 1)
    after = (first + 31 * _DAY).replace(day=1)
    return Period(midnight(first, time_zone), midnight(after, time_zone), time_zone)


def midnight(day: date, time_zone: str) -> datetime:
    """The first moment of a day in a time zone, in UTC."""
    # A midnight that the clocks skip gets the offset from before the change (PEP 495), which gives the moment of the
    # change.
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(time_zone)).astimezone(UTC)

"""Times in query parameters: a date, a time and an offset, as RFC 3339 defines them. Pure.

The offset is never guessed: a time without one would mean different moments to the two sides. More than six decimals of
a second are refused, not cut off, because everything here is stored in microseconds.
"""

import re
from datetime import UTC, datetime
from typing import Annotated, Final

from litestar.params import QueryParameter

from gateway.http.request.json_faults import RFC3339_TIME
from gateway.http.request.parameters import refused

_DATE_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)

_FORM: Final = f"{RFC3339_TIME}; in a URL the + of an offset is %2B"


def time_parameter(name: str, description: str) -> QueryParameter:
    """Return a query parameter that `time_of` reads, as OpenAPI describes it."""
    return QueryParameter(name=name, description=description, schema_extra={"format": "date-time"})


At = Annotated[str | None, time_parameter("at", "A past time (RFC 3339): the balances that were posted by then.")]


def time_of(name: str, text: str) -> datetime:
    """Return the time in the parameter `name`, in UTC. Raises InvalidRequest, which names the parameter."""
    if _DATE_TIME.fullmatch(text):
        try:
            return datetime.fromisoformat(text.upper()).astimezone(UTC)
        except (ValueError, OverflowError):  # the 31st of April, or a year outside 1 to 9999
            pass
    raise refused(name, text, f"it should be {_FORM}")


def past_time_of(name: str, text: str, now: datetime) -> datetime:
    """Return the time as `time_of`. Raises InvalidRequest for a future time, too."""
    at = time_of(name, text)
    if at > now:
        raise refused(name, text, "it is in the future")
    return at


def period_of(
    from_name: str, from_text: str | None, until_name: str, until_text: str | None
) -> tuple[datetime | None, datetime | None]:
    """Return a period: its first moment, and the moment that it ends before; None: open. Raises InvalidRequest for a
    malformed time, and for a period that ends before it begins.
    """
    begins = None if from_text is None else time_of(from_name, from_text)
    ends = None if until_text is None else time_of(until_name, until_text)
    if until_text is not None and begins is not None and ends is not None and begins >= ends:
        raise refused(until_name, until_text, f"it should be later than {from_name}, where the period begins")
    return begins, ends

"""What a `Retry-After` header says, in either of its two forms."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.outbound.http_client import retry_after

AT = datetime(2030, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("120", 120), ("0", 0), ("-5", None), ("soon", None), ("", None), ("9" * 30, 86_400), ("١٢", None)),
        ("Thu, 31 Jan 2030 12:01:00 GMT", 60),
        ("Thu, 31 Jan 2020 12:01:00 GMT", 0),
        ("Thu, 31 Jan 2099 12:01:00 GMT", 86_400),
    ],
)
def test_what_a_retry_after_asks_for(text: str, seconds: int | None) -> None:
    assert retry_after(text, AT) == (None if seconds is None else timedelta(seconds=seconds))

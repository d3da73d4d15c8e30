"""What a `Retry-After` header asks for, in each of its forms."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from gateway.retry_after_header import seconds_asked

NOW = datetime(2030, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def in_bangkok(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose time zone is not UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Bangkok")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *(("0", 0.0), ("120", 120.0), (" 3 ", 3.0), ("9" * 30, 1e30)),
        *(("", None), ("-1", None), ("soon", None), ("1.5", None), ("\u0663", None), ("1" + 31 * "\u0663", None)),
    ],
)
def test_a_number_is_of_seconds(text: str, seconds: float | None) -> None:
    assert seconds_asked(text, NOW) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Thu, 31 Jan 2030 12:01:00 GMT", 60.0),
        ("Thursday, 31-Jan-30 12:01:00 GMT", 60.0),
        ("Thu Jan 31 12:01:00 2030", 60.0),
        ("Thu, 31 Jan 2030 11:00:00 GMT", 0.0),
        ("Thu, 99 Jan 2030 11:00:00 GMT", None),
    ],
)
@pytest.mark.usefixtures("in_bangkok")
def test_a_date_is_in_utc_in_all_three_forms_of_http(text: str, seconds: float | None) -> None:
    assert seconds_asked(text, NOW) == seconds

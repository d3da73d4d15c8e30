"""Where months and days begin, and what a period is called in a file's name."""

from datetime import UTC, date, datetime, timedelta

import pytest

from gateway.errors import InvalidRequest
from gateway.statements.period import Period, midnight, month_of


@pytest.mark.parametrize(
    ("zone", "begins", "ends"),
    [
        ("UTC", datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)),
        ("Asia/Bangkok", datetime(2026, 10, 31, 17, tzinfo=UTC), datetime(2026, 11, 30, 17, tzinfo=UTC)),
        # Summer time ends on 1 November 2026: the month has an hour more.
        ("America/New_York", datetime(2026, 11, 1, 4, tzinfo=UTC), datetime(2026, 12, 1, 5, tzinfo=UTC)),
    ],
)
def test_a_month_begins_at_midnight_in_the_time_zone(zone: str, begins: datetime, ends: datetime) -> None:
    assert month_of("2026-11", zone) == Period(begins, ends, zone)


def test_a_day_whose_midnight_is_skipped_begins_with_its_first_moment() -> None:
    """In Havana the clocks went from 0:00 to 1:00 on 8 March 2026."""
    begins = midnight(date(2026, 3, 8), "America/Havana")
    assert begins == datetime(2026, 3, 8, 5, tzinfo=UTC)
    assert midnight(date(2026, 3, 9), "America/Havana") - begins == timedelta(hours=23)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Bangkok", "America/New_York", "Pacific/Apia"])
def test_months_follow_one_another_without_a_gap(zone: str) -> None:
    for year in (2011, 2026):
        months = [month_of(f"{year}-{month:02}", zone) for month in range(1, 13)]
        assert [one.ends for one in months[:-1]] == [one.begins for one in months[1:]]


@pytest.mark.parametrize(
    "text", ["", "2026-13", "2026-00", "2026-1", "26-11", "2026-11-01", "٢٠٢٦-11", "0001-01", "9999-12"]
)
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="month cannot be"):
        month_of(text, "UTC")


def test_a_file_is_named_after_its_month_its_day_or_both_its_days() -> None:
    bangkok = "Asia/Bangkok"
    assert month_of("2026-11", bangkok).name == "2026-11"
    assert (
        Period(midnight(date(2026, 11, 3), bangkok), midnight(date(2026, 11, 4), bangkok), bangkok).name == "2026-11-03"
    )
    november = month_of("2026-11", "UTC")
    assert Period(november.begins, november.ends, bangkok).name == "2026-11-01-2026-12-01", "no month there"
    assert Period(datetime(1, 1, 1, tzinfo=UTC), november.ends, "UTC").name == "0001-01-01-2026-11-30"

"""The statement of days: one of them is enough."""

from datetime import timedelta

import pytest

from tests.web.conftest import Site, Visitor
from tests.web.people import owner

pytestmark = pytest.mark.anyio


async def asked(visitor: Visitor, site: Site, query: str) -> tuple[str, str, str]:
    """The days that the form has then, and what stands above the statement or why there is none."""
    page = visitor.page
    await page.goto(f"/statements?{query}")
    heading = page.locator(".status.wrong, main .beside h2").first
    return (
        await page.get_by_label("From the day").input_value(),
        await page.get_by_label("To the day").input_value(),
        await heading.inner_text(),
    )


async def test_a_statement_from_a_day_is_to_today_and_one_to_a_day_is_of_its_month(
    visitor: Visitor, site: Site
) -> None:
    await owner(visitor, site, "alice", "5.00 EUR")
    now = site.api.services.clock()
    today, month = now.date().isoformat(), f"{now:%Y-%m}-01"
    assert (await asked(visitor, site, "from=2026-01-15"))[:2] == ("2026-01-15", today)
    assert await asked(visitor, site, "until=2026-01-15") == (
        "2026-01-01",
        "2026-01-15",
        "Jan 1, 2026 – Jan 15, 2026",
    )
    assert (await asked(visitor, site, f"from={month}"))[:2] == (month, today)
    await visitor.page.locator(".statement").get_by_text("From the bank").wait_for()
    assert visitor.complaints == []


@pytest.mark.parametrize("query", ["from=2026-02-01&until=2026-01-01", "from=2026-02-31", "until=tomorrow"])
async def test_days_that_are_no_period_are_asked_for_again(visitor: Visitor, site: Site, query: str) -> None:
    await owner(visitor, site)
    assert (await asked(visitor, site, query))[2] == "Choose a first day, and a last one that is not before it."


async def test_a_statement_from_a_day_that_is_still_to_come_is_of_that_day(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site)
    later = (site.api.services.clock() + timedelta(days=40)).date().isoformat()
    assert (await asked(visitor, site, f"from={later}"))[:2] == (later, later)
    await visitor.page.get_by_text("Nothing was there, and nothing moved.").wait_for()

"""The event stream of a page whose first connection fails: the page opens it again, and is live from then on."""

import pytest
from playwright.async_api import Route, expect

from tests.web.conftest import Site, Visitor
from tests.web.people import owner

pytestmark = pytest.mark.anyio


async def test_a_page_that_was_opened_with_no_connection_and_with_too_many_hears_of_a_payment_in_the_end(
    visitor: Visitor, site: Site
) -> None:
    await owner(visitor, site)
    bob = await site.person("bob", "5.00 EUR")
    page, opened = visitor.page, list[str]()

    async def fail_twice(route: Route) -> None:
        opened.append(route.request.url)
        if len(opened) == 1:
            await route.abort()
        elif len(opened) == 2:
            await route.fulfill(status=429, json={"type": "too_many_streams"})
        else:
            await route.continue_()

    await page.route("**/v1/events/stream*", fail_twice)
    await page.goto("/")
    await bob.pay("@alice", "5.00 EUR")
    await expect(page.locator(".largest")).to_have_text("€5.00")
    assert len(opened) == 3
    await expect(page.get_by_text("too_many_streams")).to_have_count(0)
    assert [one for one in visitor.complaints if "Failed to load resource" not in one] == []

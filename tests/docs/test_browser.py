"""The documentation in a browser: it fits every screen, and is searched and read without a script."""

import pytest

from gateway.docs.library import Library
from gateway.docs.pages import SEARCH
from tests.web.axe import BEYOND
from tests.web.conftest import Visitor

pytestmark = pytest.mark.anyio


async def test_no_page_is_wider_than_the_screen(visitor: Visitor) -> None:
    page, widths = visitor.page, (320, 900, 1440)
    for url in (*(page.url for page in Library.read().pages()), f"{SEARCH}?q=payment"):
        await page.goto(url)
        for width in widths:
            await page.set_viewport_size({"width": width, "height": 900})
            assert await page.evaluate(BEYOND) == 0, f"{url} at {width}"
        widths = widths[::-1]  # the next page opens as wide as this one was left
    assert visitor.complaints == []


async def test_a_person_finds_a_page_by_the_search_and_goes_on_from_it(visitor: Visitor) -> None:
    page = visitor.page
    await page.goto("/docs")
    await page.get_by_role("searchbox").fill("capture a hold")
    await page.get_by_role("button", name="Search").click()
    await page.get_by_role("link", name="Hold, then capture").click()
    assert page.url.endswith("/docs/guides/holds-and-refunds#hold-then-capture")

    await page.locator("[rel=next]").click()
    await page.get_by_role("heading", name="Requests for money", level=1).wait_for()
    assert visitor.complaints == []

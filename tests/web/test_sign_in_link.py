"""The link that `scripts/up` prints, opened in a browser."""

import pytest
from playwright.async_api import Browser

from gateway.operators import link
from tests.api.test_sign_in_link import code_for
from tests.identity.conftest import BY
from tests.web.conftest import Site, Visitor, visiting

pytestmark = pytest.mark.anyio


async def test_the_link_opens_the_wallet_and_a_second_time_says_why_not(
    browser: Browser, site: Site, visitor: Visitor
) -> None:
    await site.person("alice", "12.50 EUR")
    link = f"/sign-in#link={await code_for(site.api, 'alice')}"

    await visitor.page.goto(link)

    await visitor.page.locator(".total").get_by_text("€12.50").wait_for()
    assert "gl_" not in visitor.page.url
    async with visiting(browser, site) as other:
        await other.page.goto(link)
        await other.status("this sign-in link is not valid")
        assert "gl_" not in other.page.url


async def test_the_link_to_the_console_opens_it_once(browser: Browser, site: Site, visitor: Visitor) -> None:
    async with site.api.services.database.transaction() as connection:
        code = await link.make(connection, BY, site.api.services.clock())
    path = f"/console/sign-in#link={code}"

    await visitor.page.goto(path)

    await visitor.page.get_by_text("sandbox · security").wait_for()
    assert "gl_" not in visitor.page.url
    async with visiting(browser, site) as other:
        await other.page.goto(path)
        await other.status("this sign-in link is not valid")

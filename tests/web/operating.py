"""Operators at their browsers: enrolled at the page with a code of the machine, and signed in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser

from tests.api.test_operators import code_for
from tests.web.conftest import Site, Visitor, visiting


async def enrolled(visitor: Visitor, site: Site, name: str, role: str) -> None:
    """Enrol at the page; the sign-in is open then."""
    page = visitor.page
    await page.goto("/console/enrol")
    await page.get_by_label("Your name as an operator").fill(name)
    await page.get_by_label("Your code").fill(await code_for(site.api, name, role))
    await page.get_by_role("button", name="Make a passkey").click()
    await visitor.status("Your passkey is made.")


async def signed_in(visitor: Visitor, site: Site, name: str, role: str = "security") -> None:
    """Enrol and sign in; the overview is open then."""
    await enrolled(visitor, site, name, role)
    await visitor.page.get_by_role("button", name="Sign in with a passkey").click()
    await visitor.page.get_by_role("heading", name="Overview").wait_for()


@asynccontextmanager
async def operating(browser: Browser, site: Site, name: str, role: str = "security") -> AsyncIterator[Visitor]:
    """An operator of this role in a window of their own, at the overview."""
    async with visiting(browser, site) as visitor:
        await signed_in(visitor, site, name, role)
        yield visitor

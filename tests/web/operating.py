"""Operators at their browsers: enrolled with a code of the machine, at the page or by the API, and signed in."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Browser

from tests.api.browser import OWN, challenge_in, signed
from tests.api.test_operators import code_for
from tests.authenticator import Authenticator
from tests.web.conftest import Site, Visitor, visiting
from tests.web.people import hand_over, made


async def enrolled(visitor: Visitor, site: Site, name: str, role: str) -> None:
    """Enrol at the page; the sign-in is open then."""
    page = visitor.page
    await page.goto("/console/enrol")
    await page.get_by_label("Your name as an operator").fill(name)
    await page.get_by_label("Your code").fill(await code_for(site.api, name, role))
    await page.get_by_role("button", name="Make a passkey").click()
    await visitor.status("Your passkey is made.")


async def signed_in(visitor: Visitor, site: Site, name: str, role: str = "security") -> None:
    """Enrol and sign in by the API, as people.py does for owners of wallets. Their browser has no page open."""
    api, key, code = site.api, Authenticator(), await code_for(site.api, name, role)
    asked = await api.call("POST", "/v1/operator/enrolment/challenge", json={"name": name})
    enrolment = {"name": name, "code": code, **made(key, asked)}
    assert (await api.call("POST", "/v1/operator/enrolment", json=enrolment)).status_code == 201
    challenge = challenge_in(await api.call("POST", "/v1/operator/session/challenge"))
    started = await api.call("POST", "/v1/operator/session/cookie", json=signed(key, challenge), headers=OWN)
    await hand_over(visitor, site, key, asked, started)


@asynccontextmanager
async def operating(browser: Browser, site: Site, name: str, role: str = "security") -> AsyncIterator[Visitor]:
    """An operator of this role in a window of their own, with no page open."""
    async with visiting(browser, site) as visitor:
        await signed_in(visitor, site, name, role)
        yield visitor

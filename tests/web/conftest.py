"""The gateway on a port, and a browser in front of it: Debian's Chromium, driven over its own protocol, with an
authenticator that it plays itself (Chrome DevTools Protocol, WebAuthn).

Chromium without any window (chromium-headless-shell) takes a third less processor time for a page. Where it is not
installed, all tests run in Chromium itself; those that ask for `chromium` always do.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, CDPSession, ConsoleMessage, Page, async_playwright, expect

from gateway.api.server import Server
from gateway.cli.processes.ports import check_port, free_port
from gateway.embedded.postgres import Postgres
from gateway.errors import Misconfigured
from gateway.money import Assets
from gateway.postgres.pool import Database, connect
from tests.api.conftest import Api, Person, opened
from tests.applications import gateway_of
from tests.databases import fresh_database
from tests.processes import HANG_SECONDS

#: Nothing but the pages it is told to open: no first run, no updates, no services of its maker's.
_ALONE = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-proxy-server"),
    # Each window has two more pages ready, for what is typed into the address field: half a second of a processor. With
    # RenderDocument each page has a frame of its own, and not that of the page before: an eighth of what a test takes.
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,MediaRouter,OptimizationHints,RenderDocument",
]


@dataclass
class Site:
    """The gateway at `url`, and the same application without a socket, for what is no browser's to do."""

    url: str
    api: Api

    async def person(self, handle: str, *moneys: str) -> Person:
        return await self.api.person(handle, *moneys)


@pytest.fixture
async def site(database: Database, assets: Assets) -> AsyncIterator[Site]:
    async with opened(database, assets) as api, served(api) as url:
        yield Site(url, api)


@asynccontextmanager
async def served(api: Api) -> AsyncIterator[str]:
    """The application with its pages, on a port; where it is."""
    port = _port()
    url = f"http://localhost:{port}"
    server = Server(gateway_of(replace(api.services, public_url=url)), "127.0.0.1", port)
    serving = asyncio.create_task(server.serve())
    async with httpx.AsyncClient() as client:
        while True:
            try:
                await client.get(f"http://127.0.0.1:{port}/health/live")
                break
            except httpx.TransportError:
                assert not serving.done(), serving
    yield url
    server.stop()
    await serving


#: The ports that sites of this process have had.
_ports: list[int] = []


def _port() -> int:
    """One that nobody has at the moment, of an earlier site if possible: what is built for its URL is built once."""
    for port in _ports:
        with suppress(Misconfigured):
            check_port("127.0.0.1", port)
            return port
    _ports.append(free_port("127.0.0.1"))
    return _ports[-1]


@dataclass
class Visitor:
    """Somebody at a browser of their own, with an authenticator that knows them."""

    page: Page
    devtools: CDPSession
    authenticator: str
    complaints: list[str]

    async def credentials(self) -> list[dict[str, Any]]:
        asked = {"authenticatorId": self.authenticator}
        return list((await self.devtools.send("WebAuthn.getCredentials", asked))["credentials"])

    async def is_verified(self, is_verified: bool) -> None:
        """Whether the authenticator knows the finger."""
        asked = {"authenticatorId": self.authenticator, "isUserVerified": is_verified}
        await self.devtools.send("WebAuthn.setUserVerified", asked)

    async def status(self, text: str) -> None:
        """Wait until the page says this."""
        await self.page.locator("#status").get_by_text(text).wait_for()


@asynccontextmanager
async def visiting(browser: Browser, site: Site) -> AsyncIterator[Visitor]:
    """A window with nothing in it yet: no cookie, no passkey."""
    async with window(browser, site.url) as visitor:
        yield visitor


def is_left(error: str) -> bool:
    """Whether it is the event stream of a page that was left before the stream was open."""
    return "Failed to fetch" in error and "elt: div#stream" in error


@asynccontextmanager
async def window(browser: Browser, url: str) -> AsyncIterator[Visitor]:
    """One at the gateway of this URL."""
    context = await browser.new_context(base_url=url)
    context.set_default_timeout(HANG_SECONDS * 1_000)
    page = await context.new_page()
    complaints: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type == "error" and not is_left(message.text):
            complaints.append(message.text)

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    devtools = await context.new_cdp_session(page)
    await devtools.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    added = await devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    yield Visitor(page, devtools, added["authenticatorId"], complaints)
    await context.close()


expect.set_options(timeout=HANG_SECONDS * 1_000)  # as whatever else a page is waited for


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One for all; each visitor has a window that shares nothing with those of others."""
    async with started(shutil.which("chromium-headless-shell") or shutil.which("chromium")) as browser:
        yield browser


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """One with all that Chromium has: the one without windows shows no notification."""
    async with started(shutil.which("chromium")) as browser:
        yield browser


@asynccontextmanager
async def started(program: str | None) -> AsyncIterator[Browser]:
    assert program, "Debian's Chromium is needed: apt-get install chromium (scripts/test does, as root)"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=_ALONE, headless=True)
        yield browser
        await browser.close()


@pytest.fixture
async def visitor(browser: Browser, site: Site) -> AsyncIterator[Visitor]:
    async with visiting(browser, site) as visitor:
        yield visitor


@pytest.fixture(scope="module")
async def shared_site(server: Postgres, template: str, assets: Assets) -> AsyncIterator[Site]:
    """A gateway for the tests of a file that leave nothing at it which another of them sees."""
    async with (
        fresh_database(server.dsn, template) as url,
        connect(url, connections=50) as database,
        opened(database, assets) as api,
        served(api) as url,
    ):
        yield Site(url, api)


@pytest.fixture(scope="module")
async def shared_visitor(browser: Browser, shared_site: Site) -> AsyncIterator[Visitor]:
    """A window for the same: a new one, and its first page, take as long as three other pages."""
    async with visiting(browser, shared_site) as visitor:
        yield visitor


@pytest.fixture
def pictures(request: pytest.FixtureRequest) -> Path:
    """Where pictures of pages are put."""
    return Path(request.config.getoption("--pictures"))


@pytest.fixture(scope="module")
def looked_at() -> dict[str, Any]:
    """What was found on pages that are opened once for several tests of a file."""
    return {}

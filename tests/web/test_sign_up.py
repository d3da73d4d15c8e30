"""Signing up in a real browser: a handle is claimed together with its passkey, or not at all."""

import asyncio
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, Route, expect

from tests.web.conftest import Site, Visitor
from tests.web.test_browser import signed_up

pytestmark = pytest.mark.anyio


async def fill_in(page: Page, handle: str) -> None:
    await page.goto("/sign-up")
    await page.get_by_label("A handle").fill(handle)
    await page.get_by_role("button", name="Sign up with a passkey").click()


async def is_claimed(site: Site, handle: str) -> bool:
    return (await site.api.call("GET", f"/v1/handles/{handle}")).status_code == 200


async def test_a_cancelled_passkey_claims_nothing_and_the_handle_is_free_to_try_again(
    visitor: Visitor, site: Site
) -> None:
    await visitor.is_verified(False)
    await fill_in(visitor.page, "alice")
    await visitor.status("The passkey was not used")
    assert not await is_claimed(site, "alice")

    await visitor.is_verified(True)
    await signed_up(visitor, "alice")
    assert await is_claimed(site, "alice")


@pytest.mark.parametrize("path", ["/sign-up", "/sign-in"])
async def test_at_an_address_without_passkeys_nothing_starts_and_the_page_links_to_the_right_one(
    visitor: Visitor, site: Site, path: str
) -> None:
    page, port = visitor.page, urlsplit(site.url).port
    await page.goto(f"http://127.0.0.1:{port}{path}")
    await visitor.status("Passkeys do not work at this address")
    assert await page.locator("#status a").get_attribute("href") == f"http://localhost:{port}{path}"
    assert await page.get_by_role("main").get_by_role("button", disabled=False).count() == 0
    if path == "/sign-up":
        await page.locator("#status a").click()
        await page.wait_for_url(f"{site.url}/sign-up")
        assert await page.get_by_role("button", name="Sign up with a passkey").is_enabled()


async def test_of_two_who_make_a_passkey_for_one_handle_the_second_keeps_no_dead_passkey(
    visitor: Visitor, site: Site
) -> None:
    """Somebody claims the handle between the browser's two calls."""

    async def claim_first(route: Route) -> None:
        await site.person("alice")
        await route.continue_()

    await visitor.page.route("**/v1/sign-ups", claim_first)
    await fill_in(visitor.page, "alice")
    await expect(visitor.page.get_by_role("alert")).to_contain_text("@alice is taken")
    assert await visitor.credentials() == []


async def test_who_loses_the_answer_to_the_sign_up_signs_in_with_the_passkey_that_was_made(
    visitor: Visitor, site: Site
) -> None:
    page = visitor.page

    async def lose(route: Route) -> None:
        await route.fetch()  # it reaches the gateway, and its answer reaches nobody
        await route.abort()

    await page.route("**/v1/sign-ups", lose)
    await fill_in(page, "alice")
    await visitor.status("sign in with it")
    assert await is_claimed(site, "alice")

    await page.get_by_role("link", name="Sign in").click()
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await page.get_by_role("heading", name="@alice").wait_for()
    await page.goto("/settings/recovery-codes")
    await page.get_by_text("0 recovery codes are left.").wait_for()


async def test_who_gets_no_recovery_codes_at_sign_up_makes_them_in_the_wallet(visitor: Visitor) -> None:
    page = visitor.page
    await page.route("**/v1/recovery-codes", lambda route: route.abort())
    await fill_in(page, "alice")
    await visitor.status("no recovery codes yet")
    await page.get_by_role("link", name="Go to your wallet").click()
    await page.get_by_role("link", name="You have no recovery codes").click()
    await page.get_by_text("0 recovery codes are left.").wait_for()


@pytest.mark.parametrize(
    ("path", "name"), [("/sign-up", "Sign up with a passkey"), ("/sign-in", "Sign in with a passkey")]
)
async def test_a_button_waits_for_its_script_so_that_no_click_is_lost(visitor: Visitor, path: str, name: str) -> None:
    page, asked, go_on = visitor.page, asyncio.Event(), asyncio.Event()

    async def wait(route: Route) -> None:
        asked.set()
        await go_on.wait()
        await route.continue_()

    await page.route(f"**/static{path}.js", wait)
    await page.goto(path, wait_until="commit")
    await asked.wait()
    button = page.get_by_role("button", name=name)
    await button.wait_for()
    assert await button.is_disabled()

    go_on.set()
    await expect(button).to_be_enabled()

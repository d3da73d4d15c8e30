"""People at a real browser, Debian's Chromium, with an authenticator that the browser plays itself."""

import re

import pytest
from playwright.async_api import Browser

from tests.web.conftest import Site, Visitor, visiting
from tests.web.people import owner

pytestmark = pytest.mark.anyio


async def signed_up(visitor: Visitor, handle: str) -> list[str]:
    """Sign up at the page; the recovery codes that it shows."""
    page = visitor.page
    await page.goto("/sign-up")
    await page.get_by_label("A handle").fill(handle)
    await page.get_by_label("What you call this device").fill("Test laptop")
    await page.get_by_role("button", name="Sign up with a passkey").click()
    await page.get_by_role("heading", name=f"@{handle} is yours").wait_for()
    codes = await page.locator("#codes code").all_inner_texts()
    await page.get_by_label("Type one of them").fill(codes[-1])
    await page.get_by_role("button", name="I have kept them").click()
    await page.get_by_role("heading", name=f"@{handle}", exact=True).wait_for()
    return codes


async def test_a_person_signs_up_signs_out_and_signs_in_with_a_passkey(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    codes = await signed_up(visitor, "alice")
    assert len(set(codes)) == 10
    assert len(await visitor.credentials()) == 1
    await page.get_by_role("link", name="Settings").click()
    await page.get_by_text("10 recovery codes are left.").wait_for()
    await page.get_by_role("link", name="Passkeys and sessions").click()
    await page.get_by_text("Test laptop").wait_for()
    await page.get_by_text("Chrome on Linux").wait_for()

    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("heading", name="Pay anybody by their handle").wait_for()
    await page.goto("/payments?asset=EUR")
    await page.wait_for_url(re.compile(r"/sign-in\?next=/payments%3Fasset%3DEUR$"))
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await page.wait_for_url(re.compile(r"/payments\?asset=EUR$"))

    assert [one for one in visitor.complaints if "Content" in one or "policy" in one.lower()] == []
    assert (
        await page.evaluate("document.cookie")
        == f"zone={await page.evaluate('Intl.DateTimeFormat().resolvedOptions().timeZone')}"
    )
    (cookie,) = [one for one in await page.context.cookies() if one["httpOnly"]]
    assert (cookie["name"], cookie["httpOnly"], cookie["sameSite"]) == ("session", True, "Strict")


@pytest.mark.parametrize("width", [320, 1280])
async def test_a_recovery_code_stands_on_one_line_and_within_the_page(visitor: Visitor, width: int) -> None:
    page = visitor.page
    await page.set_viewport_size({"width": width, "height": 900})
    lines = "codes => codes.map(code => code.getClientRects().length)"
    beyond = "codes => Math.max(...codes.map(code => code.getBoundingClientRect().right))"
    code = page.locator("#codes code")

    async def stand() -> None:
        await code.first.wait_for()
        assert await code.evaluate_all(lines) == [1] * 10
        assert await code.evaluate_all(beyond) <= width

    await page.goto("/sign-up")
    await page.get_by_label("A handle").fill("alice")
    await page.get_by_label("What you call this device").fill("Test laptop")
    await page.get_by_role("button", name="Sign up with a passkey").click()
    await stand()
    await page.goto("/settings/recovery-codes")
    await page.get_by_role("button", name="Make new recovery codes").click()
    await page.get_by_role("button", name="Replace them").click()
    await stand()


async def test_whom_the_authenticator_does_not_know_is_not_signed_in(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    await owner(visitor, site)
    await page.goto("/settings/devices")
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("link", name="Sign in").click()
    await visitor.is_verified(False)

    await page.get_by_role("button", name="Sign in with a passkey").click()

    await visitor.status("The passkey was not used")
    assert page.url.endswith("/sign-in")


async def test_a_recovery_code_lets_its_owner_in_on_a_new_device(
    browser: Browser, site: Site, visitor: Visitor
) -> None:
    codes = await (await owner(visitor, site)).recovery_codes()
    await visitor.page.goto("/")
    async with visiting(browser, site) as elsewhere:
        page = elsewhere.page
        await page.goto("/sign-in")
        await page.get_by_text("I have lost my passkeys").click()
        form = page.locator("#recovery")
        await form.get_by_label("Your handle").fill("@alice")
        await form.get_by_label("A recovery code").fill(codes[3].upper())
        await form.get_by_role("button").click()
        await page.get_by_role("heading", name="@alice").wait_for()
        await page.goto("/settings/devices")

        await page.get_by_label("What you call this device").fill("New phone")
        await page.get_by_role("button", name="Add a passkey").click()

        await elsewhere.status("It signs for your wallet from now on")
        await page.get_by_role("button", name="Revoke the passkey Test laptop").click()
        await page.get_by_role("dialog").get_by_role("button", name="Revoke it").click()
        await elsewhere.status("signs no more")
        assert len(await elsewhere.credentials()) == 1
    await visitor.page.wait_for_url("**/sign-in?next=/#signed-out")  # whoever had that passkey, too

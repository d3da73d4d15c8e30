"""What cannot be undone is confirmed on the page, and whoever is signed out is told so."""

import re

import pytest

from tests.web.conftest import Site, Visitor
from tests.web.people import owner

pytestmark = pytest.mark.anyio


async def test_the_only_passkey_is_revoked_once_that_is_confirmed_and_then_only_codes_let_in(
    visitor: Visitor, site: Site
) -> None:
    page = visitor.page
    codes = await (await owner(visitor, site)).recovery_codes()
    await page.goto("/settings/devices")
    revoke, dialog = page.get_by_role("button", name="Revoke the passkey Test laptop"), page.get_by_role("dialog")

    await revoke.click()
    for words in ("Revoke the passkey Test laptop?", "your only passkey", "10 recovery codes", "cannot be undone"):
        assert words in await dialog.inner_text()
    await dialog.get_by_role("button", name="Cancel").click()
    await dialog.wait_for(state="detached")
    await page.reload()
    await revoke.click()
    await page.keyboard.press("Escape")
    await page.reload()
    await revoke.click()
    await dialog.get_by_role("button", name="Revoke it").click()

    await page.wait_for_url(re.compile(r"/sign-in\?next=/settings/devices#signed-out$"))
    await visitor.status("You are signed out. Sign in again.")
    await page.get_by_text("I have lost my passkeys").click()
    form = page.locator("#recovery")
    await form.get_by_label("Your handle").fill("alice")
    await form.get_by_label("A recovery code").fill(codes[0])
    await form.get_by_role("button").click()
    await page.get_by_role("heading", name="Passkeys and sessions").wait_for()


async def test_the_only_passkey_stays_while_there_is_no_recovery_code(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    await page.route("**/v1/recovery-codes", lambda route: route.abort())
    await page.goto("/sign-up")
    await page.get_by_label("A handle").fill("alice")
    await page.get_by_role("button", name="Sign up with a passkey").click()
    await page.get_by_role("link", name="Go to your wallet").click()
    await page.goto("/settings/devices")
    await page.get_by_role("button", name="Revoke the passkey").click()
    await visitor.status("add another passkey or make recovery codes first")
    assert await page.get_by_role("dialog").count() == 0

"""Closing a wallet at its page: in so many words, once more in a dialog, and only when nothing is left."""

import pytest
from playwright.async_api import expect

from tests.web.conftest import Site, Visitor
from tests.web.people import owner

pytestmark = pytest.mark.anyio


async def test_a_wallet_is_closed_by_typing_its_handle_and_saying_yes(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site)
    page, dialog = visitor.page, visitor.page.get_by_role("dialog")
    await page.goto("/settings")
    await page.get_by_role("link", name="Close this wallet").click()
    field = page.get_by_label("Type your handle to close this wallet for ever")
    await field.fill("@bob")
    await field.press("Enter")
    await expect(field).to_have_accessible_description("This is not your handle. Type @alice.")
    await field.fill("@Alice")
    await field.press("Enter")
    await expect(dialog).to_contain_text("It cannot be opened again, by nobody.")
    await page.keyboard.press("Escape")
    assert (await site.api.call("GET", "/v1/handles/alice")).status_code == 200

    await expect(page.get_by_role("button", name="Close it for ever")).to_be_enabled()  # the first press has ended
    await field.press("Enter")
    await dialog.get_by_role("button", name="Close it for ever").click()

    await visitor.status("@alice is closed.")
    assert (await site.api.call("GET", "/v1/handles/alice")).status_code == 404
    await page.goto("/settings")
    await page.wait_for_url("**/sign-in?next=/settings")


async def test_an_older_session_closes_a_wallet_with_the_passkey_once_more(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site)
    async with site.api.services.database.transaction() as connection:
        await connection.execute("UPDATE session SET created_at = created_at - interval '6 minutes'")
    await visitor.page.goto("/settings/close")
    await visitor.page.get_by_label("Type your handle").fill("alice")
    await visitor.page.get_by_role("button", name="Close it for ever").click()
    await visitor.page.get_by_role("dialog").get_by_role("button", name="Close it for ever").click()
    await visitor.status("@alice is closed.")


async def test_a_wallet_with_money_shows_it_and_where_it_can_go(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site, "alice", "12.50 EUR")
    await visitor.page.goto("/settings/close")
    await expect(visitor.page.get_by_text("€12.50")).to_be_visible()
    await expect(visitor.page.get_by_role("main").get_by_role("link", name="Withdraw")).to_be_visible()
    assert await visitor.page.get_by_role("button", name="Close it for ever").count() == 0

"""What a frozen wallet's owner reads: that nothing leaves, why, and what to do, where they would pay."""

from datetime import timedelta

import pytest
from playwright.async_api import expect

from gateway.audit.log import ANYONE
from gateway.controls import wallet_freeze
from gateway.identity import wallet as wallets
from tests.web.axe import AXE, RUN
from tests.web.conftest import Site, Visitor
from tests.web.people import owner

pytestmark = pytest.mark.anyio


async def test_home_and_the_form_of_a_payment_say_it_and_lead_to_unfreezing(visitor: Visitor, site: Site) -> None:
    alice, page = await owner(visitor, site, "alice", "50.00 EUR"), visitor.page
    await site.person("bob")
    paid = (await alice.pay("@bob", "1.00 EUR")).json()["id"]
    await page.goto("/pay")
    await expect(page.locator("#frozen")).to_have_count(0)
    await page.goto("/")
    await expect(page.locator("#frozen")).to_have_count(0)

    await alice.post(f"/v1/payments/{paid}/report-unauthorized", b"")

    note = page.locator("#frozen")
    await expect(note).to_contain_text("You said that a payment was not yours.")  # as it happens
    for path in ("/pay", "/withdraw", "/"):
        await page.goto(path)
        await expect(note).to_contain_text("Your wallet is frozen since")
    await note.get_by_role("link", name="Unfreeze").click()
    await page.get_by_role("button", name="Unfreeze with your passkey").wait_for()
    await expect(note).to_contain_text("with your passkey")


async def test_what_the_operators_froze_is_told_without_their_reason(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site, "alice", "50.00 EUR")
    now = site.api.services.clock()
    async with site.api.services.database.transaction() as connection:
        alice = await wallets.by_handle(connection, "alice")
        await wallet_freeze.freeze(connection, alice.id, "case 4711", ANYONE, now + timedelta(hours=2), now)
    await visitor.page.goto("/")
    note = visitor.page.locator("#frozen")
    await expect(note).to_contain_text("The operators of this gateway froze it: ask them why.")
    await expect(note).to_contain_text("unless they confirm it")
    assert "4711" not in await visitor.page.content()
    await visitor.page.evaluate(AXE)
    assert await visitor.page.evaluate(RUN, None) == []
    await visitor.page.goto("/settings/unfreeze")
    await expect(note).to_contain_text("The operators")

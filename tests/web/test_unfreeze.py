"""Unfreezing one's wallet at its page: with a passkey, a day after it was frozen."""

import pytest
from playwright.async_api import expect

from tests.web.conftest import Site, Visitor
from tests.web.people import owner
from tests.web.test_paying import fill_in

pytestmark = pytest.mark.anyio


async def test_an_owner_is_led_from_the_payment_to_unfreezing_and_does_it_a_day_later(
    visitor: Visitor, site: Site
) -> None:
    alice = await owner(visitor, site, "alice", "50.00 EUR")
    await site.person("bob")
    paid = (await alice.pay("@bob", "1.00 EUR")).json()["id"]
    assert (await alice.post(f"/v1/payments/{paid}/report-unauthorized", b"")).status_code == 200
    page = visitor.page
    await page.goto("/pay")
    await fill_in(visitor, to="bob", amount="1", asset="EUR")
    await page.get_by_role("link", name="Unfreeze your wallet").click()
    await page.get_by_role("button", name="Unfreeze with your passkey").click()
    await visitor.status("this passkey is less than 24 hours old")

    async with site.api.services.database.transaction() as connection:
        await connection.execute("UPDATE passkey SET created_at = created_at - interval '2 days'")
    await page.get_by_role("button", name="Unfreeze with your passkey").click()
    await visitor.status("no freeze of yours is 24 hours old")

    async with site.api.services.database.transaction() as connection:
        await connection.execute("UPDATE wallet_freeze SET placed_at = placed_at - interval '2 days'")
    await page.get_by_role("button", name="Unfreeze with your passkey").click()
    await visitor.status("Your wallet is unfrozen.")
    assert (await alice.pay("@bob", "1.00 EUR")).status_code in (201, 202)
    await page.goto("/pay")
    await fill_in(visitor, to="bob", amount="1", asset="EUR")
    await expect(page.locator(".headline")).to_have_text("€1.00")

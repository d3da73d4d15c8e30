"""Frozen withdrawals in the console, over a real chain: seen by all, unfrozen by finance once everything agrees."""

import pytest
from playwright.async_api import Browser, expect

from tests.factory import Town
from tests.reconciliation.restored import opened, with_tokens
from tests.web.conftest import Site, served
from tests.web.operating import operating

pytestmark = pytest.mark.anyio


async def test_finance_unfreezes_withdrawals_by_the_page_and_others_read(town: Town, browser: Browser) -> None:
    async with opened(town) as gateway, served(gateway.api) as url:
        site = Site(url, gateway.api)
        alice = await with_tokens(gateway, "alice", "50.00 USD", "20.00 USD")
        await town.set_balance(alice.address, "19.00 USDX")
        await town.look_at_all()
        await town.look_at_all()
        async with (
            operating(browser, site, "ann", "security") as ann,
            operating(browser, site, "flo", "finance") as flo,
        ):
            for visitor, buttons in ((ann, 0), (flo, 1)):
                await visitor.page.goto("/console/withdrawals")
                await expect(visitor.page.get_by_text("wallet:alice:USDX")).to_be_visible()
                await expect(visitor.page.locator("button.unfreeze")).to_have_count(buttons)

            async def unfreeze() -> None:
                await flo.page.get_by_role("button", name="Unfreeze withdrawals of USDX").click()
                await flo.page.get_by_role("dialog").get_by_role("button", name="Unfreeze").click()

            await unfreeze()
            await flo.status("withdrawals of USDX stay frozen, since the books do not add up")
            await town.set_balance(alice.address, "20.00 USDX")
            await town.look()
            await unfreeze()
            await flo.page.get_by_text("No withdrawals are frozen.").wait_for()
            assert ann.complaints == []

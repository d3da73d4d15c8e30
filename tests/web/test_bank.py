"""Topping up, converting: what is no amount is told so, in the field's own words, and moves nothing."""

import pytest

from tests.web.conftest import Site, Visitor
from tests.web.people import owner

pytestmark = pytest.mark.anyio


async def test_what_is_no_amount_is_told_and_moves_nothing(visitor: Visitor, site: Site) -> None:
    alice = await owner(visitor, site)
    page = visitor.page
    await page.goto("/top-up")
    for typed in ("5€", "๕๐", "1e3", "-5", "0", "5 000", "9" * 80):
        await page.get_by_label("Amount").fill(typed)
        async with page.expect_response("**/v1/deposits") as answered:
            await page.get_by_role("button", name="Top up").click()
        assert (await answered.value).status in (400, 422), typed
        said = page.locator(".status.wrong")
        await said.get_by_text("amount").wait_for()
    assert {one["posted"] for one in (await alice.get("/v1/wallet")).json()["balances"]} <= {"0.00", "0.000000", "0"}

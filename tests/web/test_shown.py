"""Amounts and directions as pages show them."""

import pytest
from msgspec.structs import replace
from playwright.async_api import expect

from gateway.api.payments.examples import SETTLED
from gateway.web.shown import direction_of, typed_of
from tests.web.conftest import Site, Visitor
from tests.web.people import owner

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("amount", "typed"),
    [("100.000000", "100.00"), ("0.120000", "0.12"), ("0.123400", "0.1234"), ("10000", "10000"), ("5.00", "5.00")],
)
def test_an_amount_in_a_field_has_no_zeros_beyond_two_decimals(amount: str, typed: str) -> None:
    assert typed_of(amount) == typed


def test_what_has_not_moved_has_no_sign() -> None:
    out, back = SETTLED.from_, SETTLED.to
    assert (direction_of(SETTLED, out), direction_of(SETTLED, back)) == (("", "−"), ("in", "+"))
    for state in ("failed", "voided", "expired", "declined"):
        assert direction_of(replace(SETTLED, state=state), out) == ("unmoved", "")


async def test_an_empty_wallet_is_shown_the_way_to_its_first_money(visitor: Visitor, site: Site) -> None:
    alice = await owner(visitor, site)
    await visitor.page.goto("/")
    await expect(visitor.page.locator(".actions .first")).to_have_text("Top up")
    await alice.receive("5.00 EUR")
    await visitor.page.goto("/")
    await expect(visitor.page.locator(".actions .first")).to_have_text("Pay")


async def test_a_phone_shows_a_form_and_a_desktop_what_belongs_beside_it(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site, "alice", "5.00 EUR")
    page = visitor.page
    for path, beside in (("/pay", "What you have"), ("/top-up", "What you have"), ("/settings/limits", "Your key")):
        await page.set_viewport_size({"width": 390, "height": 844})
        await page.goto(path)
        await expect(page.locator(".aside-of").get_by_text(beside, exact=True)).to_be_hidden()
        await page.set_viewport_size({"width": 1280, "height": 800})
        box = await page.locator(".aside-of").bounding_box()
        form = await page.locator("main form").first.bounding_box()
        await expect(page.locator(".aside-of").get_by_text(beside, exact=True)).to_be_visible()
        assert box is not None
        assert form is not None
        assert box["x"] >= form["x"] + form["width"]

"""The form of a payment: digits to tap on a phone, faces to tap, and what there is."""

import pytest
from playwright.async_api import Browser, expect

from tests.web.conftest import Site, Visitor
from tests.web.people import owner
from tests.web.test_paying import fill_in, payments_of

pytestmark = pytest.mark.anyio


async def tap(visitor: Visitor, keys: str) -> None:
    await visitor.page.get_by_label("Amount", exact=True).focus()
    pad = visitor.page.get_by_role("group", name="Digits")
    for key in keys:
        name = "Delete the last digit" if key == "<" else key
        await pad.get_by_role("button", name=name, exact=True).click()


@pytest.fixture(scope="module")
async def on_a_phone(shared_visitor: Visitor, shared_site: Site) -> Visitor:
    """@alice, who fills in what is not paid."""
    await owner(shared_visitor, shared_site, "alice", "50.00 EUR", "900 JPY")
    await shared_site.person("bob")
    await shared_visitor.page.set_viewport_size({"width": 390, "height": 844})
    return shared_visitor


@pytest.fixture
async def form(on_a_phone: Visitor) -> Visitor:
    """@alice at the form."""
    on_a_phone.complaints.clear()
    await on_a_phone.page.goto("/pay")
    return on_a_phone


@pytest.mark.parametrize(
    ("keys", "typed"),
    [
        ("12.50", "12.50"),
        ("12.345", "12.34"),
        (".5", "0.5"),
        ("007", "7"),
        ("1..5", "1.5"),
        ("12<<<3", "3"),
        ("0.05<<", "0."),
    ],
)
async def test_digits_that_are_tapped_are_an_amount(form: Visitor, keys: str, typed: str) -> None:
    await tap(form, keys)
    await expect(form.page.get_by_label("Amount", exact=True)).to_have_value(typed)
    assert form.complaints == []


async def test_what_has_no_decimals_has_no_decimal_sign_and_there_is_as_much_as_it_says(form: Visitor) -> None:
    point = form.page.locator("#point")
    await form.page.get_by_label("Asset", exact=True).select_option("EUR")
    await expect(form.page.locator("#has")).to_have_text("You have €50.00")
    await expect(point).to_be_enabled()
    await form.page.get_by_label("Asset", exact=True).select_option("JPY")
    await expect(form.page.locator("#has")).to_have_text("You have ¥900")
    await expect(point).to_be_disabled()


async def test_fingers_and_a_keyboard_write_the_same_field(form: Visitor) -> None:
    await form.page.get_by_label("Asset", exact=True).select_option("EUR")
    await form.page.get_by_label("Amount", exact=True).press_sequentially("1")
    await tap(form, "2.")
    assert await form.page.evaluate("document.activeElement.id") == "amount", "the keyboard goes on where it was"
    await form.page.keyboard.type("5")
    await form.page.get_by_label("To", exact=True).fill("bob")
    await form.page.get_by_role("button", name="Next").click()
    await expect(form.page.locator(".headline")).to_have_text("€12.50")


async def test_a_face_fills_in_whom_and_loses_nothing(visitor: Visitor, site: Site) -> None:
    alice = await owner(visitor, site, "alice", "50.00 EUR")
    await site.person("bob")
    assert (await alice.pay("@bob", "1.00 EUR")).status_code in (201, 202)
    await visitor.page.goto("/pay?amount=3&memo=lunch")
    await visitor.page.get_by_role("link", name="@bob").click()
    await expect(visitor.page.get_by_label("To", exact=True)).to_have_value("@bob")
    await expect(visitor.page.get_by_label("Amount", exact=True)).to_have_value("3")
    await expect(visitor.page.get_by_label("For", exact=True)).to_have_value("lunch")


async def test_without_scripts_there_is_no_pad_and_the_field_is_sent(
    visitor: Visitor, browser: Browser, site: Site
) -> None:
    await owner(visitor, site, "alice", "50.00 EUR")
    await site.person("bob")
    context = await browser.new_context(
        base_url=site.url, java_script_enabled=False, viewport={"width": 390, "height": 844}
    )
    await context.add_cookies(await visitor.page.context.cookies())  # type: ignore[arg-type]
    page = await context.new_page()
    await page.goto("/pay")
    await expect(page.locator("#pad")).to_be_hidden()
    await page.get_by_label("To", exact=True).fill("bob")
    await page.get_by_label("Amount", exact=True).fill("12,5")
    await page.get_by_label("Asset", exact=True).select_option("EUR")
    await page.get_by_role("button", name="Next").click()
    await expect(page.locator(".headline")).to_have_text("€12.50")
    await context.close()


async def test_the_pad_makes_room_where_letters_are_typed(form: Visitor) -> None:
    page = form.page
    for label, shown in (("To", False), ("Amount", True), ("For", False), ("Amount", True)):
        await page.get_by_label(label, exact=True).focus()
        await expect(page.locator("#pad")).to_be_visible(visible=shown)


async def test_a_desktop_has_a_keyboard_and_no_pad(visitor: Visitor, site: Site) -> None:
    alice = await owner(visitor, site, "alice", "50.00 EUR")
    await visitor.page.set_viewport_size({"width": 1280, "height": 800})
    await visitor.page.goto("/pay")
    await expect(visitor.page.locator("#pad")).to_be_hidden()
    await expect(visitor.page.get_by_label("Amount", exact=True)).to_have_attribute("inputmode", "decimal")
    await fill_in(visitor, to="nobody", amount="1", asset="EUR")
    assert await payments_of(alice) == []


async def test_where_fingers_are_all_there_is_the_pad_is_the_only_one(
    browser: Browser, visitor: Visitor, site: Site
) -> None:
    await owner(visitor, site, "alice", "50.00 EUR")
    context = await browser.new_context(
        base_url=site.url, has_touch=True, is_mobile=True, viewport={"width": 390, "height": 844}
    )
    await context.add_cookies(await visitor.page.context.cookies())  # type: ignore[arg-type]
    page = await context.new_page()
    await page.goto("/pay")
    await expect(page.get_by_label("Amount", exact=True)).to_have_attribute("inputmode", "none")
    await page.get_by_label("Amount", exact=True).tap()
    await page.get_by_role("group", name="Digits").get_by_role("button", name="7", exact=True).tap()
    await expect(page.get_by_label("Amount", exact=True)).to_have_value("7")
    await context.close()


async def test_the_form_says_that_the_wallet_is_frozen(visitor: Visitor, site: Site) -> None:
    alice = await owner(visitor, site, "alice", "50.00 EUR")
    await site.person("bob")
    paid = (await alice.pay("@bob", "1.00 EUR")).json()["id"]
    assert (await alice.post(f"/v1/payments/{paid}/report-unauthorized", b"")).status_code == 200
    await visitor.page.goto("/pay")
    await fill_in(visitor, to="bob", amount="1", asset="EUR")
    await expect(visitor.page.get_by_text("Your wallet is frozen: money comes in")).to_be_visible()

"""A newcomer at a browser, against all of the product: sign up, top up, pay on both rails, give back, freeze; without
ever touching a mouse.
"""

import time
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Locator, Page

from tests.running import Up, up  # noqa: F401 - the shared one
from tests.web.conftest import Visitor, browser, window  # noqa: F401

pytestmark = pytest.mark.anyio

#: A newcomer's patience: from the front page to the first payment, and how often Tab is pressed on a page.
FIRST_PAYMENT_SECONDS, TABS_MAX = 60, 60


async def reach(page: Page, there: Locator) -> None:
    """Press Tab until this has the focus, which is to be seen."""
    await there.wait_for()
    for _ in range(TABS_MAX):
        if await there.evaluate("one => one === document.activeElement"):
            assert await there.evaluate("one => getComputedStyle(one).outlineStyle !== 'none'"), "the focus is not seen"
            return
        await page.keyboard.press("Tab")
    raise AssertionError(f"no way to {there} by keyboard")


async def press(page: Page, role: "str", name: str) -> None:
    there = page.get_by_role(role, name=name, exact=True).first  # type: ignore[arg-type]
    await reach(page, there)
    await page.keyboard.press("Enter")


async def fill(page: Page, label: str, text: str) -> None:
    await reach(page, page.get_by_label(label, exact=True))
    await page.keyboard.type(text)


async def sign_up(visitor: Visitor, handle: str) -> None:
    page = visitor.page
    await page.goto("/")
    await press(page, "link", "Sign up")
    await fill(page, "A handle", handle)
    await press(page, "button", "Sign up with a passkey")
    await page.get_by_role("heading", name=f"@{handle} is yours").wait_for()
    code = (await page.locator("#codes code").all_inner_texts())[-1]
    await reach(page, page.get_by_label("Type one of them"))
    await page.keyboard.type(code)
    await press(page, "button", "I have kept them")
    await page.get_by_role("heading", name=f"@{handle}", exact=True).wait_for()


async def pay(page: Page, to: str, amount: str, asset: str) -> None:
    """With a passkey, which these first payments to somebody need."""
    await press(page, "link", "Pay")
    await fill(page, "To", to)
    await fill(page, "Amount", amount)
    await choose(page, "Asset", asset)
    await press(page, "button", "Next")
    await press(page, "button", "Confirm with your passkey")
    await page.locator("#payment .chip").get_by_text("settled", exact=True).wait_for()


async def choose(page: Page, label: str, text: str) -> None:
    """An option of a list, from the first one down."""
    field = page.get_by_label(label, exact=True)
    await reach(page, field)
    await page.keyboard.press("Home")
    for _ in range(await field.evaluate("one => one.options.length")):
        if await field.evaluate("one => one.selectedOptions[0].text") == text:
            return
        await page.keyboard.press("ArrowDown")
    raise AssertionError(f"{label} has no {text}")


async def bring(page: Page, way: str, amount: str, asset: str, label: str = "Asset") -> None:
    """Top up, or convert."""
    await page.goto("/")
    await press(page, "link", way)
    await fill(page, "Amount", amount)
    await choose(page, label, asset)
    await press(page, "button", way)
    await page.get_by_role("heading", name="What you have in").wait_for()  # home, and not what stands beside the form


async def test_a_newcomer_pays_on_both_rails_gives_back_and_freezes_by_keyboard(up: Up, browser: Browser) -> None:  # noqa: F811
    payee = up.someone("keys_payee", EUR="20.00")
    api = urlsplit(up.place("api_url"))
    async with window(browser, f"http://localhost:{api.port}") as visitor:
        page = visitor.page
        started = time.monotonic()
        await sign_up(visitor, "keys_alice")
        await bring(page, "Top up", "50", "EUR")
        await pay(page, payee, "12.50", "EUR")
        assert time.monotonic() - started < FIRST_PAYMENT_SECONDS

        await bring(page, "Top up", "30", "USD")
        await bring(page, "Convert", "25", "USD → USDX", "Way")
        await page.locator("#balances li").filter(has_text="USDX").get_by_text("25").wait_for()
        await pay(page, payee, "20.5", "USDX")
        assert up.available(payee, "USDX") == "20.500000"
        await page.get_by_text("0x").first.wait_for()

        up.api(payee, "/v1/payments", to="@keys_alice", amount="3.00", asset="EUR")
        await page.goto("/payments")
        await reach(page, page.get_by_role("link").filter(has_text=payee).first)
        await page.keyboard.press("Enter")
        await reach(page, page.locator("summary").filter(has_text="Give it back"))
        await page.keyboard.press("Enter")
        await press(page, "button", "Refund")
        await page.locator("#payment").get_by_text("Refunded", exact=True).wait_for()
        assert up.available(payee, "EUR") == "32.50"

        await page.goto("/payments")
        await reach(page, page.get_by_role("link").filter(has_text="12.50"))
        await page.keyboard.press("Enter")
        await reach(page, page.locator("summary").filter(has_text="This wasn't me"))
        await page.keyboard.press("Enter")
        await press(page, "button", "Freeze my wallet")
        await page.get_by_text("frozen").first.wait_for()
        refused = [one for one in visitor.complaints if "Content" in one or "policy" in one.lower()]
        assert refused == []

"""Every page by axe-core (WCAG 2.2, A and AA, and best practices), in both themes and languages; and what it does not
look for: that nothing is lost at 320 px, and that everything is large enough to touch.
"""

from collections.abc import Iterable
from typing import Any

import pytest
from playwright.async_api import Page

from tests.running import ROOT
from tests.web.conftest import Site, Visitor
from tests.web.people import owner

pytestmark = pytest.mark.anyio

AXE = (ROOT / "tests" / "clients" / "node_modules" / "axe-core" / "axe.min.js").read_text()

SCHEMES = ("light", "dark")

PAGES = (
    *("/", "/pay", "/pay/check?to=bob&amount=5&asset=EUR&memo=lunch", "/pay/check?to=nobody&amount=5&asset=EUR"),
    *("/receive", "/top-up", "/withdraw", "/convert", "/payments", "/payments?person=carol&asset=EUR", "/settings"),
    *("/settings/limits", "/statements", "/statements?from=2026-01-01&asset=EUR"),
    *("/settings/recovery-codes", "/settings/devices", "/settings/keys", "/settings/keys/new", "/settings/mandates"),
    *("/settings/mandates/new?payee=nobody", "/settings/mandates/check?payee=bob&period=20&asset=EUR&total=60"),
    *(
        "/notifications",
        "/notifications/settings",
        "/sign-in",
        "/sign-up",
        "/report",
        "/unsubscribe",
        "/nowhere",
        "/design",
    ),
)

RUN = """async (rules) => (await axe.run({ resultTypes: ["violations"], ...rules && { runOnly: rules } })).violations
    .flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html.slice(0, 200)}`))"""

#: The rules that ask for colours; all others find the same in each theme.
OF_COLOURS = ["color-contrast", "link-in-text-block"]

#: How far a page is wider than the screen.
BEYOND = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

#: What is there to be touched, and too small for a finger (WCAG 2.2, 2.5.5).
TOUCHED = "a.icon, a.button, button, summary, select, input:not([type=hidden], .switch)"
SMALL = f"""() => [...document.querySelectorAll("{TOUCHED}")]
    .filter((one) => one.getClientRects().length > 0 && one.getBoundingClientRect().height < 43.9)
    .map((one) => one.outerHTML)"""


async def settled(page: Page, path: str) -> None:
    await page.goto(path)
    await page.locator("main:not([aria-busy=true])").wait_for()


async def paths(visitor: Visitor, site: Site) -> list[str]:
    """Every page, of somebody who has money, payments with long names, and one that waits."""
    alice = await owner(visitor, site, "alice", "999999999999.99 EUR", "1000 USDX")
    await alice.recovery_codes()
    bob = await site.person("bob", "50.00 EUR")
    await site.person("w" * 30)
    await bob.pay("@alice", "12.50 EUR", memo="o" * 280)
    waits = (await alice.pay("@" + "w" * 30, "99999999999.99 EUR", memo="🍜 ขอบคุณ")).json()["id"]
    (paid,) = [one["id"] for one in (await bob.get("/v1/payments")).json()["items"]]
    return [*PAGES, f"/payments/{waits}", f"/payments/{paid}"]


async def go_over(page: Page, site: Site, every: Iterable[str], language: str) -> dict[str, Any]:
    """What is wrong with these pages in a language, by theme. Each is opened once and looked at in both themes; in one
    language also as wide as on a desktop, which differs in places alone.
    """
    found = {scheme: dict[str, Any]() for scheme in SCHEMES}
    await page.emulate_media(reduced_motion="reduce")
    await page.context.add_cookies([{"name": "language", "value": language, "url": site.url}])

    async def look(at: str, scheme: Any, width: int, rules: list[str] | None = None) -> None:
        await page.emulate_media(color_scheme=scheme)
        await page.set_viewport_size({"width": width, "height": 720})
        faults = [*await page.evaluate(RUN, rules), *(await page.evaluate(SMALL) if width == 320 else [])]
        if beyond := await page.evaluate(BEYOND):
            faults.append(f"{beyond} px beyond the screen")
        if faults:
            found[scheme][f"{at} at {width}"] = faults

    for path in every:
        await page.set_viewport_size({"width": 320, "height": 720})
        await settled(page, path)
        assert await page.evaluate("document.documentElement.lang") == language
        await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        await page.evaluate(AXE)
        await look(path, "light", 320)
        await look(path, "dark", 320, OF_COLOURS)
        if language == "en":
            await look(path, "light", 1280)
    return found


@pytest.fixture(scope="module")
def looked_at() -> dict[str, dict[str, Any]]:
    """What was found in the languages that have been gone over in this run."""
    return {}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("language", ["en", "th"])
async def test_axe_finds_nothing_and_nothing_is_lost_on_a_small_screen(
    visitor: Visitor, site: Site, scheme: str, language: str, looked_at: dict[str, dict[str, Any]]
) -> None:
    if language not in looked_at:
        looked_at[language] = await go_over(visitor.page, site, await paths(visitor, site), language)
    assert looked_at[language][scheme] == {}

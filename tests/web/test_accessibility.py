"""Every page by axe-core (WCAG 2.2, A and AA, and best practices), in both themes and languages; and what it does not
look for: that nothing is lost at 320 px, and that everything is large enough to touch.
"""

from typing import Any

import pytest
from playwright.async_api import Page

from tests.running import ROOT
from tests.web.conftest import Site, Visitor
from tests.web.people import owner

pytestmark = pytest.mark.anyio

AXE = (ROOT / "tests" / "clients" / "node_modules" / "axe-core" / "axe.min.js").read_text()

PAGES = (
    *("/", "/pay", "/pay/check?to=bob&amount=5&asset=EUR&memo=lunch", "/pay/check?to=nobody&amount=5&asset=EUR"),
    *("/receive", "/top-up", "/withdraw", "/convert", "/payments", "/payments?person=carol&asset=EUR", "/settings"),
    *("/settings/limits", "/statements", "/statements?from=2026-01-01&asset=EUR"),
    "/settings/recovery-codes",
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

RUN = """async () => (await axe.run({ resultTypes: ["violations"] })).violations
    .flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.html.slice(0, 200)}`))"""

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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "th"])
async def test_axe_finds_nothing_and_nothing_is_lost_on_a_small_screen(
    visitor: Visitor, site: Site, scheme: Any, language: str
) -> None:
    page = visitor.page
    every = await paths(visitor, site)
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await page.context.add_cookies([{"name": "language", "value": language, "url": site.url}])
    found: dict[str, Any] = {}
    wide = [1280] if (language, scheme) == ("en", "light") else []  # it differs in places alone
    for width in (320, *wide):
        await page.set_viewport_size({"width": width, "height": 720})
        for path in every:
            await settled(page, path)
            assert await page.evaluate("document.documentElement.lang") == language
            await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
            await page.evaluate(AXE)
            faults = [*await page.evaluate(RUN), *(await page.evaluate(SMALL) if width == 320 else [])]
            if beyond := await page.evaluate(BEYOND):
                faults.append(f"{beyond} px beyond the screen")
            if faults:
                found[f"{path} at {width}"] = faults
    assert found == {}

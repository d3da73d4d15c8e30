"""Every page by axe-core, in both themes and languages, at 320 px and on a desktop (axe.py)."""

<<<<<<< HEAD
from collections.abc import Iterable
=======
from pathlib import Path
>>>>>>> 424314a (Look at the console's pages as cheaply as at the wallet's, and take pictures of all where they are wanted)
from typing import Any

import pytest

from tests.web.axe import SCHEMES, gone_over
from tests.web.conftest import Site, Visitor
from tests.web.people import owner

pytestmark = pytest.mark.anyio

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


<<<<<<< HEAD
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


=======
>>>>>>> 424314a (Look at the console's pages as cheaply as at the wallet's, and take pictures of all where they are wanted)
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("language", ["en", "th"])
async def test_axe_finds_nothing_and_nothing_is_lost_on_a_small_screen(
    visitor: Visitor,
    site: Site,
    scheme: str,
    language: str,
    looked_at: dict[str, dict[str, Any]],
    pictures: Path | None,
) -> None:
    if language not in looked_at:
<<<<<<< HEAD
        looked_at[language] = await go_over(visitor.page, site, await paths(visitor, site), language)
=======
        every = await paths(visitor, site)
        looked_at[language] = await gone_over(visitor, site, every, language, pictures)
>>>>>>> 424314a (Look at the console's pages as cheaply as at the wallet's, and take pictures of all where they are wanted)
    assert looked_at[language][scheme] == {}

"""Every page of the console by axe-core, in both themes and languages, at 320 px and on a desktop."""

from typing import Any

import pytest

from tests.api.test_operator_search import covered
from tests.api.test_operators import operator
from tests.web.conftest import Site, Visitor
from tests.web.operating import signed_in
from tests.web.test_accessibility import AXE, BEYOND, RUN, SMALL, settled

pytestmark = pytest.mark.anyio

PAGES = (
    *("/console/sign-in", "/console/enrol", "/console", "/console/nowhere", "/console/handles"),
    *("/console/handles?q=wal_00000000000000000000000000", "/console/handles/" + "w" * 30, "/console/handles/bob"),
    *("/console/handles/nobody_here", "/console/proposals", "/console/operators", "/console/audit"),
    "/console/audit?handle=nobody_here",
    *(f"/console/proposals/new/{kind}" for kind in ("wallet.freeze", "wallet.limit", "handle.return")),
)


async def paths(site: Site) -> list[str]:
    """Every page, of a gateway with long names, and proposals in each state."""
    long = await site.person("w" * 30, "999999999999.99 EUR")
    bob = await site.person("bob", "50.00 EUR")
    await bob.pay("@" + "w" * 30, "12.50 EUR")
    await long.pay("@bob", "99999999999.99 EUR")
    await covered(site.api)
    sue, sam = await operator(site.api, "sue"), await operator(site.api, "sam")
    ids = [(await sue.propose("wallet.freeze", "w" * 30, "o" * 200)).json()["id"] for _ in range(2)]
    await sam.approve(ids[0])
    return [*PAGES, *(f"/console/proposals/{id}" for id in ids)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "th"])
async def test_axe_finds_nothing_in_the_console_and_nothing_is_lost_on_a_small_screen(
    visitor: Visitor, site: Site, scheme: Any, language: str
) -> None:
    page = visitor.page
    every = await paths(site)
    await signed_in(visitor, site, "a" * 30)
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await page.context.add_cookies([{"name": "language", "value": language, "url": site.url}])
    found: dict[str, Any] = {}
    wide = [1280] if (language, scheme) == ("en", "light") else []  # it differs in places alone
    for width in (320, *wide):
        await page.set_viewport_size({"width": width, "height": 720})
        for path in every:
            await settled(page, path)
            assert await page.evaluate("document.documentElement.lang") == language
            if width == 320 and await page.locator(".menu").count():
                await page.locator(".menu").click()
            await page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
            await page.evaluate(AXE)
            faults = [*await page.evaluate(RUN), *(await page.evaluate(SMALL) if width == 320 else [])]
            if beyond := await page.evaluate(BEYOND):
                faults.append(f"{beyond} px beyond the screen")
            if faults:
                found[f"{path} at {width}"] = faults
    assert found == {}

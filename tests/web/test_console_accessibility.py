"""Every page of the console by axe-core, in both themes and languages, at 320 px and on a desktop."""

from typing import Any

import pytest

from tests.web.conftest import Site, Visitor
from tests.web.operating import signed_in
from tests.web.test_accessibility import AXE, BEYOND, RUN, SMALL, settled

pytestmark = pytest.mark.anyio

PAGES = ("/console/sign-in", "/console/enrol", "/console", "/console/nowhere")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "th"])
async def test_axe_finds_nothing_in_the_console_and_nothing_is_lost_on_a_small_screen(
    visitor: Visitor, site: Site, scheme: Any, language: str
) -> None:
    page = visitor.page
    await signed_in(visitor, site, "a" * 30)
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await page.context.add_cookies([{"name": "language", "value": language, "url": site.url}])
    found: dict[str, Any] = {}
    for width in (320, 1280):
        await page.set_viewport_size({"width": width, "height": 720})
        for path in PAGES:
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

"""What home costs who opens it: bytes, and that nothing on it moves once it is there."""

import pytest
from playwright.async_api import Response

from tests.web.conftest import Site, Visitor
from tests.web.people import owner

pytestmark = pytest.mark.anyio

#: Bytes before any compression.
HTML_MAX, ALL_MAX = 60_000, 150_000

#: Adds up how much of the page has moved, and how far (Layout Instability, 2.2).
WATCHES = """window.moved = 0;
new PerformanceObserver((list) => { for (const one of list.getEntries()) window.moved += one.value; })
    .observe({ type: "layout-shift", buffered: true });"""


@pytest.mark.parametrize("width", [390, 1280])
async def test_home_is_light_and_nothing_on_it_moves(visitor: Visitor, site: Site, width: int) -> None:
    alice = await owner(visitor, site, "alice", "900.00 EUR", "13120.00 THB", "215.50 USD", "684.50 USDX")
    bob = await site.person("bob", "50.00 EUR")
    for number in range(8):
        await bob.pay("@alice", "1.50 EUR", memo=f"{number} {'lunch ' * 20}")
    waits = (await alice.pay("@bob", "12.50 EUR", memo="🍜 ขอบคุณ")).json()["state"]
    assert waits == "requires_confirmation"
    page = visitor.page
    await page.goto("about:blank")
    came: list[Response] = []
    page.on("response", lambda answer: came.append(answer))
    await page.add_init_script(WATCHES)
    await page.set_viewport_size({"width": width, "height": 844})

    async with page.expect_request("**/v1/events/stream*"):
        await page.goto("/")

    ended = [one for one in came if "/v1/events/stream" not in one.url]
    sizes = {one.url.removeprefix(site.url): len(await one.body()) for one in ended}
    assert {"/", "/static/style.css", "/static/htmx.min.js"} <= set(sizes)
    assert sizes["/"] < HTML_MAX
    assert sum(sizes.values()) < ALL_MAX, sizes
    assert await page.evaluate("window.moved") == 0
    await page.evaluate("document.getElementById('main').style.paddingTop = '90px'")
    await page.wait_for_function("() => window.moved > 0")  # else nobody was watching

"""Pages that hold what people really have: long names, great amounts, parts of payments. Nothing leaves the screen."""

import pytest

from tests.api.conftest import Person
from tests.api.test_keys import made
from tests.web.axe import BEYOND, settled
from tests.web.conftest import Site, Visitor
from tests.web.people import owner, sign_in

pytestmark = pytest.mark.anyio

STRANGER = "0x" + "4" * 40


async def opened(visitor: Visitor, site: Site, person: Person) -> None:
    """The wallet of an API key's owner, who makes a first passkey."""
    await sign_in(visitor, site, person)
    await visitor.page.goto("/")


WIDTHS = (320, 1280)


@pytest.mark.parametrize("width", WIDTHS)
async def test_the_longest_names_and_the_greatest_amounts_stay_within_the_page(
    visitor: Visitor, site: Site, width: int, looked_at: dict[int, dict[str, int]]
) -> None:
    if width not in looked_at:
        looked_at |= await beyond_the_page(visitor, site)
    assert set(looked_at[width].values()) == {0}, looked_at[width]


async def beyond_the_page(visitor: Visitor, site: Site) -> dict[int, dict[str, int]]:
    """How far each page is wider than the screen, by the width of that; each is opened once."""
    page, found = visitor.page, {width: dict[str, int]() for width in WIDTHS}
    wide = await site.person("w" * 30, "999999999999.99 EUR", "1000 USDX")
    await site.person("m" * 30)
    await made(wide, name="n" * 60, caps=[{"asset": "EUR", "payment": "900000000000.00", "day": "999999999999.99"}])
    mandate = {"payee": "@" + "m" * 30, "asset": "EUR", "period": "900000000000.00", "total": "999999999999.99"}
    assert (await wide.post("/v1/mandates", mandate)).status_code == 201
    await wide.pay(STRANGER, "999 USDX")
    await wide.pay("@" + "m" * 30, "99999999999.99 EUR", memo="o" * 280)
    await wide.pay("@" + "m" * 30, "99999999999.99 EUR", memo="o" * 280, capture=False)

    await opened(visitor, site, wide)

    assert await page.locator("#payments li").count() == 3
    each = await page.locator("#payments a").evaluate_all("links => links.map(link => link.pathname)")
    for path in ("/", "/payments", "/settings/keys", "/settings/mandates", *each):
        await settled(page, path)
        for width in WIDTHS:
            await page.set_viewport_size({"width": width, "height": 900})
            found[width][path] = await page.evaluate(BEYOND)
    assert visitor.complaints == []
    return found


async def test_what_was_paid_of_a_payment_and_what_came_back_is_told(visitor: Visitor, site: Site) -> None:
    alice, bob = await site.person("alice", "50000.00 EUR", "10 USDX"), await site.person("bob")
    held = (await alice.pay("@bob", "12345.00 EUR", capture=False)).json()["id"]
    assert (await bob.post(f"/v1/payments/{held}/capture", {"amount": "4000.00"})).status_code == 200
    assert (await bob.post(f"/v1/payments/{held}/refund", {"amount": "1500.00"})).status_code == 201
    await alice.pay(STRANGER, "1 USDX")

    await opened(visitor, site, alice)

    whos = await visitor.page.locator("#payments .who").all_inner_texts()
    sums = await visitor.page.locator("#payments .amount").all_inner_texts()
    told = [(*(line.split(" · ")[0] for line in who.splitlines()), paid) for who, paid in zip(whos, sums, strict=True)]
    assert [[one for one in row if not one.startswith("today")] for row in told] == [
        ["0x4444…4444", "on its way", "−1.00\u00a0USDX"],
        ["@bob", "Refund", "+€1,500.00"],
        ["@bob", "€4,000.00 of €12,345.00, €1,500.00 refunded", "−€4,000.00"],
    ]
    balance = visitor.page.locator("#balances li").first
    assert (await balance.locator(".amount").inner_text()) == "€47,500.00"
    assert (await balance.locator(".who").inner_text()).splitlines() == ["Euro", "EUR"]


async def test_assets_without_money_are_folded_away_until_they_are_asked_for(visitor: Visitor, site: Site) -> None:
    alice = await site.person("alice", "5.00 EUR")
    await opened(visitor, site, alice)
    assert await visitor.page.locator("#balances li").count() == 1
    await visitor.page.get_by_text("more without money").click()
    await visitor.page.get_by_text("Thai Baht").wait_for()


async def test_what_went_wrong_is_in_sight_of_whoever_pressed_the_button(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    await page.set_viewport_size({"width": 360, "height": 640})
    alice = await site.person("alice", "50.00 EUR")
    await site.person("bob")
    for _ in range(10):
        await alice.pay("@bob", "1.00 EUR")
    await opened(visitor, site, alice)
    await page.goto("/settings/devices")

    await page.get_by_label("What you call this device").fill("The same one")
    await page.get_by_role("button", name="Add a passkey").click()

    await visitor.status("This device has a passkey of this wallet already.")
    box = await page.locator("#status").bounding_box()
    assert box is not None
    assert 0 <= box["y"] <= 640 - box["height"]


async def test_on_a_phone_the_navigation_is_one_row_or_out_of_the_way(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site)
    await visitor.page.set_viewport_size({"width": 390, "height": 844})
    for path in ("/", "/pay", "/settings", "/settings/limits", "/settings/close"):
        await visitor.page.goto(path)
        ways = visitor.page.locator("nav.ways")
        assert await ways.evaluate("nav => nav.offsetHeight") < 80, path

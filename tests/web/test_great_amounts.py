"""Amounts of up to eighteen digits on a phone: each is on one line, within the screen."""

import pytest

from gateway.web.reader import Reader
from tests.web.axe import BEYOND, settled
from tests.web.conftest import Site, Visitor
from tests.web.people import sign_in

pytestmark = pytest.mark.anyio

#: The amounts, and the buttons that name one, whose text is not on one line, or is wider than what it is in.
BROKEN = """() => [...document.querySelectorAll(".money, #pay button")].filter((one) => {
    const text = document.createRange();
    text.selectNodeContents(one);
    const boxes = [...text.getClientRects()].filter((box) => box.width > 1);
    const isOneLine = Math.max(...boxes.map((box) => box.top)) < Math.min(...boxes.map((box) => box.bottom));
    const all = text.getBoundingClientRect();
    return !isOneLine || all.right > one.closest("main").getBoundingClientRect().right - 17;
}).map((one) => one.textContent)"""


async def test_no_amount_of_eighteen_digits_breaks_on_a_phone(visitor: Visitor, site: Site) -> None:
    wide = await site.person("wide", "999999999999999999.99 EUR", "12345678.00 THB", "123456789012.34 USD")
    await site.person("bob")
    paid = [
        (await wide.pay("@bob", amount)).json()["id"]
        for amount in ("333333333333333333.33 EUR", "1234567.00 THB", "12345678901.34 USD")
    ]
    await sign_in(visitor, site, wide)
    page = visitor.page
    await page.set_viewport_size({"width": 320, "height": 720})
    for path in (
        *("/", "/?currency=USD", "/pay/check?to=bob&amount=333333333333333333.33&asset=EUR", "/payments"),
        *(f"/payments/{id}" for id in paid),
        f"/payments/{paid[0]}/receipt",
        "/statements",
    ):
        await settled(page, path)
        assert (await page.evaluate(BROKEN), await page.evaluate(BEYOND)) == ([], 0), path
    assert visitor.complaints == []


def test_an_amount_is_the_smaller_the_longer_it_is() -> None:
    reader = Reader("en", "UTC", None)  # type: ignore[arg-type] # no time is asked
    sizes = [reader.whole("9" * digits + ".99", "EUR").size for digits in (1, 6, 9, 12, 18, 24, 60)]
    assert sizes == ["", "", "long", "longer", "longest", "endless", "endless"]
    assert reader.whole("9" * 18 + ".999999", "USDX").size == "longest"

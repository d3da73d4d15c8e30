"""The receipt of a payment: for its two sides, read and printed without scripts, kept as a file, shared."""

import pytest
from playwright.async_api import expect

from tests.web.conftest import Site, Visitor
from tests.web.people import owner
from tests.web.test_own_pages import EVIL, get

pytestmark = pytest.mark.anyio

#: A browser that shares, files or not, and what it shared: the one without windows has nothing to share with.
SHARES = """(files) => {
    navigator.canShare = (data) => files || !data.files;
    navigator.share = async (data) => {
        window.shared = { ...data, ...data.files && { files: data.files.map((one) => [one.name, one.size > 500]) } };
    };
}"""


async def test_both_sides_open_it_and_nobody_else(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site)
    bob = await site.person("bob", "50.00 EUR")
    await site.person("carol")
    paid = (await bob.pay("@alice", "12.50 EUR", memo=EVIL, reference="order 1042")).json()["id"]
    theirs = (await bob.pay("@carol", "5.00 EUR")).json()["id"]
    page = visitor.page
    await page.goto(f"/payments/{paid}")
    await page.get_by_role("link", name="Receipt").click()
    await expect(page.get_by_role("heading", name="Receipt")).to_be_visible()
    for said in ("@alice", "@bob", "€12.50", "none", "Settled", EVIL, paid):
        await expect(page.locator(".receipt dl")).to_contain_text(said)
    await expect(page.locator(".receipt dl")).not_to_contain_text("order 1042")
    assert "ran" not in await page.title()
    assert await page.get_by_role("button", name="Share").count() == 0

    await page.emulate_media(media="print")
    assert await page.locator("body").inner_text() == await page.locator(".receipt").inner_text()
    file = await page.locator("a[download]").get_attribute("href")
    assert file
    assert (await get(visitor, site, file)).content.startswith(b"%PDF")
    for path in (f"/payments/{theirs}/receipt", "/payments/pay_00000000000000000000000000/receipt"):
        missing = await get(visitor, site, path)
        assert (missing.status_code, "There is no such page" in missing.text) == (404, True)
    assert visitor.complaints == []


async def test_the_file_is_shared_or_else_the_link_and_what_has_not_settled_proves_nothing(
    visitor: Visitor, site: Site
) -> None:
    alice = await owner(visitor, site, "alice", "500.00 EUR")
    await site.person("bob")
    waits = (await alice.pay("@bob", "300.00 EUR")).json()["id"]
    page = visitor.page
    await page.add_init_script(f"({SHARES})(location.hash === '#files')")
    for place, shared in (
        ("#files", {"files": [[f"receipt-{waits}.pdf", True]]}),
        ("?", {"url": f"{site.url}/payments/{waits}/receipt"}),
    ):
        await page.goto(f"/payments/{waits}/receipt{place}")
        await page.get_by_role("button", name="Share").click()
        found = await page.wait_for_function("() => window.shared")
        assert await found.json_value() == {"title": "Payment that is not settled", **shared}
    await expect(page.get_by_text("This does not prove that anything was paid.")).to_be_visible()
    await page.goto(f"/payments/{waits}")
    await expect(page.get_by_role("link", name="Receipt")).to_have_count(0)
    assert visitor.complaints == []

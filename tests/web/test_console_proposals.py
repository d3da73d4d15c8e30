"""Freezes and proposals in the console: two operators at two browsers, and what one alone cannot do."""

from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from gateway.ids import read
from gateway.operators import proposals
from tests.api.browser import browsing
from tests.api.conftest import code_of
from tests.api.test_operators import operator
from tests.web.conftest import Site, Visitor
from tests.web.operating import operating, signed_in
from tests.web.test_own_pages import EVIL

pytestmark = pytest.mark.anyio


async def propose(page: Page, kind: str, **filled: str) -> str:
    """Fill the form in and send it; the address of the proposal that it made."""
    await page.goto(f"/console/proposals/new/{kind}")
    for label, text in filled.items():
        await page.get_by_label(label.replace("_", " "), exact=True).fill(text)
    await page.get_by_role("button", name="Propose").click()
    await page.wait_for_url("**/console/proposals/pro_*")
    return page.url


async def approve(page: Page, path: str) -> None:
    await page.goto(path)
    await page.get_by_role("button", name="Approve with your passkey").click()
    await page.get_by_text("it is done").wait_for()


async def test_two_operators_freeze_and_unfreeze_a_wallet_and_its_owner_pays_in_between_nothing(
    visitor: Visitor, browser: Browser, site: Site
) -> None:
    alice, _ = await site.person("alice", "50.00 EUR"), await site.person("bob")
    await signed_in(visitor, site, "ann")
    async with operating(browser, site, "ben") as ben:
        path = await propose(visitor.page, "wallet.freeze", Handle="@alice", Reason="reported as stolen")
        await expect(visitor.page.get_by_text("Another operator approves it: you proposed it.")).to_be_visible()
        await expect(visitor.page.get_by_role("button", name="Approve with your passkey")).to_have_count(0)
        at_once = await alice.pay("@bob", "1.00 EUR")

        await ben.page.goto("/console/proposals")
        await expect(ben.page.locator("#frozen")).to_contain_text("@alice")
        await ben.page.locator("#open a").click()
        await expect(ben.page.locator("#signed")).to_contain_text("reported as stolen")
        await approve(ben.page, path)
        refused = await alice.pay("@bob", "1.00 EUR")

        path = await propose(ben.page, "wallet.unfreeze", Handle="alice", Reason="she is here")
        still = await alice.pay("@bob", "1.00 EUR")
        await approve(visitor.page, path)
        paid = await alice.pay("@bob", "1.00 EUR")
        assert ben.complaints == []
    assert [code_of(one) for one in (at_once, refused, still)] == [(409, "wallet_frozen")] * 3
    assert paid.status_code == 201
    await visitor.page.goto("/console/proposals")
    await expect(visitor.page.locator("#past li")).to_have_count(2)
    await expect(visitor.page.get_by_text("No wallet is frozen.")).to_be_visible()
    assert visitor.complaints == []


async def test_a_limit_is_proposed_with_faults_at_their_fields_and_approved(
    visitor: Visitor, browser: Browser, site: Site
) -> None:
    alice, _, _ = await browsing(site.api, "alice", "500.00 EUR")
    page = visitor.page
    await signed_in(visitor, site, "ann", "finance")
    await page.goto("/console/proposals/new/wallet.limit?handle=nobody_here")
    for label, text in (("One payment", "ten"), ("A day", "15"), ("Reason", "asked by phone")):
        await page.get_by_label(label, exact=True).fill(text)
    for field, said, label, then in (
        ("payment", "Write an amount such as 12.50.", "One payment", "20,001"),
        ("payment", "EUR has 2 decimals at the most.", "One payment", "20"),
        ("day", "A day's limit is no less than that of one payment.", "A day", "40,50"),
        ("handle", "Nobody has this handle.", "Handle", "@alice"),
    ):
        await page.get_by_role("button", name="Propose").click()
        await expect(page.locator(f"#{field}-fault")).to_contain_text(said)
        await expect(page.locator(".fault")).to_have_count(1)
        await expect(page.get_by_label(label, exact=True)).to_be_focused()
        await page.get_by_label(label, exact=True).fill(then)
    await page.get_by_role("button", name="Propose").click()
    await page.wait_for_url("**/console/proposals/pro_*")
    async with operating(browser, site, "sue", "security") as sue:
        await approve(sue.page, page.url)
    assert (await alice.get("/v1/policy")).json()["limits"]["EUR"] == {"payment": "20.00", "day": "40.50"}
    assert [one for one in visitor.complaints if "status of 4" not in one] == []  # the browser notes each refusal


async def test_a_correction_is_proposed_and_approved_by_finance(visitor: Visitor, browser: Browser, site: Site) -> None:
    alice = await site.person("alice", "50.00 EUR")
    await signed_in(visitor, site, "flo", "finance")
    fields = {"Account_to_debit": "wallet:alice:EUR", "Account_to_credit": "bank:EUR", "Amount": "5"}
    path = await propose(visitor.page, "ledger.correct", **fields, Reason="posted twice")
    async with operating(browser, site, "fay", "finance") as fay:
        await approve(fay.page, path)
    assert await alice.balance("EUR") == ("45.00", "0.00", "45.00")


#: What each role is offered, and may be told to approve.
OFFERED = {
    "read_only": set(),
    "support": {"wallet.freeze"},
    "finance": {"wallet.limit", "ledger.correct"},
    "security": {"wallet.freeze", "wallet.unfreeze", "wallet.limit", "recovery.confirm", "handle.return"},
}


@pytest.mark.parametrize("role", OFFERED)
async def test_a_role_that_may_not_gets_neither_the_button_nor_the_call(
    visitor: Visitor, site: Site, role: str
) -> None:
    await site.person("alice")
    sue = await operator(site.api, "sue")
    id = (await sue.propose("wallet.freeze", "alice")).json()["id"]
    await signed_in(visitor, site, "ann", role)
    page = visitor.page
    await page.goto("/console/proposals")
    links: list[str] = await page.locator("a[href*='/new/']").evaluate_all("all => all.map(one => one.pathname)")
    assert {link.rpartition("/")[2] for link in links} == OFFERED[role]
    for kind in OFFERED["security"] | OFFERED["finance"]:
        shown = await page.request.get(f"/console/proposals/new/{kind}", headers={"Accept": "text/html"})
        assert shown.status == (200 if kind in OFFERED[role] else 403), kind

    await page.goto(f"/console/proposals/{id}")
    may = role == "security"
    await expect(page.get_by_role("button", name="Approve with your passkey")).to_have_count(1 if may else 0)
    await expect(page.get_by_text("Your role does not approve this.")).to_have_count(0 if may else 1)
    if not may:
        asked = await page.evaluate(CHALLENGE, f"/v1/operator/proposals/{id}/challenge")
        assert asked == 403


CHALLENGE = "async (path) => (await fetch(path, { method: 'POST' })).status"


async def test_what_the_passkey_signs_is_what_stands_on_the_page(
    visitor: Visitor, browser: Browser, site: Site
) -> None:
    """Whoever alters the page that is read alters what is signed, and it is refused."""
    await site.person("alice")
    await site.person("mallory")
    sue = await operator(site.api, "sue")
    id = (await sue.propose("wallet.freeze", "alice")).json()["id"]
    await signed_in(visitor, site, "ann")
    page = visitor.page
    await page.goto(f"/console/proposals/{id}")
    parts = page.locator("#signed [data-part]")
    assert await parts.all_text_contents() == (await details(site, id))
    for place in range(await parts.count()):
        await page.goto(f"/console/proposals/{id}")
        await parts.nth(place).evaluate("one => { one.textContent = one.textContent + 'x'; }")
        await page.get_by_role("button", name="Approve with your passkey").click()
        refused = page.get_by_text("it signs no challenge that was made for this")
        await refused.or_(page.get_by_text("it is done")).wait_for()
        assert await refused.is_visible(), await parts.nth(place).text_content()
    await page.goto(f"/console/proposals/{id}")
    await expect(page.get_by_role("button", name="Approve with your passkey")).to_be_enabled()


async def details(site: Site, id: str) -> list[str]:
    """What an approval is over, as the gateway has it."""
    async with site.api.services.database.reading() as connection:
        return (await proposals.proposal(connection, read("pro", id))).details


async def test_what_operators_write_is_text(visitor: Visitor, browser: Browser, site: Site) -> None:
    await site.person("alice")
    sue = await operator(site.api, "sue")
    id = (await sue.propose("wallet.freeze", "alice", reason=EVIL)).json()["id"]
    await signed_in(visitor, site, "ann")
    for path in ("/console/proposals", f"/console/proposals/{id}"):
        await visitor.page.goto(path)
        await expect(visitor.page.get_by_text(EVIL).first).to_be_visible()
        assert "ran" not in await visitor.page.title()
    await approve(visitor.page, f"/console/proposals/{id}")
    await visitor.page.goto("/console/proposals/new/wallet.freeze?handle=" + EVIL)
    assert await visitor.page.get_by_label("Handle", exact=True).input_value() == EVIL[:60]
    assert visitor.complaints == []


async def test_past_proposals_go_on_page_by_page(visitor: Visitor, site: Site) -> None:
    await site.person("alice")
    sue = await operator(site.api, "sue")
    for number in range(23):
        await sue.propose("wallet.unfreeze", "alice", reason=f"number {number}")
    async with site.api.services.database.transaction() as connection:
        await connection.execute("UPDATE proposal SET expires_at = proposed_at + interval '1 microsecond'")
    await signed_in(visitor, site, "ann", "read_only")
    page = visitor.page
    await page.goto("/console/proposals")
    for count in (10, 10):
        await expect(page.locator("#past li")).to_have_count(count)
        await page.get_by_role("link", name="Older").click()
    await expect(page.locator("#past li")).to_have_count(3)
    await expect(page.get_by_role("link", name="Older")).to_have_count(0)
    await expect(page.locator("#past li").last).to_contain_text("number 0")
    await expect(page.locator("#past li").last).to_contain_text("expired")


@pytest.mark.parametrize("path", ["/console/proposals/pro_00000000000000000000000000", "/console/proposals/new/all"])
async def test_what_is_not_there_is_said_so(visitor: Visitor, site: Site, path: str) -> None:
    await signed_in(visitor, site, "ann")
    shown: Any = await visitor.page.goto(path)
    assert shown.status == 404
    await expect(visitor.page.get_by_role("heading", name="There is no such page")).to_be_visible()


async def test_many_frozen_wallets_are_a_tap_away(visitor: Visitor, site: Site) -> None:
    sue = await operator(site.api, "sue")
    for number in range(7):
        await site.person(f"person_{number}")
        await sue.propose("wallet.freeze", f"person_{number}")
    await signed_in(visitor, site, "ann", "read_only")
    page = visitor.page
    await page.goto("/console/proposals")
    await expect(page.locator("#frozen li")).to_have_count(5)
    await page.get_by_role("link", name="Show all").click()
    await expect(page.locator("#frozen li")).to_have_count(7)
    await expect(page.get_by_role("link", name="Show all")).to_have_count(0)

"""Search, a wallet, the audit log and the operators, as operators read them."""

import pytest
from playwright.async_api import expect

from tests.api.browser import browsing
from tests.api.test_keys import made
from tests.api.test_operator_search import covered, tampered
from tests.api.test_operators import code_for, operator
from tests.web.conftest import Site, Visitor
from tests.web.operating import signed_in
from tests.web.test_own_pages import EVIL

pytestmark = pytest.mark.anyio


async def test_a_search_leads_to_what_it_found(visitor: Visitor, site: Site) -> None:
    alice = await site.person("alice", "50.00 EUR")
    await site.person("bob")
    paid = (await alice.pay("@bob", "12.50 EUR", memo=EVIL)).json()["id"]
    page = visitor.page
    await signed_in(visitor, site, "ann", "read_only")
    await page.goto("/console")
    for typed in ("@alice", "alice", alice.wallet_id, alice.address):
        await page.get_by_role("navigation", name="Sections").get_by_role("link", name="Handles").click()
        await page.get_by_role("searchbox").fill(typed)
        await page.get_by_role("button", name="Find").click()
        await page.get_by_role("heading", name="@alice").wait_for()
    await page.goto(f"/console/handles?q={paid}")
    await expect(page.get_by_role("heading", name="The payment with this id")).to_be_visible()
    found = page.locator("#found a")
    await expect(found).to_contain_text("12.50 EUR from @alice to @bob")
    assert await found.get_attribute("href") == f"/console/payments/{paid}"
    await page.goto(f"/console/handles?q={EVIL}")
    await expect(page.get_by_text("Nothing was found.")).to_be_visible()
    assert await page.get_by_role("searchbox").input_value() == EVIL
    assert visitor.complaints == []


async def test_a_wallets_page_shows_what_it_has_and_what_restricts_it_and_no_notes(
    visitor: Visitor, site: Site
) -> None:
    await browsing(site.api, "alice", "482.50 EUR")
    bob = await site.person("bob", "5.00 EUR")
    await bob.pay("@alice", "5.00 EUR", memo="between us")
    await made(bob, name=EVIL[:60])
    sue = await operator(site.api, "sue")
    await sue.propose("wallet.freeze", "alice", reason=EVIL)
    page = visitor.page
    await signed_in(visitor, site, "ann")

    await page.goto("/console/handles/alice")
    await expect(page.locator(".top")).to_contain_text("frozen")
    await expect(page.locator("#balances")).to_contain_text("€487.50")
    await expect(page.locator("#payments li")).to_have_count(1)
    await expect(page.locator("#freezes")).to_contain_text(EVIL)
    await expect(page.locator("#audit")).to_contain_text("operator.proposed")
    await expect(page.get_by_text("€100.00 a payment, €300.00 a day")).to_be_visible()
    await expect(page.get_by_role("link", name="Freeze @alice", exact=True)).to_have_count(0)
    await expect(page.get_by_role("link", name="Unfreeze @alice")).to_be_visible()
    assert "between us" not in await page.content()

    await page.goto("/console/handles/bob")
    await expect(page.locator("#keys")).to_contain_text(EVIL[:60])
    await expect(page.get_by_text("It has no passkey yet, so nothing asks its owner.")).to_be_visible()
    await page.get_by_role("link", name="Freeze @bob").click()
    assert await page.get_by_label("Handle", exact=True).input_value() == "bob"
    assert "ran" not in await page.title()
    assert visitor.complaints == []


async def test_a_wallet_that_its_owner_closed_is_shown_to_be(visitor: Visitor, site: Site) -> None:
    await site.person("alice")
    async with site.api.services.database.transaction() as connection:
        await connection.execute("UPDATE wallet SET closed_at = now() WHERE handle = 'alice'")
    await signed_in(visitor, site, "ann", "read_only")
    await visitor.page.goto("/console/handles/alice")
    await expect(visitor.page.locator(".top")).to_contain_text("closed for ever")


async def test_a_reader_is_offered_nothing_that_changes_a_wallet(visitor: Visitor, site: Site) -> None:
    await site.person("alice")
    await signed_in(visitor, site, "ann", "read_only")
    await visitor.page.goto("/console/handles/alice")
    await expect(visitor.page.locator(".top a")).to_have_count(0)


async def test_the_audit_log_is_filtered_goes_on_and_is_verified(visitor: Visitor, site: Site) -> None:
    for number in range(20):
        await site.person(f"person_{number}")
    last = await covered(site.api)
    page = visitor.page
    await signed_in(visitor, site, "ann", "read_only")
    await page.goto("/console/audit")
    await expect(page.locator("#events li")).to_have_count(12)
    await expect(page.get_by_role("link", name="Newest")).to_have_count(0)
    seen, older = [], page.get_by_role("link", name="Older")
    while await older.count():
        seen += await page.locator("#events summary").all_inner_texts()
        await older.click()
    seen += await page.locator("#events summary").all_inner_texts()
    assert len(seen) > 40
    assert "@person_0" in seen[-2]
    await page.get_by_role("link", name="Newest").click()
    assert await page.locator("#events summary").first.inner_text() == seen[0]

    await page.get_by_label("Handle", exact=True).fill("@person_3")
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(page.locator("#events li")).to_have_count(2)
    await page.locator("#events summary").first.click()
    await expect(page.locator("#events").get_by_role("link", name="@person_3").first).to_be_visible()
    await page.get_by_label("Kind", exact=True).fill("wallet")
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(page.locator("#events li")).to_have_count(1)
    await page.get_by_label("Handle", exact=True).fill("nobody_here")
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(page.locator("#handle-fault")).to_contain_text("Nobody has this handle.")

    await expect(page.get_by_text("gateway audit verify --from-head")).to_contain_text(f":{last}")
    await page.get_by_role("button", name="Verify the latest rows").click()
    await visitor.status("As it was written. Checkpoints: 1,")
    await tampered(site.api, "person_7")
    await page.get_by_role("button", name="Verify the latest rows").click()
    await visitor.status("was altered. Keep a copy of the database.")


async def test_operators_are_listed_with_their_roles(visitor: Visitor, site: Site) -> None:
    await code_for(site.api, "zoe", "finance")
    await signed_in(visitor, site, "ann", "read_only")
    await visitor.page.goto("/console/operators")
    people = visitor.page.locator("#people li")
    await expect(people.filter(has_text="zoe")).to_contain_text("no passkey yet")
    await expect(people.filter(has_text="zoe")).to_contain_text("finance")
    await expect(people.filter(has_text="ann")).to_contain_text("enrolled")

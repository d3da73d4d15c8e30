"""Asking for money at the pages, and paying or declining what is asked; seen by both as it happens, and paid once."""

from typing import Any

import pytest
from playwright.async_api import Browser, Page, Route, expect

from tests.api.conftest import Person
from tests.web.conftest import Site, Visitor, visiting
from tests.web.people import owner

pytestmark = pytest.mark.anyio


async def asked(by: Person, who: str = "@alice", amount: str = "12.50", **more: Any) -> str:
    made = await by.post("/v1/requests", {"from": who, "amount": amount, "asset": "EUR", "memo": "dinner", **more})
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def state(of: Person, id: str) -> str:
    return str((await of.get(f"/v1/requests/{id}")).json()["state"])


async def fill_in(page: Page, who: str = "bob", amount: str = "12,5") -> None:
    await page.goto("/request")
    await page.get_by_label("From whom").fill(who)
    await page.get_by_label("Amount").fill(amount)
    await page.get_by_label("Asset").select_option("EUR")
    await page.get_by_label("For", exact=True).fill("dinner")


def chip(page: Page) -> Any:
    return page.locator("#request .chip")


async def test_one_asks_and_the_other_sees_it_at_home_and_pays(visitor: Visitor, browser: Browser, site: Site) -> None:
    bob = await site.person("bob", "50.00 EUR")
    async with visiting(browser, site) as other:
        await owner(other, site, "alice")
        await owner(visitor, site, "carol", "50.00 EUR")
        await visitor.page.goto("/")
        await expect(visitor.page.locator("#asked")).to_have_count(0)
        await fill_in(other.page, "Carol")
        await other.page.get_by_role("button", name="Ask").click()
        await expect(chip(other.page)).to_have_text("not paid yet")

        waiting = visitor.page.locator("#asked li")  # by the stream, without a reload
        await expect(waiting).to_contain_text("@alice asks you for €12.50")
        await expect(waiting).to_contain_text("dinner")
        await waiting.get_by_role("link", name="Pay €12.50 to @alice").click()
        await expect(visitor.page.locator(".largest")).to_have_text("€12.50")
        await visitor.page.get_by_role("button", name="Confirm with your passkey").click()
        await visitor.page.locator("#payment .chip").get_by_text("settled", exact=True).wait_for()

        await expect(chip(other.page)).to_have_text("paid")
        await other.page.get_by_role("link", name="Show the payment").click()
        await expect(other.page.locator(".largest")).to_have_text("+€12.50")
        await visitor.page.goto("/requests")
        await expect(visitor.page.locator("#requests .chip")).to_have_text("paid")
        assert visitor.complaints == other.complaints == []
    assert await bob.balance("EUR") == ("50.00", "0.00", "50.00")


async def test_a_request_that_is_paid_in_one_tab_is_shown_as_paid_in_the_other(visitor: Visitor, site: Site) -> None:
    alice, bob = await owner(visitor, site, "alice", "50.00 EUR"), await site.person("bob")
    id = await asked(bob)
    tab = await visitor.page.context.new_page()
    for page in (visitor.page, tab):
        await page.goto(f"/pay/check?request={id}")
    for page in (visitor.page, tab):
        await page.get_by_role("button", name="Confirm with your passkey").click()
        await page.wait_for_url("**/payments/pay_*" if page is visitor.page else f"**/requests/{id}")
        if page is visitor.page:
            await page.locator("#payment .chip").get_by_text("settled", exact=True).wait_for()
    await expect(chip(tab)).to_have_text("paid")
    await tab.goto(f"/pay/check?request={id}")
    await expect(tab).to_have_url(f"{site.url}/requests/{id}")
    assert await alice.balance("EUR") == ("37.50", "0.00", "37.50")


async def test_declining_at_home_asks_once_more_and_tells_the_other(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site, "alice", "50.00 EUR")
    bob = await site.person("bob")
    id, page = await asked(bob), visitor.page
    await page.goto("/")
    decline = page.get_by_role("button", name="Decline the request of @bob")
    await decline.click()
    await page.get_by_role("button", name="Keep it").click()
    await expect(decline).to_be_focused()
    assert await state(bob, id) == "open"
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    await page.get_by_role("dialog").get_by_role("button", name="Decline").click()
    await expect(page.locator("#asked")).to_have_count(0)
    assert await state(bob, id) == "declined"


async def test_ones_own_request_is_cancelled(visitor: Visitor, site: Site) -> None:
    alice = await owner(visitor, site, "alice")
    await site.person("bob")
    id = await asked(alice, "@bob")
    await visitor.page.goto(f"/requests/{id}")
    await visitor.page.get_by_role("button", name="Cancel the request").click()
    await visitor.page.get_by_role("dialog").get_by_role("button", name="Cancel the request").click()
    await expect(chip(visitor.page)).to_have_text("cancelled")
    assert await state(alice, id) == "cancelled"


async def test_pressed_again_after_a_lost_answer_and_twice_it_is_one_request(visitor: Visitor, site: Site) -> None:
    alice = await owner(visitor, site, "alice")
    await site.person("bob")

    async def lose(route: Route) -> None:
        await route.fetch()  # it reaches the gateway, and its answer reaches nobody
        await route.abort()

    page = visitor.page
    await fill_in(page)
    await page.route("**/v1/requests", lose)
    await page.get_by_role("button", name="Ask").click()
    await visitor.status("it is not asked twice")
    await page.unroute("**/v1/requests")
    await page.get_by_role("button", name="Ask").dblclick()
    await expect(chip(page)).to_have_text("not paid yet")
    assert len((await alice.get("/v1/requests")).json()["items"]) == 1


@pytest.mark.parametrize(
    ("who", "amount", "field", "text"),
    [
        ("nobody_here", "5", "From whom", "Nobody has this handle."),
        ("alice", "5", "From whom", "That is you."),
        ("bob", "5,555", "Amount", "This has more decimals than the currency."),
        ("bob", "five", "Amount", "Write an amount such as 12.50."),
    ],
)
async def test_what_is_wrong_is_said_at_its_field(
    visitor: Visitor, site: Site, who: str, amount: str, field: str, text: str
) -> None:
    await owner(visitor, site, "alice")
    await site.person("bob")
    await fill_in(visitor.page, who, amount)
    await visitor.page.get_by_role("button", name="Ask").click()
    await expect(visitor.page.get_by_role("alert")).to_contain_text(text)
    await expect(visitor.page.get_by_label(field)).to_be_focused()


async def test_a_request_that_there_is_no_money_for_says_so_on_its_page(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site, "alice", "5.00 EUR")
    id = await asked(bob := await site.person("bob"))
    await visitor.page.goto(f"/pay/check?request={id}")
    await expect(visitor.page.get_by_role("alert")).to_contain_text("You do not have that much.")
    await expect(visitor.page.get_by_role("button", name="Decline")).to_be_enabled()
    assert (await bob.post(f"/v1/requests/{id}/cancel", {})).status_code == 200
    await expect(chip(visitor.page)).to_have_text("cancelled")  # at another address than its own


async def test_a_frozen_wallet_that_would_pay_is_led_to_unfreezing(visitor: Visitor, site: Site) -> None:
    alice, bob = await owner(visitor, site, "alice", "50.00 EUR"), await site.person("bob")
    paid = (await alice.pay("@bob", "1.00 EUR")).json()["id"]
    await alice.post(f"/v1/payments/{paid}/report-unauthorized", b"")
    await visitor.page.goto(f"/pay/check?request={await asked(bob)}")
    alert = visitor.page.get_by_role("alert")
    await expect(alert).to_contain_text("Your wallet is frozen")
    await expect(alert.get_by_role("link", name="Unfreeze your wallet")).to_have_attribute("href", "/settings/unfreeze")


async def test_a_request_of_a_wallet_that_was_closed_meanwhile_says_so(visitor: Visitor, site: Site) -> None:
    alice, bob = await owner(visitor, site, "alice", "50.00 EUR"), await site.person("bob")
    id = await asked(bob)
    closed = await bob.post("/v1/wallet/close", {"confirm": "@bob closes this wallet for ever"})
    assert closed.status_code == 200
    async with site.api.services.database.transaction() as connection:
        # As closing leaves one that somebody begins to pay at that moment.
        await connection.execute("UPDATE payment_request SET cancelled_at = NULL")
    assert await state(alice, id) == "open"
    await visitor.page.goto(f"/pay/check?request={id}")
    text = "@bob has closed their wallet, so this request cannot be paid. Decline it."
    await expect(visitor.page.get_by_role("alert")).to_have_text(text)
    await expect(visitor.page.get_by_role("button", name="Decline")).to_be_enabled()


async def test_more_that_wait_than_are_shown_are_listed_on_a_page_of_their_own(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site, "alice")
    bob, carol, page = await site.person("bob"), await site.person("carol"), visitor.page
    for by in (bob,) * 9 + (carol,) * 3:
        await asked(by)
    await page.goto("/requests")
    await expect(page.locator("#asked li")).to_have_count(10)
    await expect(page.locator("#requests li")).to_have_count(12)  # each once
    await page.get_by_role("link", name="Show all").click()
    await expect(page.locator("#asked li")).to_have_count(12)
    await page.get_by_role("button", name="Decline the request of @carol").first.click()
    await page.get_by_role("dialog").get_by_role("button", name="Decline").click()
    await expect(page.locator("#asked li")).to_have_count(11)


async def test_what_limits_new_requests_is_said_in_its_own_words(visitor: Visitor, site: Site) -> None:
    alice = await owner(visitor, site, "alice")
    await site.person("bob")
    for _ in range(10):
        await asked(alice, "@bob")
    page, alert = visitor.page, visitor.page.get_by_role("alert")
    await fill_in(page)
    await page.get_by_role("button", name="Ask").click()
    await expect(alert).to_contain_text("Too many of your requests to this wallet are open.")
    for n in range(9):
        other = await site.person(f"other_{n}")
        for _ in range(10):
            await asked(alice, f"@{other.handle}")
    await site.person("carol")
    await fill_in(page, "carol")
    await page.get_by_role("button", name="Ask").click()
    await expect(alert).to_contain_text("You have made too many requests today. Try again tomorrow.")


async def test_a_notice_of_a_request_leads_to_it(visitor: Visitor, site: Site) -> None:
    alice, bob = await owner(visitor, site, "alice"), await site.person("bob")
    await asked(bob)
    id = await asked(bob)
    await asked(bob)
    told = (await alice.get("/v1/notifications")).json()["items"]
    assert [one["request"] for one in told if one["type"] == "request.created"][1] == id
    assert {one["request"] for one in told if one["type"] != "request.created"} == {None}
    await visitor.page.goto("/notifications")
    notice = visitor.page.locator("details.notice").filter(has_text="@bob asks you for €12.50").nth(1)
    await notice.locator("summary").click()
    await notice.get_by_role("link", name="Show the request").click()
    await expect(visitor.page).to_have_url(f"{site.url}/requests/{id}")


async def test_requests_are_read_without_scripts_and_by_nobody_else(
    visitor: Visitor, browser: Browser, site: Site
) -> None:
    await owner(visitor, site, "alice")
    bob, carol = await site.person("bob"), await site.person("carol")
    id, others = await asked(bob), await asked(bob, "@carol")
    context = await browser.new_context(base_url=site.url, java_script_enabled=False)
    await context.add_cookies(await visitor.page.context.cookies())  # type: ignore[arg-type]
    page = await context.new_page()
    for path in ("/", "/requests", f"/requests/{id}"):
        await page.goto(path)
        await expect(page.get_by_text("dinner").first).to_be_visible()
    for path in (f"/requests/{others}", f"/pay/check?request={others}"):
        answer = await page.goto(path)
        assert answer is not None
        assert answer.status == 404
    await context.close()
    assert await state(carol, others) == "open"

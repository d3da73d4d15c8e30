"""Paying at the pages: whom, how much, a last look, and what becomes of it; and nothing is ever paid twice."""

from typing import Any

import pytest
from playwright.async_api import Browser, Locator, Route, expect

from tests.api.conftest import Person
from tests.web.conftest import Site, Visitor, visiting
from tests.web.people import owner
from tests.web.test_browser import signed_up

pytestmark = pytest.mark.anyio


#: Has one's payments of tokens wait for half a minute, in which they can be undone.
WITH_UNDO = """async () => {
    const policy = { ...(await (await fetch("/v1/policy")).json()), undo_seconds: 30 };
    const headers = { "Content-Type": "application/json" };
    return (await fetch("/v1/policy", { method: "PUT", headers, body: JSON.stringify(policy) })).status;
}"""


async def fill_in(visitor: Visitor, **filled: str) -> None:
    """Fill in the form of a payment, and go on to the last look."""
    page = visitor.page
    await page.goto("/pay")
    for label, text in filled.items():
        field = page.get_by_label(label.capitalize(), exact=True)
        await (field.select_option(text) if label == "asset" else field.fill(text))
    await page.get_by_role("button", name="Next").click()


def confirm(visitor: Visitor) -> Locator:
    return visitor.page.get_by_role("button", name="Confirm with your passkey")


async def settled(visitor: Visitor) -> None:
    await visitor.page.locator("#payment .chip").get_by_text("settled", exact=True).wait_for()


async def payments_of(person: Person) -> list[Any]:
    return list((await person.get("/v1/payments")).json()["items"])


async def test_two_people_sign_up_pay_and_see_each_other_do_it(visitor: Visitor, browser: Browser, site: Site) -> None:
    """From a first look at the gateway to a payment that the other side sees come in, without a reload."""
    async with visiting(browser, site) as other:
        await signed_up(other, "bob")
        await expect(other.page.locator("#payments")).to_have_count(0)
        page = visitor.page
        await page.goto("/")
        await page.get_by_role("link", name="Sign up").click()
        await page.get_by_label("A handle").fill("alice")
        await page.get_by_role("button", name="Sign up with a passkey").click()
        await page.get_by_label("Type one of them").fill(await page.locator("#codes code").first.inner_text())
        await page.get_by_role("button", name="I have kept them").click()
        await page.get_by_role("link", name="Top up").click()
        await page.get_by_label("Amount").fill("50")
        await page.get_by_role("button", name="Top up").click()
        await page.get_by_role("heading", name="What you have in Euro").wait_for()

        await fill_in(visitor, to="Bob", amount="12,5", asset="EUR", **{"for": "lunch <b>now</b>"})
        await page.get_by_text("You will have €37.50 left").wait_for()
        await confirm(visitor).click()
        await settled(visitor)

        row = other.page.locator("#payments li")
        await expect(row).to_contain_text("lunch <b>now</b>")
        await expect(row.locator(".amount")).to_have_text("+€12.50")
        await expect(other.page.locator(".largest")).to_have_text("€12.50")
        await expect(other.page.locator("#bell .count")).to_be_visible()
        assert visitor.complaints == other.complaints == []


async def test_pressed_in_two_tabs_and_again_it_is_one_payment(visitor: Visitor, site: Site) -> None:
    alice = await owner(visitor, site, "alice", "50.00 EUR")
    await site.person("bob")
    await fill_in(visitor, to="bob", amount="5", asset="EUR")
    await confirm(visitor).wait_for()
    here = visitor.page.url
    tab = await visitor.page.context.new_page()
    await tab.goto(here)
    await confirm(visitor).click()
    await settled(visitor)
    await visitor.page.go_back()
    await confirm(visitor).click()
    await settled(visitor)
    await tab.get_by_role("button", name="Confirm with your passkey").click()
    await tab.wait_for_url("**/payments/pay_*")
    assert len(await payments_of(alice)) == 1
    assert await alice.balance("EUR") == ("45.00", "0.00", "45.00")


async def test_after_a_lost_answer_the_button_is_pressed_again_and_it_is_one_payment(
    visitor: Visitor, site: Site
) -> None:
    alice = await owner(visitor, site, "alice", "50.00 EUR")
    await site.person("bob")

    async def lose(route: Route) -> None:
        await route.fetch()  # it reaches the gateway, and its answer reaches nobody
        await route.abort()

    await fill_in(visitor, to="bob", amount="5", asset="EUR")
    await visitor.page.route("**/v1/payments", lose)
    await confirm(visitor).click()
    await visitor.status("it is not paid twice")
    await visitor.page.unroute("**/v1/payments")
    await confirm(visitor).click()
    await settled(visitor)
    assert len(await payments_of(alice)) == 1


@pytest.fixture(scope="module")
async def payer(shared_visitor: Visitor, shared_site: Site) -> Person:
    """@alice, who fills in what is not paid."""
    await shared_site.person("bob")
    return await owner(shared_visitor, shared_site, "alice", "50.00 EUR")


@pytest.mark.parametrize(
    ("filled", "said"),
    [
        ({"to": "nobody", "amount": "1", "asset": "EUR"}, "Nobody has this handle."),
        ({"to": "0x12", "amount": "1", "asset": "EUR"}, "This is no handle and no address."),
        ({"to": "alice", "amount": "1", "asset": "EUR"}, "That is you."),
        ({"to": "bob", "amount": "one", "asset": "EUR"}, "Write an amount such as 12.50."),
        ({"to": "bob", "amount": "-1", "asset": "EUR"}, "Write an amount such as 12.50."),
        ({"to": "bob", "amount": "0", "asset": "EUR"}, "Write an amount such as 12.50."),
        ({"to": "bob", "amount": "1.234", "asset": "EUR"}, "EUR has 2 decimals at the most."),
        ({"to": "bob", "amount": "1.5", "asset": "JPY"}, "JPY has no decimals."),
        ({"to": "bob", "amount": "51", "asset": "EUR"}, "You do not have that much."),
    ],
)
async def test_what_is_wrong_stands_at_its_field_and_nothing_filled_in_is_lost(
    shared_visitor: Visitor, payer: Person, filled: dict[str, str], said: str
) -> None:
    page = shared_visitor.page
    await fill_in(shared_visitor, **filled, **{"for": "lunch"})
    fault = page.get_by_role("alert")
    await expect(fault).to_contain_text(said)
    field = page.locator("[aria-invalid]")
    assert await field.get_attribute("aria-describedby") == await fault.get_attribute("id")
    assert await page.get_by_label("For", exact=True).input_value() == "lunch"
    assert (await page.get_by_label("Amount", exact=True).input_value()) == filled["amount"]
    assert await payments_of(payer) == []


async def test_whom_one_pays_stands_on_the_form_and_is_chosen_by_a_touch(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site)
    bob = await site.person("bob", "5.00 EUR")
    await bob.pay("@alice", "5.00 EUR")
    await visitor.page.goto("/pay")
    await visitor.page.get_by_role("link", name="@bob").click()
    assert await visitor.page.get_by_label("To", exact=True).input_value() == "@bob"


async def test_a_code_to_be_paid_by_opens_the_payment_at_the_other_side(
    visitor: Visitor, browser: Browser, site: Site
) -> None:
    await owner(visitor, site)
    await visitor.page.goto("/receive")
    await visitor.page.get_by_label("Amount, if you know it").fill("7,5")
    await visitor.page.get_by_label("Asset").select_option("EUR")
    await visitor.page.get_by_role("button", name="Make the code").click()
    link = visitor.page.locator("a", has_text="/pay?to=@alice")
    href = str(await link.get_attribute("href"))
    assert href == f"{site.url}/pay?to=@alice&amount=7.50&asset=EUR"
    async with visiting(browser, site) as other:
        await owner(other, site, "bob")
        await other.page.goto(href)
        assert await other.page.get_by_label("To", exact=True).input_value() == "@alice"
        assert await other.page.get_by_label("Amount", exact=True).input_value() == "7.50"


async def test_money_goes_to_the_bank_beyond_the_limits_by_the_passkey(visitor: Visitor, site: Site) -> None:
    alice = await owner(visitor, site, "alice", "5000.00 EUR")
    await visitor.page.goto("/withdraw")
    await visitor.page.get_by_label("Amount").fill("4000,5")
    await visitor.page.get_by_role("button", name="Withdraw").click()
    await visitor.page.get_by_role("heading", name="What you have in Euro").wait_for()
    assert await alice.balance("EUR") == ("999.50", "0.00", "999.50")


async def test_limits_are_loosened_by_the_passkey_over_what_stands_in_the_fields(visitor: Visitor, site: Site) -> None:
    alice = await owner(visitor, site, "alice", "500.00 EUR")
    await site.person("bob")
    page = visitor.page
    await page.goto("/settings/limits")
    await page.locator("#EUR-payment").fill("300")
    await page.locator("#EUR-day").fill("400,5")
    await page.get_by_label("before I pay somebody for the first time").uncheck()
    await page.get_by_label("Hours on a new device").fill("0")
    await page.get_by_label("Seconds in which").select_option("30")
    await page.get_by_label("Do not ask about").fill("@bob")
    await page.get_by_role("button", name="Save").click()
    await visitor.status("Saved. It holds from now on.")
    policy = (await alice.get("/v1/policy")).json()
    assert policy["limits"]["EUR"] == {"payment": "300.00", "day": "400.50"}
    assert (policy["approve_new_payee"], policy["undo_seconds"], policy["trusted"]) == (False, 30, ["@bob"])
    await fill_in(visitor, to="bob", amount="250", asset="EUR")
    await page.get_by_role("button", name="Pay €250.00").click()
    await settled(visitor)


async def test_limits_that_were_altered_on_the_page_are_not_loosened(visitor: Visitor, site: Site) -> None:
    alice = await owner(visitor, site)
    page = visitor.page
    await page.goto("/settings/limits")
    await page.locator("#EUR-payment").fill("300")

    async def alter(route: Route) -> None:
        await route.continue_(post_data=(route.request.post_data or "").replace('"300.00"', '"9300.00"'))

    await page.route("**/v1/policy**", alter)
    await page.get_by_role("button", name="Save").click()
    await visitor.status("this passkey is not accepted")
    assert (await alice.get("/v1/policy")).json()["limits"]["EUR"]["payment"] != "9300.00"


async def test_a_payee_gives_back_a_part(visitor: Visitor, site: Site) -> None:
    alice = await owner(visitor, site)
    bob = await site.person("bob", "20.00 EUR")
    await bob.pay("@alice", "20.00 EUR")
    await visitor.page.goto("/")
    await visitor.page.locator("#payments a").first.click()
    await visitor.page.get_by_text("Give it back").click()
    await visitor.page.get_by_label("How much, in EUR").fill("7,50")
    await visitor.page.get_by_role("button", name="Refund").click()
    await visitor.page.get_by_text("€7.50 refunded").wait_for()
    assert await alice.balance("EUR") == ("12.50", "0.00", "12.50")


async def test_a_payment_is_undone_while_its_time_runs(visitor: Visitor, site: Site) -> None:
    alice = await owner(visitor, site, "alice", "20 USDX")
    await site.person("bob")
    await visitor.page.goto("/settings/limits")
    assert await visitor.page.evaluate(WITH_UNDO) == 200
    await fill_in(visitor, to="bob", amount="5", asset="USDX")
    await confirm(visitor).click()
    await visitor.page.get_by_role("button", name="Undo").click()
    await visitor.page.locator("#payment .chip").get_by_text("taken back", exact=True).wait_for()
    assert await alice.balance("USDX") == ("20.000000", "0.000000", "20.000000")

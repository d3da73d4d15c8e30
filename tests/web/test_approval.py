"""A payment that waits is approved in a real browser, over its own details as they stand on the page."""

from datetime import timedelta
from typing import Any

import pytest
from playwright.async_api import Locator

from tests.api.conftest import Person
from tests.web.conftest import Site, Visitor
from tests.web.people import owner

pytestmark = pytest.mark.anyio


async def waiting_payment(visitor: Visitor, site: Site) -> tuple[Person, Any]:
    """@alice has to approve 12.50 EUR for @bob, whom she has never paid."""
    alice = await owner(visitor, site, "alice", "50.00 EUR")
    await site.person("bob")
    asked = (await alice.pay("@bob", "12.50 EUR", memo="lunch <b>now</b>")).json()
    assert (asked["state"], "new_payee" in asked["approval"]["reasons"]) == ("requires_confirmation", True)
    await visitor.page.goto("/")
    await visitor.page.get_by_role("link", name="@bob is to be paid €12.50").click()
    return alice, asked


def card(visitor: Visitor) -> Locator:
    return visitor.page.locator("#payment")


async def state(visitor: Visitor, text: str) -> None:
    """Wait until the page says that the payment is in this state, and that nothing is to be done."""
    await visitor.page.locator("#payment .chip").get_by_text(text, exact=True).wait_for()
    await visitor.page.get_by_role("button", name="Decline").wait_for(state="hidden")


async def test_a_payment_is_approved_with_a_passkey_over_what_the_page_shows(visitor: Visitor, site: Site) -> None:
    alice, asked = await waiting_payment(visitor, site)
    shown = await card(visitor).inner_text()
    for part in (asked["id"], "@bob", "12.50 EUR", "ledger", "lunch <b>now</b>", "your first payment to them"):
        assert part in shown

    await card(visitor).get_by_role("button", name="Approve with your passkey").click()

    await state(visitor, "settled")
    assert (await alice.get(f"/v1/payments/{asked['id']}")).json()["state"] == "settled"
    assert await alice.balance("EUR") == ("37.50", "0.00", "37.50")


@pytest.mark.parametrize(("true", "altered"), [("12.50", "1.25"), ("@bob", "@carol"), ("ledger", "chain")])
async def test_a_page_that_alters_what_it_shows_has_nothing_approved(
    visitor: Visitor, site: Site, true: str, altered: str
) -> None:
    alice, asked = await waiting_payment(visitor, site)
    part = card(visitor).locator("[data-part]").get_by_text(true, exact=True)
    await part.evaluate("(element, text) => { element.textContent = text; }", altered)

    async with visitor.page.expect_response(lambda answer: answer.url.endswith("/approval")) as answered:
        await card(visitor).get_by_role("button", name="Approve with your passkey").click()

    assert (await answered.value).status == 422
    await visitor.status("this passkey is not accepted")
    assert (await alice.get(f"/v1/payments/{asked['id']}")).json()["state"] == "requires_confirmation"
    assert await alice.balance("EUR") == ("50.00", "12.50", "37.50")


async def test_whom_the_authenticator_does_not_know_approves_nothing(visitor: Visitor, site: Site) -> None:
    alice, asked = await waiting_payment(visitor, site)
    await card(visitor).wait_for()
    await visitor.is_verified(False)

    await card(visitor).get_by_role("button", name="Approve with your passkey").click()

    await visitor.status("The passkey was not used")
    assert (await alice.get(f"/v1/payments/{asked['id']}")).json()["state"] == "requires_confirmation"


async def test_sixty_payments_later_it_still_waits_on_the_page_and_is_declined_there(
    visitor: Visitor, site: Site
) -> None:
    alice, asked = await waiting_payment(visitor, site)
    mallory = await site.person("mallory", "10.00 EUR")
    many = [{"to": "@alice", "amount": "0.01", "asset": "EUR"} for _ in range(60)]
    assert (await mallory.post("/v1/payments/batch", many)).status_code == 200
    site.api.clock.ahead += timedelta(minutes=6)  # the session is no owner's any more: declining asks for the passkey
    await visitor.page.goto("/")
    await visitor.page.get_by_role("link", name="@bob is to be paid €12.50").click()

    await card(visitor).get_by_role("button", name="Decline").click()

    await state(visitor, "declined")
    assert (await alice.get(f"/v1/payments/{asked['id']}")).json()["state"] == "declined"
    assert await alice.balance("EUR") == ("50.60", "0.00", "50.60")


async def test_a_declined_payment_says_so_in_the_list(visitor: Visitor, site: Site) -> None:
    await waiting_payment(visitor, site)
    await card(visitor).get_by_role("button", name="Decline").click()
    await state(visitor, "declined")
    await visitor.page.goto("/")
    await visitor.page.locator("#payments").get_by_text("declined", exact=True).wait_for()


async def test_the_list_shows_what_was_captured_and_of_how_much(visitor: Visitor, site: Site) -> None:
    carol = await site.person("carol", "50.00 EUR")
    await owner(visitor, site)
    held = (await carol.pay("@alice", "40.00 EUR", capture=False)).json()["id"]
    assert (await carol.post(f"/v1/payments/{held}/capture", {"amount": "30.00"})).status_code == 200

    await visitor.page.goto("/")

    line = visitor.page.locator("#payments .line").first
    await line.get_by_text("€30.00 of €40.00").wait_for()
    assert await line.locator(".amount").inner_text() == "+€30.00"

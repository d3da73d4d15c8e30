"""Webhooks at their pages: added with a secret that is shown once, tested, switched off and on, and deleted."""

import pytest
from playwright.async_api import expect

from tests.web.conftest import Site, Visitor
from tests.web.people import owner

pytestmark = pytest.mark.anyio


async def added(visitor: Visitor) -> str:
    """A webhook that hears of everything; its secret."""
    page = visitor.page
    await page.goto("/settings/webhooks/new")
    await page.get_by_label("Its address").fill("https://shop.example/hooks")
    await page.get_by_label("What you call it").fill("Web shop")
    await page.locator("#type-all").check()
    await page.get_by_role("button", name="Add it").dblclick()
    await page.get_by_role("heading", name="The secret of this webhook").wait_for()
    return await page.locator("#secret").inner_text()


async def test_a_webhook_is_added_once_and_its_secret_is_shown_once(visitor: Visitor, site: Site) -> None:
    alice, page = await owner(visitor, site), visitor.page
    secret = await added(visitor)
    assert secret.startswith("whsec_")
    await page.get_by_role("link", name="I have it").click()
    await page.get_by_role("heading", name="Web shop").wait_for()
    assert secret not in await page.content()
    assert len((await alice.get("/v1/webhooks")).json()["items"]) == 1

    await page.get_by_role("button", name="New secret").click()
    await page.get_by_role("dialog").get_by_role("button", name="Make it").click()
    await page.get_by_role("heading", name="The secret of this webhook").wait_for()
    assert await page.locator("#secret").inner_text() not in ("", secret)


async def test_what_is_wrong_is_told_at_its_field(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site)
    page = visitor.page
    await page.goto("/settings/webhooks/new")
    await page.get_by_role("button", name="Add it").click()
    await expect(page.get_by_label("Its address")).to_have_accessible_description(
        "Write the address of your server: https://…"
    )
    await page.get_by_label("Its address").fill("http://10.0.0.1/hooks")
    await page.get_by_role("button", name="Add it").click()
    await expect(page.locator("#type-all")).to_have_attribute("aria-invalid", "true")
    await page.locator("#type-all").check()
    await page.get_by_role("button", name="Add it").click()
    await expect(page.get_by_label("Its address")).to_have_attribute("aria-invalid", "true")


async def test_a_webhook_is_tested_switched_off_and_on_and_deleted(visitor: Visitor, site: Site) -> None:
    alice, page = await owner(visitor, site), visitor.page
    await added(visitor)
    await page.get_by_role("link", name="I have it").click()
    await page.get_by_role("button", name="Send a test").click()
    await visitor.status("A test is on its way")
    await page.get_by_role("button", name="Switch off").click()
    await visitor.status("It is switched off")
    (hook,) = (await alice.get("/v1/webhooks")).json()["items"]
    assert (hook["enabled"], hook["types"], hook["description"]) == (False, ["*"], "Web shop")
    await page.get_by_role("button", name="Switch on").click()
    await visitor.status("It is switched on")

    await page.get_by_role("button", name="Delete", exact=True).click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete it").click()
    await visitor.status("The webhook is deleted.")
    await expect(page.get_by_text("None. A shop hears by a webhook that it was paid.")).to_be_visible()
    assert visitor.complaints == []


async def test_why_something_did_not_arrive_is_told_and_it_is_sent_again(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site)
    page = visitor.page
    await added(visitor)
    await page.get_by_role("link", name="I have it").click()
    await page.get_by_role("heading", name="Web shop").wait_for()
    async with site.api.services.database.transaction() as connection:
        await connection.execute(
            "INSERT INTO webhook_delivery "
            "(endpoint_id, event, kind, object, event_at, state, queued_at, tries, next_at) "
            "SELECT endpoint.id, event.id, event.kind, wallet.id, now(), 'failed', now(), 1, now() "
            "FROM webhook_endpoint AS endpoint, wallet, event WHERE event.kind = 'wallet.created'"
        )
        await connection.execute(
            "INSERT INTO webhook_attempt (endpoint_id, event, at, milliseconds, outcome, status) "
            "SELECT endpoint_id, event, now(), 12, 'http_status', 500 FROM webhook_delivery"
        )
    await page.reload()
    row = page.locator("#deliveries li")
    await expect(row).to_contain_text("your server answered 500")
    await expect(row).to_contain_text("did not arrive")
    await row.get_by_role("button", name="Send again: wallet.created").click()
    await visitor.status("It is sent again.")
    await expect(row).to_contain_text("on its way")


async def test_somebody_elses_webhook_is_no_page(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site)
    answer = await visitor.page.goto("/settings/webhooks/whk_01h455vb4pex5vsknk084sn02q")
    assert answer is not None
    assert answer.status == 404

"""Webhooks at their pages: added with a secret that is shown once, tested, switched off and on, and deleted."""

from datetime import timedelta

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


async def test_a_cancelled_passkey_is_said_and_adds_nothing(visitor: Visitor, site: Site) -> None:
    alice, page = await owner(visitor, site), visitor.page
    await page.goto("/settings/webhooks/new")
    await page.get_by_label("Its address").fill("https://shop.example/hooks")
    await page.locator("#type-all").check()
    site.api.clock.ahead += timedelta(minutes=6)  # the session is no owner's any more
    await visitor.is_verified(False)
    await page.get_by_role("button", name="Add it").click()
    await visitor.status("The passkey was not used")
    assert (await alice.get("/v1/webhooks")).json()["items"] == []


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
    left = "Failed to fetch"  # the page was left while it asked for itself again
    assert [one for one in visitor.complaints if left not in one] == []


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


async def test_what_is_changed_of_a_webhook_is_sent_and_the_rest_stays(visitor: Visitor, site: Site) -> None:
    alice, page = await owner(visitor, site), visitor.page
    await added(visitor)
    await page.get_by_role("link", name="I have it").click()
    await page.get_by_role("link", name="Change it").click()
    await expect(page.get_by_label("Its address")).to_have_value("https://shop.example/hooks")
    await expect(page.locator("#type-all")).to_be_checked()
    await page.get_by_label("Its address").fill("http://10.0.0.1/hooks")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_label("Its address")).to_have_attribute("aria-invalid", "true")
    await page.get_by_label("Its address").fill("https://shop.example/other")
    await page.locator("#type-all").uncheck()
    await page.locator("summary").get_by_text("Payments", exact=True).click()
    await page.get_by_label("All of these, and those to come").first.check()

    async with page.expect_request("**/v1/webhooks/*") as sent:
        await page.get_by_role("button", name="Save").click()

    assert (await sent.value).post_data_json == {"url": "https://shop.example/other", "types": ["payment.*"]}
    await visitor.status("Saved. It holds from now on.")
    (hook,) = (await alice.get("/v1/webhooks")).json()["items"]
    assert (hook["url"], hook["types"], hook["description"]) == (
        "https://shop.example/other",
        ["payment.*"],
        "Web shop",
    )


async def test_both_secrets_are_told_while_both_sign(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site)
    page = visitor.page
    await added(visitor)
    await page.get_by_role("link", name="I have it").click()
    await page.get_by_role("heading", name="Web shop").wait_for()
    await expect(page.get_by_text("the old one signs, too")).to_have_count(0)
    await page.get_by_role("button", name="New secret").click()
    await page.get_by_role("dialog").get_by_role("button", name="Make it").click()
    await page.get_by_text("two: the old one signs, too, until").wait_for()
    await page.get_by_role("link", name="I have it").click()
    await page.get_by_text("two: the old one signs, too, until").wait_for()


async def test_what_has_happened_since_a_time_is_sent_again(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site)
    page = visitor.page
    await added(visitor)
    await page.get_by_role("link", name="I have it").click()
    await page.get_by_text("Send again from a time on").click()
    await page.get_by_label("What has happened since").fill("2026-01-02T03:04")
    async with page.expect_request("**/redeliveries") as sent:
        await page.get_by_role("button", name="Send it again").click()
    since = await page.evaluate("new Date('2026-01-02T03:04').toISOString()")
    assert (await sent.value).post_data_json == {"since": since}
    await visitor.status("It is sent again.")


async def test_somebody_elses_webhook_is_no_page(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site)
    answer = await visitor.page.goto("/settings/webhooks/whk_01h455vb4pex5vsknk084sn02q")
    assert answer is not None
    assert answer.status == 404

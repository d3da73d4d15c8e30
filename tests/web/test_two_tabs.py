"""Settings that are open twice, on one device or two: each page shows what holds, and no change is lost or done in the
name of somebody else. A session that ends in the middle is begun anew, and one is back where one was.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.api.browser import OWN
from tests.web.conftest import Site, Visitor
from tests.web.people import Owner, owner

pytestmark = pytest.mark.anyio


async def do(alice: Owner, method: str, path: str, **body: Any) -> Any:
    """What her other device does."""
    answer = await alice.api.call(method, path, headers={**OWN, "Cookie": alice.cookie}, json=body or None)
    assert answer.is_success, answer.text
    return answer.json()


async def test_what_is_made_and_ended_elsewhere_comes_and_goes_in_each_list(visitor: Visitor, site: Site) -> None:
    alice, page = await owner(visitor, site), visitor.page

    await page.goto("/settings/keys")
    key = await alice.do("/v1/keys", name="Till", scopes=["read"])
    await page.get_by_role("button", name="Revoke the API key Till").wait_for()
    await expect(page.get_by_role("button", name="Revoke the API key Till")).to_be_enabled()
    await do(alice, "DELETE", f"/v1/keys/{key['id']}")
    await expect(page.get_by_role("button", name="Revoke the API key Till")).to_have_count(0)

    await page.goto("/settings/webhooks")
    hook = await alice.do("/v1/webhooks", url="https://shop.example/a", types=["*"])
    await page.get_by_text("https://shop.example/a").first.wait_for()
    await page.goto(f"/settings/webhooks/{hook['id']}")
    await do(alice, "PATCH", f"/v1/webhooks/{hook['id']}", enabled=False)
    await page.get_by_role("button", name="Switch on").wait_for()

    await page.goto("/settings/limits")
    await expect(page.locator("#EUR-day")).not_to_have_value("1.00")
    policy = await do(alice, "GET", "/v1/policy")
    policy["limits"]["EUR"] = {"payment": "1.00", "day": "1.00"}
    await do(alice, "PUT", "/v1/policy", **policy)
    await expect(page.locator("#EUR-day")).to_have_value("1.00")

    await page.goto("/settings/close")
    await expect(page.get_by_role("button", name="Close it for ever")).to_be_enabled()
    await alice.receive("5.00 EUR")
    await page.get_by_text("There is still money in it").wait_for()
    assert visitor.complaints == []


async def test_a_session_that_is_ended_elsewhere_leads_to_the_sign_in_and_back(visitor: Visitor, site: Site) -> None:
    alice, page = await owner(visitor, site), visitor.page
    await page.goto("/settings/devices")
    (here,) = (await do(alice, "GET", "/v1/sessions"))["items"]
    await do(alice, "DELETE", f"/v1/sessions/{here['id']}")
    await page.wait_for_url("**/sign-in?next=/settings/devices#signed-out")
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await page.wait_for_url("**/settings/devices")
    await page.get_by_text("this one", exact=True).wait_for()


async def add_passkey(page: Page) -> None:
    await page.get_by_label("What you call this device").fill("Phone")
    await page.get_by_role("button", name="Add a passkey").click()


async def create_key(page: Page) -> None:
    await page.get_by_label("What you call it").fill("Till")
    await page.get_by_role("button", name="Create it").click()


async def add_webhook(page: Page) -> None:
    await page.get_by_label("Its address").fill("https://shop.example/b")
    await page.locator("#type-all").check()
    await page.get_by_role("button", name="Add it").click()


async def grant(page: Page) -> None:
    await page.get_by_role("button", name="Grant it with your passkey").click()


async def save_limits(page: Page) -> None:
    await page.locator("#EUR-day").fill("1.00")
    await page.get_by_role("button", name="Save").click()


async def save_reader(page: Page) -> None:
    await page.get_by_role("button", name="Save").click()


async def close(page: Page) -> None:
    await page.get_by_label("Type your handle").fill("alice")
    await page.get_by_role("button", name="Close it for ever").click()
    await page.get_by_role("dialog").get_by_role("button", name="Close it for ever").click()


FORMS: dict[str, Callable[[Page], Awaitable[None]]] = {
    "/settings/devices": add_passkey,
    "/settings/keys/new": create_key,
    "/settings/webhooks/new": add_webhook,
    "/settings/mandates/check?payee=shop&period=20&asset=EUR": grant,
    "/settings/limits": save_limits,
    "/notifications/settings": save_reader,
    "/settings/close": close,
}


async def test_a_form_whose_session_has_expired_changes_nothing_and_one_comes_back_to_it(
    visitor: Visitor, site: Site
) -> None:
    alice, page = await owner(visitor, site), visitor.page
    await site.person("shop")
    await page.route("**/v1/events/stream*", lambda route: route.abort())  # by which a page would hear of it
    before = await everything(alice)
    for path, fill in FORMS.items():
        await page.goto(path)
        await page.context.clear_cookies(name="session")
        await fill(page)
        await page.wait_for_url(
            f"**/sign-in?next={path.replace('?', '%3F').replace('=', '%3D').replace('&', '%26')}#signed-out"
        )
        await page.get_by_role("button", name="Sign in with a passkey").click()
        await page.wait_for_url(f"**{path}")
        await page.locator("button[type=submit]:enabled").first.wait_for()
    assert await everything(alice) == before


async def everything(of: Owner) -> list[Any]:
    paths = ("/v1/passkeys", "/v1/keys", "/v1/webhooks", "/v1/mandates", "/v1/policy", "/v1/notifications/preferences")
    found = [(await of.get(path)).json() for path in paths]
    for one in found[0]["items"]:
        del one["last_used_at"]
    for one in found[1]["items"]:
        del one["last_used_at"]
    return found


async def test_what_two_tabs_save_one_after_the_other_holds_together(visitor: Visitor, site: Site) -> None:
    alice, first = await owner(visitor, site), visitor.page
    await site.person("shop")
    second = await first.context.new_page()
    hook = await alice.do("/v1/webhooks", url="https://shop.example/a", types=["*"], description="Old")

    for page in (first, second):
        await page.goto(f"/settings/webhooks/{hook['id']}/edit")
    await first.get_by_label("Its address").fill("https://shop.example/b")
    await second.get_by_label("What you call it").fill("New")
    for page in (first, second):
        await page.get_by_role("button", name="Save").click()
        await page.wait_for_url(f"**/settings/webhooks/{hook['id']}")
    (now,) = (await alice.get("/v1/webhooks")).json()["items"]
    assert (now["url"], now["description"]) == ("https://shop.example/b", "New")

    for page in (first, second):
        await page.goto("/settings/limits")
    await second.get_by_label("Days after a payee's address changed").fill("30")
    await first.locator("#EUR-day").fill("2.00")
    await first.locator("#EUR-payment").fill("1.00")
    await first.get_by_role("button", name="Save").click()
    await first.get_by_text("Saved. It holds from now on.").wait_for()
    await expect(second.locator("#EUR-day")).to_have_value("2.00")
    await second.get_by_role("button", name="Save").click()
    await second.get_by_text("Saved. It holds from now on.").wait_for()
    policy = (await alice.get("/v1/policy")).json()
    assert (policy["limits"]["EUR"]["day"], policy["changed_payee_days"]) == ("2.00", 30)


async def test_limits_that_were_changed_elsewhere_meanwhile_are_shown_and_not_undone(
    visitor: Visitor, site: Site
) -> None:
    alice, first = await owner(visitor, site), visitor.page
    second = await first.context.new_page()
    await second.route("**/v1/events/stream*", lambda route: route.abort())  # it hears of nothing
    for page in (first, second):
        await page.goto("/settings/limits")
    await first.locator("#EUR-payment").fill("1.00")
    await first.locator("#EUR-day").fill("2.00")
    await first.get_by_label("Seconds in which").select_option("10")
    await first.get_by_role("button", name="Save").click()
    await visitor.status("Saved. It holds from now on.")

    days = second.get_by_label("Days after a payee's address changed")
    await days.fill("30")
    await second.get_by_role("button", name="Save").click()
    await second.locator("#status").get_by_text("Your limits were changed elsewhere meanwhile.").wait_for()
    await expect(second.locator("#EUR-day")).to_have_value("2.00")
    await expect(days).to_have_value("7")
    for changed in ("30", "60"):  # again at once: its own change is not one from elsewhere
        await days.fill(changed)
        await second.get_by_role("button", name="Save").click()
        await second.locator("#status").get_by_text("Saved. It holds from now on.").wait_for()
        await expect(first.get_by_label("Days after a payee's address changed")).to_have_value(changed)
    policy = (await alice.get("/v1/policy")).json()
    assert (policy["limits"]["EUR"]["day"], policy["changed_payee_days"], policy["undo_seconds"]) == ("2.00", 60, 10)

    await do(alice, "PUT", "/v1/policy", **{**policy, "undo_seconds": 60})
    await expect(first.get_by_label("Seconds in which")).to_have_value("60")  # though it was chosen here before


async def test_what_was_ended_in_another_tab_is_ended_once_and_the_page_says_so(visitor: Visitor, site: Site) -> None:
    alice, first = await owner(visitor, site), visitor.page
    second = await first.context.new_page()
    await alice.do("/v1/keys", name="Till", scopes=["read"])
    await second.route("**/v1/events/stream*", lambda route: route.abort())  # it has not heard of it
    for page in (first, second):
        await page.goto("/settings/keys")
    for page, said in ((first, "Revoked: the API key Till."), (second, "There is no such key.")):
        await page.get_by_role("button", name="Revoke the API key Till").click()
        await page.get_by_role("dialog").get_by_role("button", name="Revoke it").click()
        await page.locator("#status").get_by_text(said).wait_for()
    assert (await alice.get("/v1/events?type=api_key.revoked")).json()["items"][1:] == []


async def test_a_page_is_read_anew_once_somebody_else_has_signed_in(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site, "alice")
    first = visitor.page
    await first.goto("/settings/close")
    await expect(first.get_by_label("Type your handle")).to_have_attribute("placeholder", "@alice")
    second = await first.context.new_page()
    await owner(visitor, site, "bob")
    await second.goto("/")
    await expect(first.get_by_label("Type your handle")).to_have_attribute("placeholder", "@bob")

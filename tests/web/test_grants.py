"""API keys and mandates at the pages: granted, approved where they are from before the first passkey, revoked."""

import json
from typing import Any

import pytest
from playwright.async_api import Route, expect

from tests.api.conftest import code_of
from tests.api.test_keys import made, with_key
from tests.web.conftest import Site, Visitor
from tests.web.people import owner

pytestmark = pytest.mark.anyio

#: The first passkey of a handle that was claimed with an API key: a program's own page makes it.
ADD = """async (key) => {
    const { bytesOf, signIn, textOf } = await import("/static/passkey.js");
    const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };
    const send = (path, body) => fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
    const asked = await (await send("/v1/passkeys/challenge")).json();
    const { response } = await navigator.credentials.create({ publicKey: {
        challenge: bytesOf(asked.challenge),
        rp: { id: asked.rp_id, name: "A test" },
        user: { id: bytesOf(asked.user_id), name: asked.user_name, displayName: asked.user_name },
        pubKeyCredParams: asked.algorithms.map((alg) => ({ type: "public-key", alg })),
        authenticatorSelection: { residentKey: "required", userVerification: "required" },
    } });
    const made = { client_data: textOf(response.clientDataJSON), attestation: textOf(response.attestationObject) };
    await send("/v1/passkeys", { name: "Test laptop", ...made });
    await signIn();
}"""


async def test_what_is_from_before_the_first_passkey_is_approved_or_revoked_on_the_page(
    visitor: Visitor, site: Site
) -> None:
    shop, alice = await site.person("shop"), await site.person("alice", "50.00 EUR")
    wanted: dict[str, Any] = {"payee": "@shop", "asset": "EUR", "period": "20.00", "rail": "ledger"}
    drawn, unwanted = [(await alice.post("/v1/mandates", {**wanted, "total": total})).json()["id"] for total in "89"]
    _, text = await made(alice, name="Till", caps=[{"asset": "EUR", "day": "9.00"}])
    page = visitor.page
    await page.goto("/sign-in")
    await page.evaluate(ADD, alice.api_key)
    await page.goto("/settings/keys")
    key = page.locator("#keys li").filter(has_text="Till")
    await key.get_by_text("pays nothing until you approve it").wait_for()
    await key.get_by_role("button", name="Approve").click()
    await visitor.status("Approved: the API key Till.")
    assert await key.get_by_text("pays nothing until you approve it").count() == 0

    await page.goto("/settings/mandates")
    grant = page.locator("#granted li")
    assert await grant.get_by_text("pays nothing until you approve it").count() == 2
    await grant.filter(has_text=drawn).get_by_role("button", name="Approve").click()
    await visitor.status("Approved: the mandate of @shop.")
    await grant.filter(has_text=unwanted).get_by_role("button", name="Revoke").click()
    await page.get_by_role("dialog").get_by_role("button", name="Revoke it").click()
    await visitor.status("Revoked: the mandate of @shop.")
    await expect(page.locator(f"[data-mandate={unwanted}]")).to_have_count(0)

    assert (await with_key(alice, text).pay("@shop", "1.00 EUR")).json()["state"] == "settled"
    assert (await shop.post(f"/v1/mandates/{drawn}/draws", {"amount": "8.00"})).json()["state"] == "settled"
    refused = await shop.post(f"/v1/mandates/{unwanted}/draws", {"amount": "1.00"})
    assert code_of(refused) == (409, "state_conflict")
    assert visitor.complaints == []


async def test_a_key_is_made_with_what_it_may_do_and_shown_once(visitor: Visitor, site: Site) -> None:
    alice, page = await owner(visitor, site, "alice", "50.00 EUR"), visitor.page
    await site.person("bob")
    await page.goto("/settings/keys/new")
    await page.get_by_role("button", name="Create it").click()
    await expect(page.get_by_label("What you call it")).to_have_accessible_description(
        "Give it a name, so that you know it again."
    )
    await page.get_by_label("What you call it").fill("Till")
    await page.locator("#scope-pay").check()
    await page.get_by_text("How much it may pay without asking you").click()
    await page.locator("#EUR-day").fill("9")
    await page.get_by_role("button", name="Create it").dblclick()

    await page.get_by_role("heading", name="Your API key").wait_for()
    text = await page.locator("#key").inner_text()
    assert (await with_key(alice, text).pay("@bob", "9.00 EUR")).json()["state"] == "settled"
    assert code_of(await with_key(alice, text).pay("@bob", "1.00 EUR")) == (409, "cap_exceeded")
    await page.get_by_role("link", name="I have it").click()
    row = page.locator("#keys li").filter(has_text="Till")
    await expect(row).to_have_count(1)
    await expect(row).to_contain_text("any at once and €9.00 a day")
    assert text not in await page.content()

    await row.get_by_role("button", name="Revoke").click()
    await page.get_by_role("dialog").get_by_role("button", name="Revoke it").click()
    await visitor.status("Revoked: the API key Till.")
    await expect(row).to_have_count(0)
    assert code_of(await with_key(alice, text).get("/v1/wallet")) == (401, "unauthenticated")


async def test_a_key_whose_answer_is_lost_may_be_there_and_the_page_says_so(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    await owner(visitor, site)

    async def lose(route: Route) -> None:
        await route.fetch()
        await route.abort()

    await page.goto("/settings/keys/new")
    await page.route("**/v1/keys", lose)
    await page.get_by_label("What you call it").fill("Till")
    await page.get_by_role("button", name="Create it").click()
    await visitor.status("The key may have been made all the same")
    await page.goto("/settings/keys")
    await expect(page.locator("#keys li").filter(has_text="Till")).to_have_count(1)


async def test_a_key_is_replaced_by_one_that_is_shown_once_and_the_old_one_ends_as_chosen(
    visitor: Visitor, site: Site
) -> None:
    alice, page = await owner(visitor, site), visitor.page
    for name, choice in (("Till", "at once"), ("Shop", "in a day")):
        old = await alice.do("/v1/keys", name=name, scopes=["read"])
        await page.goto("/settings/keys")
        await page.get_by_role("link", name=f"Replace the API key {name}").click()
        await page.get_by_label("When the old key ends").select_option(choice)
        await page.get_by_role("button", name="Replace it").dblclick()
        await page.get_by_role("heading", name="Your API key").wait_for()
        fresh = await page.locator("#key").inner_text()
        assert fresh not in ("", old["api_key"])
        works = [
            (await site.api.call("GET", "/v1/wallet", headers={"Authorization": f"Bearer {key}"})).status_code
            for key in (fresh, old["api_key"])
        ]
        assert works == [200, 401 if choice == "at once" else 200]
        await page.get_by_role("link", name="I have it").click()
        rows = page.locator("#keys li").filter(has_text=name)
        await expect(rows).to_have_count(1 if choice == "at once" else 2)
        assert fresh not in await page.content()
    answer = await page.goto("/settings/keys/key_01h455vb4pex5vsknk084sn02q/replace")
    assert answer is not None
    assert answer.status == 404


async def test_networks_that_are_none_are_told_at_their_field(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    await owner(visitor, site)
    await page.goto("/settings/keys/new")
    await page.get_by_label("What you call it").fill("Till")
    await page.get_by_text("Where it may be used from").click()
    await page.get_by_label("Networks").fill("everywhere")
    await page.get_by_label("Networks").press("Enter")
    await expect(page.get_by_label("Networks")).to_have_attribute("aria-invalid", "true")


async def test_a_mandate_is_granted_over_exactly_what_the_page_shows(visitor: Visitor, site: Site) -> None:
    shop, page = await site.person("shop"), visitor.page
    await owner(visitor, site, "alice", "50.00 EUR")
    await page.goto("/settings/mandates/new")
    await page.get_by_label("Who may draw").fill("nobody_here")
    await page.get_by_label("At the most", exact=True).fill("20")
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_label("Who may draw")).to_have_accessible_description(
        "Nobody has this handle. Check how it is written."
    )
    for label, wrong, right in (
        ("Who may draw", "@alice", "@shop"),
        ("In all, at the most", "many", "60"),
        ("Last day", "2020-01-01", "2099-12-31"),
    ):
        field = page.get_by_label(label, exact=True)
        await field.fill(wrong)
        await field.press("Enter")
        await expect(page.get_by_label(label, exact=True)).to_have_attribute("aria-invalid", "true")
        await page.get_by_label(label, exact=True).fill(right)
    await page.get_by_role("button", name="Next").click()
    await page.get_by_role("button", name="Grant it with your passkey").click()
    await visitor.status("Granted: @shop may draw.")

    (made_now,) = (await shop.get("/v1/mandates")).json()["items"]
    assert (made_now["period"], made_now["period_days"], made_now["total"]) == ("20.00", 30, "60.00")
    drawn = await shop.post(f"/v1/mandates/{made_now['id']}/draws", {"amount": "20.00"})
    assert drawn.json()["state"] == "settled"
    assert visitor.complaints == [] or all("422" in one for one in visitor.complaints)


async def test_a_mandate_whose_page_was_altered_is_granted_to_nobody(visitor: Visitor, site: Site) -> None:
    """What the passkey signs is what stands on the page; what is asked for is held to that."""
    shop, page = await site.person("shop"), visitor.page
    await site.person("eve")
    await owner(visitor, site, "alice", "50.00 EUR")
    await page.goto("/settings/mandates/check?payee=shop&period=20&asset=EUR&period_days=30")

    async def for_eve(route: Route) -> None:
        body = {**(route.request.post_data_json or {}), "payee": "@eve"}
        await route.continue_(post_data=json.dumps(body))

    await page.route("**/v1/mandates*", for_eve)
    await page.route("**/v1/mandates/challenge", for_eve)
    await page.get_by_role("button", name="Grant it with your passkey").click()
    await visitor.status("it signs no challenge that was made for this")
    assert (await shop.get("/v1/mandates")).json()["items"] == []

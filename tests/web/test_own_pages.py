"""Pages of one's own: for nobody else, read without scripts, and nothing that others wrote becomes a part of them."""

import re

import httpx
import pytest
from msgspec.structs import replace
from playwright.async_api import Browser, Error, expect

from gateway.api.payments.examples import SETTLED
from gateway.api.wallets.shapes import BalanceView
from gateway.money import Asset
from gateway.web.shown import left_of
from gateway.web.wallet.total import _sum
from tests.processes import HANG_SECONDS
from tests.web.conftest import Site, Visitor
from tests.web.people import owner
from tests.web.test_pages import TRIED

pytestmark = pytest.mark.anyio

OWN = (
    *("/request", "/requests"),
    *("/", "/pay", "/receive", "/top-up", "/withdraw", "/convert", "/payments", "/statements"),
    *("/settings", "/settings/recovery-codes", "/settings/devices", "/settings/keys", "/settings/keys/new"),
    *("/settings/mandates", "/settings/mandates/new", "/settings/close", "/settings/own-key"),
    *("/settings/webhooks", "/settings/webhooks/new", "/settings/unfreeze"),
    *("/notifications", "/notifications/settings"),
)

#: What a page of one's own may do (Content Security Policy Level 3, Trusted Types).
MAY = {
    "default-src": "'none'",
    **dict.fromkeys(("style-src", "img-src", "connect-src", "manifest-src", "worker-src", "form-action"), "'self'"),
    **dict.fromkeys(("base-uri", "frame-ancestors"), "'none'"),
    "require-trusted-types-for": "'script'",
    "trusted-types": "htmx",
}

#: The page that starts the service worker, whose policy lets it name that one script.
STARTING = "/notifications/settings"

EVIL = "<img src=x onerror=\"document.title='ran'\"><script>document.title='ran'</script>{{7*7}}"


async def get(visitor: Visitor, site: Site, path: str, **headers: str) -> httpx.Response:
    """What the gateway answers the visitor's browser."""
    cookies = {str(one["name"]): str(one["value"]) for one in await visitor.page.context.cookies()}
    at = site.url.replace("localhost", "127.0.0.1")
    async with httpx.AsyncClient(base_url=at, cookies=cookies, timeout=HANG_SECONDS) as client:
        return await client.get(path, headers={"Accept": "text/html", **headers})


async def test_each_is_held_to_a_policy_with_a_nonce_of_its_own_and_kept_by_nobody(
    visitor: Visitor, site: Site
) -> None:
    await owner(visitor, site)
    nonces = set()
    for path in (*OWN, "/pay/check?to=nobody", "/payments/pay_00000000000000000000000000"):
        page = await get(visitor, site, path)
        directives = dict(part.split(maxsplit=1) for part in page.headers["content-security-policy"].split(";"))
        (nonce,) = re.findall("'self' 'nonce-([A-Za-z0-9_-]{22})'", directives.pop("script-src"))
        nonces.add(nonce)
        starts = path == STARTING
        assert directives == (MAY | {"trusted-types": "htmx service-worker"} if starts else MAY), path
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-frame-options"] == "DENY"
        assert re.findall(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|javascript:", page.text) == []
        assert set(re.findall(r'nonce="([^"]*)"', page.text)) <= {nonce}
    assert len(nonces) == len(OWN) + 2


async def test_events_follow_from_when_a_page_was_read_first(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site)
    following = set()
    for path in OWN:
        page = (await get(visitor, site, path)).text
        begins = re.search(r'hx-sse:connect="/v1/events/stream\?after=evt_\w+"', page) is not None
        assert begins is ("hx-sse:connect" in page), path
        following |= {path} if begins else set()
        again = await get(visitor, site, path, **{"HX-Request": "true"})
        assert again.status_code == 200
        assert "?after=" not in again.text, path
    assert following >= {"/", "/requests", "/notifications", "/settings/keys"}
    assert not following & {"/pay", "/request", "/payments", "/statements"}


@pytest.mark.parametrize("path", OWN)
async def test_who_has_not_signed_in_sees_nothing_and_signs_in_first(shared_site: Site, path: str) -> None:
    async with httpx.AsyncClient(base_url=shared_site.url.replace("localhost", "127.0.0.1")) as client:
        page = await client.get(path, headers={"Accept": "text/html"})
    if path == "/":
        assert (page.status_code, "Pay anybody by their handle." in page.text) == (200, True)
    else:
        assert (page.status_code, page.headers["location"]) == (303, f"/sign-in?next={path}")


async def test_a_browser_makes_html_of_text_by_the_library_alone(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site)
    await visitor.page.goto("/")
    await visitor.page.wait_for_function("() => window.htmx !== undefined")
    for tried in TRIED:
        with pytest.raises(Error, match="This document requires 'Trusted"):
            await visitor.page.evaluate(f"() => {{ {tried}; }}")
    for name in ("htmx", "another"):
        with pytest.raises(Error, match=r"disallowed|already exists"):
            await visitor.page.evaluate(f"() => trustedTypes.createPolicy('{name}', {{ createHTML: (text) => text }})")


async def test_the_library_and_its_extensions_come_as_one_script(visitor: Visitor, site: Site) -> None:
    """It looks at the page as soon as it runs: an extension in a script of its own may come too late."""
    await owner(visitor, site)
    page = await get(visitor, site, "/settings/keys")
    (path,) = re.findall(r'src="(/static/h[^"]+)"', page.text)
    script = (await get(visitor, site, path)).text
    assert re.findall(r'registerExtension\("([a-z-]+)"', script) == ["hx-csp", "sse"]


async def test_the_page_that_starts_the_service_worker_names_no_other_script(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site)
    await visitor.page.goto(STARTING)
    await visitor.page.locator("#locale button:enabled").wait_for()
    made = "(name) => trustedTypes.createPolicy(name, { createScriptURL: (url) => url })"
    for name in ("service-worker", "another"):  # the page has made the first, and nobody makes it again
        with pytest.raises(Error, match=r"disallowed|already exists"):
            await visitor.page.evaluate(made, name)


async def test_what_others_write_is_text_on_every_page(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site)
    bob = await site.person("bob", "5.00 EUR")
    id = (await bob.pay("@alice", "5.00 EUR", memo=EVIL)).json()["id"]
    wanted = {"from": "@alice", "amount": "1.00", "asset": "EUR", "memo": EVIL}
    asked = (await bob.post("/v1/requests", wanted)).json()["id"]
    for path in ("/", "/payments", f"/payments/{id}", "/requests", f"/requests/{asked}", f"/pay/check?request={asked}"):
        await visitor.page.goto(path)
        await expect(visitor.page.get_by_text(EVIL).first).to_be_visible()
        assert "ran" not in await visitor.page.title()
    await visitor.page.goto(f"/pay/check?to={EVIL}&amount={EVIL}&asset={EVIL}&memo={EVIL}&key={EVIL}")
    assert await visitor.page.get_by_label("For", exact=True).input_value() == EVIL
    assert [one for one in visitor.complaints if "422" not in one] == []


async def test_reading_needs_no_script(visitor: Visitor, browser: Browser, site: Site) -> None:
    alice = await owner(visitor, site, "alice", "50.00 EUR")
    await site.person("bob")
    id = (await alice.pay("@bob", "12.50 EUR", memo="lunch")).json()["id"]
    context = await browser.new_context(base_url=site.url, java_script_enabled=False)
    await context.add_cookies(await visitor.page.context.cookies())  # type: ignore[arg-type]
    page = await context.new_page()
    for path, text in (
        ("/", "€50.00"),
        ("/payments", "lunch"),
        (f"/payments/{id}", "lunch"),
        ("/notifications", "Approve a payment"),
        ("/notifications/settings", "Language and time"),
    ):
        await page.goto(path)
        await expect(page.get_by_text(text).first).to_be_visible()
    await page.goto("/payments?person=bob&asset=EUR")
    await expect(page.locator("#list li")).to_have_count(1)
    await page.goto("/payments?person=carol")
    await expect(page.get_by_text("No payment is like this.")).to_be_visible()
    await context.close()


async def test_a_link_from_another_site_opens_the_page_although_the_cookie_comes_late(
    visitor: Visitor, site: Site
) -> None:
    await owner(visitor, site)
    await visitor.page.goto(site.url.replace("localhost", "127.0.0.1") + "/docs")
    await visitor.page.evaluate("(there) => { location.href = there; }", f"{site.url}/payments?asset=EUR")
    await visitor.page.get_by_role("heading", name="Payments").wait_for()
    assert visitor.page.url == f"{site.url}/payments?asset=EUR"


async def test_older_payments_come_as_one_scrolls(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site)
    bob = await site.person("bob", "50.00 EUR")
    many = [{"to": "@alice", "amount": "0.01", "asset": "EUR"} for _ in range(70)]
    assert (await bob.post("/v1/payments/batch", many)).status_code == 200
    await visitor.page.goto("/payments")
    rows = visitor.page.locator("#list li")
    await expect(rows).to_have_count(30)
    for count in (60, 70):
        await visitor.page.locator("#list li").last.scroll_into_view_if_needed()
        await visitor.page.mouse.wheel(0, 10_000)
        await expect(rows).to_have_count(count)
    links = await rows.locator("a").evaluate_all("all => all.map(one => one.pathname)")
    assert len(set(links)) == 70
    assert visitor.complaints == []


async def test_somebody_elses_payment_is_no_page(visitor: Visitor, browser: Browser, site: Site) -> None:
    await owner(visitor, site)
    bob = await site.person("bob", "5.00 EUR")
    await site.person("carol")
    id = (await bob.pay("@carol", "5.00 EUR")).json()["id"]
    page = await get(visitor, site, f"/payments/{id}")
    assert (page.status_code, "There is no such page" in page.text) == (404, True)


async def test_the_total_is_of_a_currency_and_its_tokens_and_stays_as_chosen(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site, "alice", "1204.10 EUR", "1551.12 USD", "633.25 USDX")
    page = visitor.page
    await page.goto("/")
    await expect(page.locator(".largest")).to_have_text("€1,204.10")
    await page.get_by_role("link", name="USD", exact=True).click()
    await expect(page.locator(".largest")).to_have_text("$2,184.37")
    await expect(page.get_by_text("Bank money $1,551.12")).to_be_visible()
    await expect(page.get_by_text("Digital $633.25")).to_be_visible()
    await page.goto("/")
    await expect(page.locator(".largest")).to_have_text("$2,184.37")


def test_what_can_be_refunded_and_what_there_is_in_all_is_exact_at_any_size() -> None:
    """A token's amount has up to 78 digits; `Decimal` by itself adds and subtracts to 28."""
    great = "1" + "0" * 60
    paid = replace(SETTLED, captured=f"{great}.000001", refunded="0.000000", refund_of=None)
    assert left_of(paid) == f"{great}.000001"
    held = [BalanceView(code, "token", amount, None, None, None) for code, amount in (("A", great), ("B", "0.000001"))]
    assert f"{_sum(held, [Asset('A', 'token', 6), Asset('B', 'token', 6)]):f}" == f"{great}.000001"


async def test_a_session_that_ended_leads_to_the_sign_in_and_back(
    visitor: Visitor, browser: Browser, site: Site
) -> None:
    alice = await owner(visitor, site, "alice", "50.00 EUR")
    await site.person("bob")
    asked = await visitor.page.goto("/pay/check?to=bob&amount=5&asset=EUR&key=once")
    assert asked is not None
    await visitor.page.context.clear_cookies(name="session")
    await visitor.page.get_by_role("button", name="Confirm with your passkey").click()
    await visitor.page.wait_for_url(re.compile(r"/sign-in\?next=/pay/check"))
    await visitor.page.get_by_role("button", name="Sign in with a passkey").click()
    await visitor.page.wait_for_url(re.compile(r"/pay/check\?to=bob"))
    await visitor.page.get_by_role("button", name="Confirm with your passkey").click()
    await visitor.page.locator("#payment .chip").get_by_text("settled", exact=True).wait_for()
    assert len((await alice.get("/v1/payments")).json()["items"]) == 1

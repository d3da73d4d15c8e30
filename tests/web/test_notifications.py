"""The pages of notifications: what happened as it happens, money first, and which of it is sent where."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import expect

from gateway.assembly import report_links
from gateway.money import Assets
from gateway.notifications.channels.email import Email
from gateway.notifications.notifier import Notifier
from gateway.postgres.pool import Database
from tests.api.conftest import opened
from tests.notifications.conftest import code_in
from tests.notifications.mail_server import MailServer, serving
from tests.web.axe import BEYOND, SCHEMES, Faults
from tests.web.conftest import Site, Visitor, served
from tests.web.people import owner

pytestmark = pytest.mark.anyio

LIST, SETTINGS = "/notifications", "/notifications/settings"

#: The contrast of each text on the page with what is behind it (WCAG 2.2, 1.4.3), where it is below what is wanted.
FAINT = """() => {
    const channels = (text) => text.match(/[0-9.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b]
        .map((one) => one / 255)
        .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
        .reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
    const behind = (element) => {
        for (let one = element; one; one = one.parentElement) {
            const found = channels(getComputedStyle(one).backgroundColor);
            if (found.length < 4 || found[3] > 0) return found;
        }
        return [255, 255, 255];
    };
    const found = [];
    for (const one of document.querySelectorAll("main *, header *")) {
        const own = [...one.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
        if (!own || one.closest(".only-read, [hidden], svg.avatar") || one.getClientRects().length === 0) continue;
        const style = getComputedStyle(one);
        const [front, back] = [light(channels(style.color)), light(behind(one))];
        const contrast = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
        if (contrast < 4.5) found.push([one.textContent.trim().slice(0, 40), contrast.toFixed(2)]);
    }
    return found;
}"""


@pytest.fixture
async def mails() -> AsyncIterator[MailServer]:
    async with serving() as mails:
        yield mails


@pytest.fixture
async def site(database: Database, assets: Assets, mails: MailServer) -> AsyncIterator[Site]:
    """A gateway that sends e-mail."""
    async with opened(database, assets, channels=(Email(mails.server()),)) as api, served(api) as url:
        yield Site(url, api)


async def deliver(site: Site) -> None:
    """Send what is due."""
    services = site.api.services
    links = report_links(services.settings, site.api.clock)
    notifier = Notifier(services.database, services.vault, site.api.clock, services.channels, links, site.url)
    while await notifier.run():
        await notifier.finish()
    await notifier.close()


async def ready(visitor: Visitor, path: str) -> None:
    await visitor.page.goto(path)
    await visitor.page.locator("main:not([aria-busy=true])").wait_for()


async def test_what_happens_stands_there_the_moment_it_happens(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site)
    bob = await site.person("bob", "50.00 EUR")
    await ready(visitor, LIST)
    first = visitor.page.locator("details.notice").first
    await first.locator("summary").click()

    await bob.pay("@alice", "12.50 EUR", memo="lunch <b>now</b>")

    line = visitor.page.locator("details.notice").filter(has_text="@bob")
    await expect(line.locator(".amount")).to_have_text("+€12.50")
    await expect(line.locator(".only-read")).to_have_text("new")
    await expect(visitor.page.locator("#news")).to_contain_text("You received €12.50 from @bob")
    await expect(visitor.page.locator("details.notice[open]")).to_have_count(1)
    await line.locator("summary").click()
    await line.get_by_role("link", name="The payment").click()
    await visitor.page.get_by_text("lunch <b>now</b>").wait_for()
    assert visitor.complaints == []


async def test_what_was_seen_is_marked_no_more_and_the_bell_counts_the_rest(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site)
    await ready(visitor, LIST)
    bob = await site.person("bob", "50.00 EUR")
    await ready(visitor, "/")
    await bob.pay("@alice", "1.00 EUR")
    await bob.pay("@alice", "2.00 EUR")
    await ready(visitor, "/")
    bell = visitor.page.get_by_role("link", name="Notifications: 2 new")
    await bell.click()
    await visitor.page.locator("main:not([aria-busy=true])").wait_for()
    await expect(visitor.page.locator(".unseen")).to_have_count(2)

    await ready(visitor, LIST)
    await expect(visitor.page.locator(".unseen")).to_have_count(0)
    await ready(visitor, "/")
    await visitor.page.get_by_role("link", name="Notifications", exact=True).wait_for()


async def test_a_link_opens_the_notice_that_it_names(visitor: Visitor, site: Site) -> None:
    alice = await owner(visitor, site)
    await alice.receive("5.00 EUR")
    (newest, *_) = (await alice.get("/v1/notifications")).json()["items"]
    await ready(visitor, f"{LIST}#{newest['id']}")
    assert await visitor.page.locator("details.notice[open]").get_attribute("id") == newest["id"]


async def test_this_was_not_me_freezes_the_wallet_once_it_is_confirmed(visitor: Visitor, site: Site) -> None:
    alice = await owner(visitor, site)
    await site.person("bob")
    await alice.receive("50.00 EUR")
    await visitor.page.goto("/")
    await alice.pay("@bob", "5.00 EUR")
    await visitor.page.reload()
    await visitor.page.get_by_role("link", name="@bob is to be paid €5.00").click()
    await visitor.page.get_by_role("button", name="Approve with your passkey").click()
    await visitor.page.locator("#payment .chip").get_by_text("settled").wait_for()
    await ready(visitor, LIST)
    asked = visitor.page.locator("details.notice").filter(has_text="Approve a payment")
    await expect(asked.locator(".chip")).to_have_text("decided")
    line = visitor.page.locator("details.notice").filter(has_text="You paid").first
    await expect(line.locator(".amount")).to_have_text("−€5.00")
    await line.locator("summary").click()
    await line.get_by_role("button", name="This wasn't me").click()
    await visitor.page.get_by_role("dialog").get_by_role("button", name="Freeze it").click()
    await visitor.status("Your wallet is frozen. Nothing leaves it.")
    await visitor.page.locator(".title").get_by_text("Your wallet is frozen", exact=True).wait_for()


async def test_an_e_mail_address_is_added_by_its_code_and_removed(
    visitor: Visitor, site: Site, mails: MailServer
) -> None:
    page = visitor.page
    await owner(visitor, site)
    await ready(visitor, SETTINGS)
    await page.get_by_label("E-mail address").fill("alice@example.com")
    await page.get_by_role("button", name="Send me a code").click()
    await visitor.status("A code is on its way.")
    await expect(page.locator("#code")).to_be_focused()
    await deliver(site)

    await page.locator("#code").fill("000000" if code_in(mails, "alice@example.com") != "000000" else "000001")
    await page.get_by_role("button", name="Confirm").click()
    await visitor.status("this is not the code that was sent")
    await page.locator("#code").fill(code_in(mails, "alice@example.com"))
    await page.keyboard.press("Enter")

    await visitor.status("Confirmed.")
    line = page.locator("#email-addresses li")
    await expect(line).to_contain_text("a…@example.com")
    await expect(line).to_contain_text("in use")
    await page.get_by_role("button", name="Remove a…@example.com").click()
    await visitor.status("Removed: a…@example.com.")
    await expect(line).to_have_count(0)


async def test_a_kind_is_switched_by_keyboard_and_what_guards_the_wallet_stays_on(
    visitor: Visitor, site: Site, mails: MailServer
) -> None:
    page = visitor.page
    alice = await owner(visitor, site)
    await ready(visitor, SETTINGS)
    await page.get_by_label("E-mail address").fill("alice@example.com")
    await page.get_by_role("button", name="Send me a code").click()
    await visitor.status("A code is on its way.")
    await deliver(site)
    await page.locator("#code").fill(code_in(mails, "alice@example.com"))
    await page.get_by_role("button", name="Confirm").click()
    await visitor.status("Confirmed.")

    money_in = page.get_by_role("switch", name="Money in, by E-mail")
    await expect(money_in).to_be_checked()
    await money_in.focus()
    await page.keyboard.press("Space")
    await visitor.status("Money in, by E-mail: switched off.")
    await expect(money_in).not_to_be_checked()
    await expect(money_in).to_be_focused()
    said = (await alice.get("/v1/notifications/preferences")).json()["kinds"]
    assert [one["kind"] for one in said if one["modes"]["email"] == "off"] == ["money_in"]

    freezes = page.get_by_role("switch", name="Freezes, by E-mail")
    await freezes.click()
    await visitor.status("notifications of the kind freeze guard the wallet")
    await expect(freezes).to_be_checked()
    await page.get_by_text("At least one channel stays on").wait_for()


async def test_pages_and_notices_are_in_the_language_that_was_chosen(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    await owner(visitor, site)
    bob = await site.person("bob", "50.00 EUR")
    await bob.pay("@alice", "12.50 EUR")
    await ready(visitor, SETTINGS)
    await page.get_by_label("Language", exact=True).select_option("th")
    await page.get_by_label("Time zone").select_option("Asia/Bangkok")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("heading", name="ตั้งค่าการแจ้งเตือน").wait_for()
    await ready(visitor, LIST)
    assert await page.evaluate("document.documentElement.lang") == "th"
    await page.get_by_role("heading", name="วันนี้").wait_for()
    await page.get_by_text("คุณได้รับ €12.50 จาก @bob").click()
    year = await page.evaluate("new Date().getFullYear()")
    await page.locator("details[open] dd", has_text=f"{year + 543}").wait_for()  # as messages say it


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("language", ["en", "th"])
async def test_pages_fit_a_small_screen_and_every_text_stands_out(
    visitor: Visitor, site: Site, scheme: str, language: str, looked_at: dict[str, Faults]
) -> None:
    """At 320 px, which is what 200% zoom leaves of 640, with great amounts and long names."""
    if language not in looked_at:
        looked_at[language] = await small_and_faint(visitor, site, language)
    assert looked_at[language][scheme] == {}


async def small_and_faint(visitor: Visitor, site: Site, language: str) -> Faults:
    """What does not fit or does not stand out, by theme and page; each page is opened once."""
    page, found = visitor.page, {str(scheme): dict[str, Any]() for scheme in SCHEMES}
    alice = await owner(visitor, site)
    long = await site.person("w" * 30, "999999999999.99 EUR", "1000 USDX")
    await long.pay("@alice", "99999999999.99 EUR", memo="o" * 280)
    await long.pay("@alice", "999 USDX")
    await alice.pay("@" + "w" * 30, "50000000000.00 EUR")
    await page.emulate_media(reduced_motion="reduce")  # a theme is all there at once
    await page.set_viewport_size({"width": 320, "height": 640})
    await page.context.add_cookies([{"name": "language", "value": language, "url": site.url}])
    for path in (LIST, SETTINGS, "/", "/sign-in", "/sign-up"):
        await page.goto(path)
        await page.wait_for_load_state("networkidle" if path.startswith("/sign") else "load")
        if not path.startswith("/sign"):
            await page.locator("main:not([aria-busy=true])").wait_for()
        for summary in await page.locator("details.notice summary").all():
            await summary.click()
        for scheme in SCHEMES:
            await page.emulate_media(color_scheme=scheme)
            seen = (await page.evaluate(BEYOND), await page.evaluate(FAINT))
            if seen != (0, []):
                found[scheme][path] = seen
    assert visitor.complaints == []
    return found


async def test_whatever_is_to_be_touched_is_large_enough_and_named(visitor: Visitor, site: Site) -> None:
    """44 px where a finger is to find it (WCAG 2.2, 2.5.5), and a name for whoever listens."""
    await owner(visitor, site)
    await visitor.page.set_viewport_size({"width": 390, "height": 844})
    small = """() => [...document.querySelectorAll("a.icon, button, summary, select, input:not(.switch)")]
        .filter((one) => one.getClientRects().length > 0 && one.getBoundingClientRect().height < 44)
        .map((one) => one.outerHTML)"""
    for path in (LIST, SETTINGS, "/"):
        await ready(visitor, path)
        assert await visitor.page.evaluate(small) == [], path
        for one in await visitor.page.locator("a, button, input, select, summary").all():
            if await one.is_visible():
                name = await one.evaluate("(e) => e.ariaLabel || e.labels?.[0]?.textContent || e.textContent.trim()")
                assert name, await one.evaluate("(e) => e.outerHTML")


async def test_who_asks_for_little_motion_gets_none(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site)
    await visitor.page.emulate_media(reduced_motion="reduce")
    moving = """() => [...document.querySelectorAll("*")]
        .filter((one) => getComputedStyle(one).transitionDuration.split(", ").some((time) => time !== "0s"))
        .map((one) => one.tagName)"""
    for path in (LIST, SETTINGS, "/"):
        await ready(visitor, path)
        assert await visitor.page.evaluate(moving) == [], path


async def test_who_is_not_signed_in_signs_in_first(visitor: Visitor) -> None:
    for path in (LIST, SETTINGS):
        await visitor.page.goto(path)
        await visitor.page.wait_for_url(f"**/sign-in?next={path}")

"""Push messages in a real browser: its service worker shows what it is handed, and opens it.

A browser in a test reaches no push service. So a push is delivered to its worker by the DevTools protocol, as a push
service's would be once it is decrypted (tests/notifications has the way there), and a subscription is one that the test
has made.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from playwright.async_api import Browser, expect

from gateway.clock import system_clock
from gateway.money import Assets
from gateway.notifications.channels.channel import Message
from gateway.notifications.channels.push import Push, payload
from gateway.notifications.push.vapid import Vapid
from gateway.notifications.vocabulary import KINDS
from gateway.postgres.pool import Database
from tests.api.conftest import opened
from tests.factory import NOW
from tests.notifications import browser as of_tests
from tests.notifications.browser import LOOPBACK
from tests.web.conftest import Site, Visitor, served, visiting
from tests.web.people import owner

pytestmark = pytest.mark.anyio

ID = "evt_01h455vb4pex5vsknk084sn02q"
OTHER = "evt_01h455vb4pex5vsknk084sn02r"

#: What the worker has shown and nobody has closed, once it is as many and has this title.
SHOWN = """async ([count, wanted]) => {
    const worker = await navigator.serviceWorker.getRegistration("/");
    for (;;) {
        const all = await worker.getNotifications();
        const shown = all.map(({ title, body, tag, lang, data }) => ({ title, body, tag, lang, url: data.url }));
        if (shown.length === count && (!wanted || shown.some(({ title }) => title === wanted))) return shown;
        await new Promise((go) => setTimeout(go, 20));
    }
}"""

#: A click on what is shown, as the browser tells the worker of it.
CLICK = """async () => {
    const [shown] = await self.registration.getNotifications();
    self.dispatchEvent(new NotificationEvent("notificationclick", { notification: shown }));
}"""

#: The subscription of a browser that reaches its push service; it has one once somebody asks for it, on each page.
SUBSCRIBING = """(made) => {
    const has = () => sessionStorage.getItem("subscribed") !== null;
    const unsubscribe = async () => { sessionStorage.removeItem("subscribed"); return true; };
    const one = { ...made, options: {}, toJSON: () => made, unsubscribe };
    PushManager.prototype.getSubscription = async () => (has() ? one : null);
    PushManager.prototype.subscribe = async (options) => {
        if (!options.userVisibleOnly || options.applicationServerKey.length !== 65) throw new TypeError("options");
        sessionStorage.setItem("subscribed", "yes");
        return one;
    };
}"""


@pytest.fixture
async def site(database: Database, assets: Assets) -> AsyncIterator[Site]:
    """A gateway that sends pushes."""
    push = Push(Vapid(generate_private_key(SECP256R1()), None), LOOPBACK, system_clock)
    async with opened(database, assets, channels=(push,)) as api, served(api) as url:
        yield Site(url, api)
    await push.close()


@pytest.fixture
async def visitor(chromium: Browser, site: Site) -> AsyncIterator[Visitor]:
    """Whose browser may show notifications."""
    async with visiting(chromium, site) as visitor:
        await visitor.page.context.grant_permissions(["notifications"], origin=site.url)
        yield visitor


async def registered(visitor: Visitor) -> str:
    """Have the browser start the worker, as the page does; its number in the DevTools protocol."""
    ids: list[str] = []
    visitor.devtools.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda told: ids.extend(one["registrationId"] for one in told["registrations"]),
    )
    await visitor.devtools.send("ServiceWorker.enable")
    await visitor.page.evaluate(
        """async () => {
            const { started } = await import("/static/push.js");
            await started();
            const worker = navigator.serviceWorker;
            if (!worker.controller) await new Promise((go) => worker.addEventListener("controllerchange", go));
        }"""
    )
    return ids[-1]


async def push(visitor: Visitor, site: Site, registration: str, data: str) -> None:
    told = {"origin": site.url, "registrationId": registration, "data": data}
    await visitor.devtools.send("ServiceWorker.deliverPushMessage", told)


async def shown(visitor: Visitor, count: int, title: str = "") -> Any:
    return await visitor.page.evaluate(SHOWN, [count, title])


def message(id: str, title: str) -> str:
    said = Message(id, KINDS["money_in"], "th", NOW, title, ["12.50 EUR from @bob."], wallet="alice")
    return payload(said).decode()


async def test_a_push_is_shown_once_for_each_event(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site)
    await visitor.page.goto("/notifications/settings")
    worker = await registered(visitor)

    await push(visitor, site, worker, message(ID, "You received €12.50"))
    (first,) = await shown(visitor, 1)
    assert first == {
        "title": "You received €12.50",
        "body": "12.50 EUR from @bob.",
        "tag": f"{ID} alice",
        "lang": "th",
        "url": f"/notifications#{ID}",
    }
    await push(visitor, site, worker, message(OTHER, "Another"))
    assert len(await shown(visitor, 2)) == 2
    await push(visitor, site, worker, message(ID, "The same again"))
    assert sorted(one["tag"] for one in await shown(visitor, 2, "The same again")) == [
        f"{ID} alice",
        f"{OTHER} alice",
    ]


async def test_what_is_no_message_of_ours_is_shown_without_saying_anything(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site)
    await visitor.page.goto("/notifications/settings")
    worker = await registered(visitor)
    await push(visitor, site, worker, "not json")
    (one,) = await shown(visitor, 1)
    assert (one["title"], one["url"]) == ("Wallet gateway", "/notifications")


@pytest.mark.parametrize("url", [f"/notifications#{ID}", "https://evil.example/"])
async def test_a_click_opens_a_page_of_ours_and_no_other(visitor: Visitor, site: Site, url: str) -> None:
    await owner(visitor, site)
    await visitor.page.goto("/notifications/settings")
    worker = await registered(visitor)
    await push(visitor, site, worker, json.dumps({"title": "A title", "tag": ID, "url": url}))
    await shown(visitor, 1)

    (running,) = visitor.page.context.service_workers
    await running.evaluate(CLICK)

    await visitor.page.wait_for_url(f"{site.url}{url if url.startswith('/') else '/'}")
    await visitor.page.locator("main:not([aria-busy=true])").wait_for()
    assert await shown(visitor, 0) == [], "it is closed"


async def test_the_worker_keeps_nothing_and_answers_no_request(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site)
    await visitor.page.goto("/notifications/settings")
    await registered(visitor)
    await visitor.page.goto("/")
    assert await visitor.page.evaluate("caches.keys()") == []
    await visitor.page.context.set_offline(True)
    answer = visitor.page.evaluate("fetch('/v1/wallet').then(() => 'answered', () => 'away')")
    assert await answer == "away"
    await visitor.page.context.set_offline(False)


async def test_a_device_is_allowed_and_stopped_on_the_page(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    own = of_tests.Browser("http://127.0.0.1:9999/capability").json
    await page.add_init_script(f"({SUBSCRIBING})({json.dumps(own)})")
    await owner(visitor, site)
    await page.goto("/notifications/settings")

    await page.get_by_role("button", name="Allow notifications on this device").click()

    await visitor.status("This device shows what happens to your wallet from now on.")
    await page.get_by_text("This device shows them.").wait_for()
    line = page.locator("#push-addresses li")
    await expect(line).to_contain_text("this device")
    await expect(line).to_contain_text("in use")
    await page.get_by_role("button", name="Stop them on this device").click()
    await visitor.status("This device shows nothing any more.")
    await expect(line).to_have_count(0)
    await page.get_by_role("button", name="Allow notifications on this device").wait_for()
    assert visitor.complaints == []


async def test_who_has_blocked_notifications_is_told_how_to_allow_them(browser: Browser, site: Site) -> None:
    async with visiting(browser, site) as visitor:  # nothing is granted: headless browsers deny
        await owner(visitor, site)
        await visitor.page.add_init_script("Object.defineProperty(Notification, 'permission', { value: 'denied' })")
        await visitor.page.goto("/notifications/settings")
        await visitor.page.get_by_text("You have blocked notifications of this page.").wait_for()
        await expect(visitor.page.locator("#push-on")).to_be_hidden()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("AbortError", "could not reach its own push service"),
        ("NotAllowedError", "In a private window it cannot"),
        ("InvalidStateError", "The browser refused: its own words"),
    ],
)
async def test_each_refusal_of_the_browser_is_explained(visitor: Visitor, site: Site, name: str, words: str) -> None:
    refuse = f"PushManager.prototype.subscribe = async () => {{ throw new DOMException('its own words', '{name}'); }}"
    await visitor.page.add_init_script(refuse)
    await owner(visitor, site)
    await visitor.page.goto("/notifications/settings")
    await visitor.page.get_by_role("button", name="Allow notifications on this device").click()
    await visitor.status(words)


async def test_a_question_that_was_closed_changes_nothing_and_can_be_asked_again(visitor: Visitor, site: Site) -> None:
    await visitor.page.add_init_script("Notification.requestPermission = async () => 'default'")
    await owner(visitor, site)
    await visitor.page.goto("/notifications/settings")
    button = visitor.page.get_by_role("button", name="Allow notifications on this device")
    await button.click()
    await visitor.status("you have closed the browser's question")
    await expect(button).to_be_enabled()


async def test_a_browser_without_push_says_so(visitor: Visitor, site: Site) -> None:
    await visitor.page.add_init_script("delete window.PushManager")
    await owner(visitor, site)
    await visitor.page.goto("/notifications/settings")
    await visitor.page.get_by_text("This browser takes no push messages.").wait_for()

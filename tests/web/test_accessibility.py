"""Every page by axe-core, in both themes and languages, at 320 px and on a desktop (axe.py)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from gateway.clock import system_clock
from gateway.money import Assets
from gateway.notifications.channels.email import Email
from gateway.notifications.channels.push import Push
from gateway.notifications.push.vapid import Vapid
from gateway.postgres.pool import Database
from tests.api.conftest import opened
from tests.notifications.browser import LOOPBACK
from tests.notifications.mail_server import MailServer
from tests.web.axe import SCHEMES, gone_over
from tests.web.conftest import Site, Visitor, served
from tests.web.people import owner

pytestmark = pytest.mark.anyio

PAGES = (
    *("/", "/pay", "/pay/check?to=bob&amount=5&asset=EUR&memo=lunch", "/pay/check?to=nobody&amount=5&asset=EUR"),
    *("/request", "/requests"),
    *("/receive", "/top-up", "/withdraw", "/convert", "/payments", "/payments?person=carol&asset=EUR", "/settings"),
    *("/settings/limits", "/settings/unfreeze", "/statements", "/statements?from=2026-01-01&asset=EUR"),
    *("/settings/recovery-codes", "/settings/devices", "/settings/keys", "/settings/keys/new", "/settings/mandates"),
    *("/settings/close", "/settings/own-key", "/settings/webhooks", "/settings/webhooks/new"),
    *("/settings/mandates/new?payee=nobody", "/settings/mandates/check?payee=bob&period=20&asset=EUR&total=60"),
    *(
        "/notifications",
        "/notifications/settings",
        "/sign-in",
        "/sign-up",
        "/report",
        "/unsubscribe",
        "/nowhere",
        "/design",
    ),
)


@pytest.fixture
async def site(database: Database, assets: Assets) -> AsyncIterator[Site]:
    """A gateway that sends notices in every way."""
    push = Push(Vapid(generate_private_key(SECP256R1()), None), LOOPBACK, system_clock)
    channels = (Email(MailServer().server()), push)
    async with opened(database, assets, channels=channels) as api, served(api) as url:
        yield Site(url, api)
    await push.close()


async def paths(visitor: Visitor, site: Site) -> list[str]:
    """Every page, of somebody who has money, payments with long names, one that waits, and one that failed."""
    alice = await owner(visitor, site, "alice", "999999999999.99 EUR", "1000 USDX")
    await alice.recovery_codes()
    bob = await site.person("bob", "50.00 EUR")
    await site.person("w" * 30)
    await bob.pay("@alice", "12.50 EUR", memo="o" * 280)
    waits = (await alice.pay("@" + "w" * 30, "99999999999.99 EUR", memo="🍜 ขอบคุณ")).json()["id"]
    (paid,) = [one["id"] for one in (await bob.get("/v1/payments")).json()["items"]]
    large = {"from": "@alice", "amount": "99999999999.99", "asset": "EUR", "memo": "o" * 280}
    small = {"from": "@" + "w" * 30, "amount": "1.00", "asset": "EUR"}
    asked, asks = [(await by.post("/v1/requests", of)).json()["id"] for by, of in ((bob, large), (alice, small))]
    dave = await site.person("dave", "20 USDX")
    failed = (await dave.pay("@alice", "5 USDX")).json()["id"]
    assert (await dave.post(f"/v1/payments/{failed}/report-unauthorized", b"")).json()["state"] == "failed"
    hook = await alice.do("/v1/webhooks", url=f"https://shop.example/{'h' * 80}", types=["payment.*"])
    await alice.do(f"/v1/webhooks/{hook['id']}/secret")
    await alice.do("/v1/notifications/addresses", channel="email", address=f"{'a' * 60}@{'b' * 60}.example")
    key = await alice.do("/v1/keys", name="n" * 60, scopes=["read"])
    payments = [f"/payments/{one}" for one in (waits, paid, failed, f"{paid}/receipt")]
    changes = [f"/settings/webhooks/{hook['id']}/edit", f"/settings/keys/{key['id']}/replace"]
    requests = (f"/requests/{asked}", f"/requests/{asks}", f"/pay/check?request={asked}")
    return [*PAGES, *requests, *payments, f"/settings/webhooks/{hook['id']}", *changes]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("language", ["en", "th"])
async def test_axe_finds_nothing_and_nothing_is_lost_on_a_small_screen(
    visitor: Visitor,
    site: Site,
    scheme: str,
    language: str,
    looked_at: dict[str, dict[str, Any]],
    pictures: Path,
) -> None:
    if language not in looked_at:
        every = await paths(visitor, site)
        looked_at[language] = await gone_over(visitor, site, every, language, pictures / "wallet")
    assert looked_at[language][scheme] == {}

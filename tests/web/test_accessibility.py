"""Every page by axe-core, in both themes and languages, at 320 px and on a desktop (axe.py)."""

from pathlib import Path
from typing import Any

import pytest

from tests.web.axe import SCHEMES, gone_over
from tests.web.conftest import Site, Visitor
from tests.web.people import owner

pytestmark = pytest.mark.anyio

PAGES = (
    *("/", "/pay", "/pay/check?to=bob&amount=5&asset=EUR&memo=lunch", "/pay/check?to=nobody&amount=5&asset=EUR"),
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


async def paths(visitor: Visitor, site: Site) -> list[str]:
    """Every page, of somebody who has money, payments with long names, and one that waits."""
    alice = await owner(visitor, site, "alice", "999999999999.99 EUR", "1000 USDX")
    await alice.recovery_codes()
    bob = await site.person("bob", "50.00 EUR")
    await site.person("w" * 30)
    await bob.pay("@alice", "12.50 EUR", memo="o" * 280)
    waits = (await alice.pay("@" + "w" * 30, "99999999999.99 EUR", memo="🍜 ขอบคุณ")).json()["id"]
    (paid,) = [one["id"] for one in (await bob.get("/v1/payments")).json()["items"]]
    hook = await alice.do("/v1/webhooks", url=f"https://shop.example/{'h' * 80}", types=["payment.*"])
    return [*PAGES, f"/payments/{waits}", f"/payments/{paid}", f"/settings/webhooks/{hook['id']}"]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("language", ["en", "th"])
async def test_axe_finds_nothing_and_nothing_is_lost_on_a_small_screen(
    visitor: Visitor,
    site: Site,
    scheme: str,
    language: str,
    looked_at: dict[str, dict[str, Any]],
    pictures: Path | None,
) -> None:
    if language not in looked_at:
        every = await paths(visitor, site)
        looked_at[language] = await gone_over(visitor, site, every, language, pictures)
    assert looked_at[language][scheme] == {}

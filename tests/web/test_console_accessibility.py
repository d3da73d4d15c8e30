"""Every page of the console by axe-core, in both themes and languages, at 320 px and on a desktop."""

from pathlib import Path
from typing import Any

import pytest

from tests.api.test_operator_search import covered
from tests.api.test_operators import operator
from tests.web.axe import AXE, BEYOND, RUN, SCHEMES, SMALL, gone_over
from tests.web.conftest import Site, Visitor
from tests.web.operating import signed_in

pytestmark = pytest.mark.anyio

PAGES = (
    "/",  # the front page, for who has not signed in to a wallet
    *("/console/sign-in", "/console/enrol", "/console", "/console/nowhere", "/console/handles"),
    *("/console/handles?q=wal_00000000000000000000000000", "/console/handles/" + "w" * 30, "/console/handles/bob"),
    *("/console/handles/nobody_here", "/console/proposals", "/console/withdrawals", "/console/operators"),
    *("/console/audit", "/console/audit?handle=nobody_here"),
    *("/console/payments", "/console/payments?find=nobody", "/console/payments?find=bob"),
    *("/console/relayers", "/console/deliveries", "/console/health"),
    *(f"/console/proposals/new/{kind}" for kind in ("wallet.freeze", "wallet.limit", "handle.return")),
)


async def paths(site: Site) -> list[str]:
    """Every page, of a gateway with long names, proposals in two states, and withdrawals that are frozen."""
    long = await site.person("w" * 30, "999999999999.99 EUR")
    bob = await site.person("bob", "50.00 EUR")
    paid = (await bob.pay("@" + "w" * 30, "12.50 EUR")).json()["id"]
    await long.pay("@bob", "99999999999.99 EUR")
    await covered(site.api)
    sue, sam = await operator(site.api, "sue"), await operator(site.api, "sam")
    ids = [(await sue.propose("wallet.freeze", "w" * 30, "o" * 200)).json()["id"] for _ in range(2)]
    await sam.approve(ids[0])
    async with site.api.services.database.transaction() as connection:
        await connection.execute("INSERT INTO withdrawal_freeze (asset, frozen_at) VALUES ('USDX', now())")
    return [*PAGES, f"/console/payments/{paid}/receipt", *(f"/console/proposals/{id}" for id in ids)]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("language", ["en", "th"])
async def test_axe_finds_nothing_in_the_console_and_nothing_is_lost_on_a_small_screen(
    visitor: Visitor,
    site: Site,
    scheme: str,
    language: str,
    looked_at: dict[str, dict[str, Any]],
    pictures: Path,
) -> None:
    if language not in looked_at:
        every = await paths(site)
        await signed_in(visitor, site, "a" * 30)
        looked_at[language] = await gone_over(visitor, site, every, language, pictures / "console")
    assert looked_at[language][scheme] == {}


async def test_axe_finds_nothing_in_the_sections_that_a_phone_opens(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    await signed_in(visitor, site, "a" * 30)
    await page.set_viewport_size({"width": 320, "height": 720})
    await page.goto("/console")
    await page.locator(".menu").click()
    await page.evaluate(AXE)
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
        assert await page.evaluate(RUN) == []
    assert (await page.evaluate(SMALL), await page.evaluate(BEYOND)) == ([], 0)

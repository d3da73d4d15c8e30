"""The console's pages of what runs: a payment's timeline, totals, relayers, deliveries, health."""

from dataclasses import replace
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from gateway.audit.log import WORKER
from gateway.chain.node import HttpNode
from gateway.chain.relayer import nonce_conflicts
from gateway.cli.processes.ports import free_port
from gateway.ids import read
from gateway.webhooks import endpoint
from gateway.worker import jobs
from tests.api.running.conftest import RunningGateway
from tests.web.axe import SCHEMES, Faults, gone_over
from tests.web.conftest import Site, Visitor, served
from tests.web.operating import operating, signed_in
from tests.webhooks.conftest import hook

pytestmark = pytest.mark.anyio


async def titles(page: Page) -> list[str]:
    return [text.strip().replace("\xa0", " ") for text in await page.locator("#timeline .what b").all_inner_texts()]


async def token_payment(gateway: RunningGateway) -> tuple[str, str]:
    """A token payment that is settled, of which a part is refunded; both ids."""
    alice, shop = await gateway.person("alice", "100 USDX"), await gateway.person("shop")
    await hook(shop, "https://shop.example/hook", "payment.*")
    paid = (await alice.pay("@shop", "20 USDX", key="cap-1", memo="socks", reference="order 1042")).json()["id"]
    await gateway.town.settle()
    back = (await shop.post(f"/v1/payments/{paid}/refund", {"amount": "5"})).json()["id"]
    await gateway.town.settle()
    await jobs.reconcile.run(gateway.town.worker())
    await gateway.cover()
    return paid, back


async def test_the_life_of_a_token_payment_is_told_step_by_step(
    gateway: RunningGateway, visitor: Visitor, site: Site
) -> None:
    paid, back = await token_payment(gateway)
    page = visitor.page
    await signed_in(visitor, site, "ann")
    await page.goto(f"/console/payments/{paid}")

    await expect(page.get_by_role("heading", level=1)).to_have_text("20.00 USDX")
    assert (await titles(page))[:3] == ["Requested by @alice", "Held in the ledger", "Authorized"]
    assert (await titles(page))[3:] == [
        *("Relayed alone", page_block(await titles(page)), "Posted in the ledger", "Payment settled"),
        "5.00 USDX refunded",
    ]
    timeline = page.locator("#timeline")
    await expect(timeline.get_by_text("Idempotency-Key cap-1")).to_be_visible()
    await expect(timeline.get_by_text("wallet:shop:USDX: entry 1, then 20.00 USDX")).to_be_visible()
    await expect(page.locator("#facts").get_by_text("order 1042")).to_be_visible()
    sum_ = page.get_by_role("region", name="USDX adds up")
    await expect(sum_.get_by_text("checked at block")).to_be_visible()
    await expect(page.get_by_text("queued · submitted · settled, under checkpoint")).to_be_visible()
    block = page_block(await titles(page)).rpartition(" ")[2]
    await expect(page.locator("#facts div").filter(has_text="Block")).to_have_text(f"Block{block}")
    hash_ = await page.locator("#facts div").filter(has_text="Transaction").locator("dd").inner_text()

    await page.get_by_role("link", name="Receipt").click()
    receipt = page.locator(".receipt dl")
    for said in ("chain 31337", hash_, f"Block{block}"):
        await expect(receipt).to_contain_text(said)
    await expect(receipt).not_to_contain_text("order 1042")
    await page.go_back()

    await timeline.get_by_role("link", name="5.00 USDX refunded").click()
    await page.wait_for_url(f"**/console/payments/{back}")
    await page.get_by_role("link", name="the first payment").click()
    await page.wait_for_url(f"**/console/payments/{paid}")
    assert visitor.complaints == []


def page_block(titles: list[str]) -> str:
    """The title of the step that names the final block, whichever block that is."""
    (title,) = [one for one in titles if one.startswith("In final block ")]
    return title


async def test_a_payment_is_found_by_its_id_and_by_a_handle(
    gateway: RunningGateway, visitor: Visitor, site: Site
) -> None:
    alice = await gateway.person("alice", "10.00 EUR")
    await gateway.person("bob")
    await gateway.person("carol")
    paid = (await alice.pay("@bob", "1.00 EUR", memo="lunch")).json()["id"]
    await alice.pay("@carol", "2.00 EUR", memo="dinner")
    page = visitor.page
    await signed_in(visitor, site, "ann")
    await page.goto("/console")
    await page.get_by_role("navigation", name="Sections").get_by_role("link", name="Payments").click()
    await expect(page.locator("#payments li")).to_have_count(2)

    await page.get_by_label("A handle, or a payment's id").fill("@bob")
    await page.get_by_role("button", name="Find").click()
    await expect(page.locator("#payments li")).to_have_count(1)
    await expect(page.locator("#payments").get_by_text("lunch")).to_be_visible()
    await page.get_by_label("A handle, or a payment's id").fill("@nobody")
    await page.get_by_role("button", name="Find").click()
    await expect(page.get_by_text("Nobody has this handle.")).to_be_visible()
    await page.get_by_label("A handle, or a payment's id").fill(paid)
    await page.get_by_role("button", name="Find").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("€1.00")
    assert await titles(page) == ["Requested by @alice", "Posted in the ledger", "Payment settled"]


async def test_the_overview_says_what_needs_attention_and_how_the_supply_went(
    gateway: RunningGateway, visitor: Visitor, site: Site
) -> None:
    alice = await gateway.person("alice", "100 USDX")
    page, worker = visitor.page, gateway.town.worker()
    await jobs.resend.run(worker)
    await gateway.cover()
    await signed_in(visitor, site, "ann")
    await page.goto("/console")
    await expect(page.get_by_text("Everything is as it should be.")).to_be_visible()
    await expect(page.get_by_role("region", name="USDX adds up")).to_be_visible()
    await expect(page.locator(".chart")).to_have_count(0)

    await gateway.town.execute(
        "INSERT INTO solvency_point SELECT 'USDX', now() - n * interval '1 day', 1, 100 - n, 100 - n, 0, 1, "
        "CASE n WHEN 3 THEN 7 ELSE 0 END, 0 FROM generate_series(1, 9) AS n"
    )
    await gateway.town.set_balance(alice.address, "90 USDX")
    await gateway.town.look_at_all()
    await gateway.town.look_at_all()
    await page.goto("/console")

    attention = page.locator("#attention")
    await expect(attention.get_by_text("Withdrawals of USDX are frozen")).to_be_visible()
    await expect(page.get_by_role("region", name="USDX does not add up")).to_be_visible()
    await expect(page.get_by_text("wallet:alice:USDX: the ledger says 100.000000, balanceOf")).to_be_visible()
    await expect(page.get_by_role("img", name="The supply over time")).to_be_visible()
    marks = str(await page.locator(".chart .wrong").get_attribute("d"))
    assert marks.count("V100") == 2, "three days ago, and now"
    assert visitor.complaints == []


async def test_a_stopped_relayer_goes_on_at_the_button_of_who_may(
    gateway: RunningGateway, browser: Browser, site: Site
) -> None:
    async with gateway.town.database.transaction() as connection:
        await nonce_conflicts.stop(connection, gateway.town.signer.address, "somebody signs with its key")
    async with operating(browser, site, "ben", "support") as ben:
        await ben.page.goto("/console/relayers")
        await expect(ben.page.get_by_text("somebody signs with its key")).to_be_visible()
        await expect(ben.page.get_by_role("button", name="Resume")).to_have_count(0)
    async with operating(browser, site, "ann", "finance") as ann:
        await ann.page.goto("/console")
        await expect(ann.page.get_by_text("Relayers that send nothing: 1")).to_be_visible()
        await ann.page.goto("/console/relayers")
        await ann.page.get_by_role("button", name="Resume").click()
        await ann.status("The relayer goes on.")
        await expect(ann.page.locator("#relayers").get_by_text("runs")).to_be_visible()
        assert ann.complaints == []


async def test_a_webhook_is_tried_again_at_the_button_of_who_may(
    gateway: RunningGateway, browser: Browser, site: Site
) -> None:
    shop = await gateway.person("shop")
    made = await hook(shop, "https://shop.example/hook", "payment.*", description="Web shop")
    async with gateway.town.database.transaction() as connection:
        await endpoint.disable(connection, read("whk", made["id"]), "failing", WORKER, gateway.api.clock())
    async with operating(browser, site, "ann", "finance") as ann:
        await ann.page.goto("/console/deliveries")
        await expect(ann.page.locator("#failing").get_by_text("shop.example")).to_be_visible()
        await expect(ann.page.get_by_role("button", name="Enable and try again")).to_have_count(0)
    async with operating(browser, site, "ben", "support") as ben:
        await ben.page.goto("/console/deliveries")
        await ben.page.get_by_role("button", name="Enable and try again").click()
        await ben.status("It is tried again now.")
        await expect(ben.page.get_by_text("No webhook fails.")).to_be_visible()
        assert ben.complaints == []
    assert (await shop.get(f"/v1/webhooks/{made['id']}")).json()["enabled"] is True


async def test_health_shows_the_checks_and_what_they_say(gateway: RunningGateway, visitor: Visitor, site: Site) -> None:
    page = visitor.page
    await signed_in(visitor, site, "ann")
    await page.goto("/console/health")
    checks = page.locator("#checks")
    await expect(checks.get_by_text("no worker has ever run")).to_be_visible()
    await expect(checks.get_by_text("failed")).to_have_count(1)
    await expect(page.get_by_role("row")).to_have_count(13)


async def test_a_node_that_is_away_takes_no_page_with_it(gateway: RunningGateway, browser: Browser) -> None:
    node = HttpNode(f"http://127.0.0.1:{free_port('127.0.0.1')}")
    away = replace(gateway.api, services=replace(gateway.api.services, node=node))
    async with served(away) as url, operating(browser, Site(url, away), "ann") as ann:
        await ann.page.goto("/console/relayers")
        await expect(ann.page.get_by_text("The node does not answer")).to_be_visible()
        await ann.page.goto("/console")
        await expect(ann.page.get_by_role("heading", name="Needs attention")).to_be_visible()
    await node.close()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("language", ["en", "th"])
async def test_axe_finds_nothing_in_a_payments_life_and_nothing_is_lost_on_a_small_screen(
    gateway: RunningGateway,
    visitor: Visitor,
    site: Site,
    scheme: str,
    language: str,
    looked_at: dict[str, Faults],
    pictures: Path,
) -> None:
    if language not in looked_at:
        paid, back = await token_payment(gateway)
        await gateway.town.execute("UPDATE webhook_endpoint SET failing_since = now() - interval '1 day'")
        await signed_in(visitor, site, "a" * 30, "support")
        paths = (f"/console/payments/{paid}", f"/console/payments/{back}", "/console/payments?find=alice")
        every = (*paths, "/console", "/console/relayers", "/console/deliveries")
        looked_at[language] = await gone_over(
            visitor, site, every, language, pictures / "running", on_desktops=("en", "th")
        )
    assert looked_at[language][scheme] == {}

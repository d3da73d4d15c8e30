"""Signing up and in with an Ethereum wallet: a provider in the browser (EIP-1193) whose key really signs."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from eth_account.signers.local import LocalAccount
from playwright.async_api import Browser, Route, expect

from gateway.money import Assets
from tests.api.conftest import opened
from tests.factory import Town
from tests.web.conftest import Site, Visitor, served, visiting
from tests.web.people import owner

pytestmark = pytest.mark.anyio

#: What a wallet puts into every page. `declines` is set by a test, as its owner would press "reject".
PROVIDER = """window.ethereum = { request: async ({ method, params }) => {
    if (window.declines) throw Object.assign(new Error("User rejected the request."), { code: 4001 });
    if (method === "eth_requestAccounts") return [await window.testAccount()];
    if (method === "personal_sign") return window.testSign(...params);
    throw Object.assign(new Error(method), { code: 4200 });
} };"""


@pytest.fixture
async def site(town: Town, assets: Assets) -> AsyncIterator[Site]:
    """A gateway whose node answers."""
    await town.settle()
    async with opened(town.database, assets, node=town.node) as api:
        api.services = replace(api.services, settings=replace(api.services.settings, contracts=town.settings.contracts))
        async with served(api) as url:
            yield Site(url, api)


@pytest.fixture
async def key(visitor: Visitor) -> LocalAccount:
    """The key of the visitor's Ethereum wallet."""
    made: LocalAccount = Account.create()
    await give_wallet(visitor, made)
    return made


async def give_wallet(visitor: Visitor, key: LocalAccount) -> None:
    def sign(message: str, address: str) -> str:
        assert address.lower() == key.address.lower()
        return "0x" + bytes(key.sign_message(encode_defunct(hexstr=message)).signature).hex()

    await visitor.page.expose_function("testAccount", lambda: key.address.lower())
    await visitor.page.expose_function("testSign", sign)
    await visitor.page.add_init_script(PROVIDER)


async def sign_up(visitor: Visitor, handle: str = "alice") -> None:
    await visitor.page.goto("/sign-up")
    await visitor.page.get_by_label("A handle").fill(handle)
    await visitor.page.get_by_role("button", name="Sign up with an Ethereum wallet").click()


async def test_a_handle_is_claimed_with_an_ethereum_wallet_which_signs_in_from_then_on(
    visitor: Visitor, site: Site, key: LocalAccount
) -> None:
    page = visitor.page
    await sign_up(visitor)
    await page.get_by_role("heading", name="@alice is yours").wait_for()
    codes = await page.locator("#codes code").all_inner_texts()
    assert len(codes) == 10
    await page.get_by_label("Type one of them").fill(codes[0])
    await page.get_by_role("button", name="I have kept them").click()
    await page.get_by_role("heading", name="@alice", exact=True).wait_for()
    seen = (await site.api.call("GET", "/v1/handles/alice")).json()
    assert (seen["address"], seen["custody"]) == (key.address, "owner")

    await page.context.clear_cookies(name="session")
    await page.goto("/sign-in")
    await page.get_by_text("With an Ethereum wallet").click()
    await page.locator("#ethereum").get_by_label("Your handle").fill("@alice")
    await page.get_by_role("button", name="Sign a message").click()
    await page.get_by_role("heading", name="@alice", exact=True).wait_for()
    assert visitor.complaints == []


async def test_an_older_session_signs_once_more_in_the_ethereum_wallet(
    visitor: Visitor, site: Site, key: LocalAccount
) -> None:
    page = visitor.page
    await sign_up(visitor)
    codes = page.locator("#codes code")
    await codes.first.wait_for()
    async with site.api.services.database.transaction() as connection:
        await connection.execute("UPDATE session SET created_at = created_at - interval '6 minutes'")
    await page.get_by_label("Type one of them").fill(await codes.first.inner_text())
    await page.get_by_role("button", name="I have kept them").click()
    await page.get_by_role("heading", name="@alice", exact=True).wait_for()


async def test_who_declines_in_the_wallet_claims_nothing_and_tries_again(
    visitor: Visitor, site: Site, key: LocalAccount
) -> None:
    page = visitor.page
    await page.goto("/sign-up")
    await page.evaluate("window.declines = true")
    await page.get_by_label("A handle").fill("alice")
    await page.get_by_role("button", name="Sign up with an Ethereum wallet").click()
    await visitor.status("You have declined in your Ethereum wallet")
    assert (await site.api.call("GET", "/v1/handles/alice")).status_code == 404

    await page.evaluate("window.declines = false")
    await page.get_by_role("button", name="Sign up with an Ethereum wallet").click()
    await page.get_by_role("heading", name="@alice is yours").wait_for()


async def test_a_browser_without_an_ethereum_wallet_is_told_what_to_do(visitor: Visitor, site: Site) -> None:
    await sign_up(visitor)
    await visitor.status("This browser has no Ethereum wallet. Install one")


async def test_a_taken_handle_is_told_at_the_field_and_an_address_is_one_wallets(
    visitor: Visitor, browser: Browser, site: Site, key: LocalAccount
) -> None:
    await sign_up(visitor)
    await visitor.page.get_by_role("heading", name="@alice is yours").wait_for()
    async with visiting(browser, site) as other:
        await give_wallet(other, Account.create())
        await sign_up(other)
        await expect(other.page.get_by_role("alert")).to_contain_text("@alice is taken")
        await expect(other.page.get_by_label("A handle")).to_be_focused()
    async with visiting(browser, site) as again:
        await give_wallet(again, key)
        await sign_up(again, "bob")
        await again.status("already belongs to a wallet")


async def test_who_loses_the_answer_to_the_claim_is_told_to_sign_in(
    visitor: Visitor, site: Site, key: LocalAccount
) -> None:
    async def lose(route: Route) -> None:
        await route.fetch()
        await route.abort()

    await visitor.page.route("**/v1/sign-ups/ethereum", lose)
    await sign_up(visitor)
    await visitor.status("Sign in with your Ethereum wallet: the handle may be yours.")
    assert (await site.api.call("GET", "/v1/handles/alice")).json()["address"] == key.address


async def test_the_address_of_an_ethereum_wallet_is_bound_with_its_signature(
    visitor: Visitor, site: Site, key: LocalAccount
) -> None:
    await owner(visitor, site)
    page = visitor.page
    await page.goto("/settings/own-key")
    await page.get_by_role("button", name="Use the address of my Ethereum wallet").click()
    await page.get_by_role("dialog").get_by_role("button", name="Use it").click()
    await visitor.status("You are paid at your own address from now on.")
    seen = (await site.api.call("GET", "/v1/handles/alice")).json()
    assert (seen["address"], seen["custody"]) == (key.address, "owner")

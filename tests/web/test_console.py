"""The console: who comes in, with which cookie, and what it is no key to."""

import re

import httpx
import pytest
from playwright.async_api import Browser, expect

from gateway.web.console.pages import CONSOLE
from tests.web.conftest import Site, Visitor
from tests.web.operating import enrolled, operating, signed_in
from tests.web.people import owner

pytestmark = pytest.mark.anyio

#: What is for whoever has not signed in.
OPEN = {"/console/sign-in", "/console/enrol"}

#: Every other page of the console, with @alice where it is of a wallet.
PAGES = sorted(re.sub(r"{[^}]*}", "alice", path) for one in CONSOLE for path in one.paths if path not in OPEN)


async def cookies(visitor: Visitor) -> dict[str, str]:
    return {str(one["name"]): str(one["value"]) for one in await visitor.page.context.cookies()}


async def ask(site: Site, method: str, path: str, *, cookie: str, **headers: str) -> httpx.Response:
    """A request with this cookie, which says of itself what `headers` say."""
    async with httpx.AsyncClient(base_url=site.url.replace("localhost", "127.0.0.1")) as client:
        return await client.request(method, path, headers={"Cookie": cookie, "Accept": "text/html", **headers})


async def test_an_operator_enrols_with_the_code_signs_in_and_out(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    await enrolled(visitor, site, "ann", "support")
    assert len(await visitor.credentials()) == 1
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await page.get_by_role("heading", name="Overview").wait_for()
    await expect(page.get_by_role("navigation", name="Sections").get_by_text("ann · support")).to_be_visible()
    await expect(page.get_by_text("You see everything, propose to freeze wallets")).to_be_visible()

    (cookie,) = [one for one in await page.context.cookies() if one["httpOnly"]]
    assert (cookie["name"], cookie["sameSite"], cookie["path"]) == ("operator", "Strict", "/")
    assert "operator" not in await page.evaluate("document.cookie")

    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("heading", name="Sign in to the console").wait_for()
    assert "operator" not in await cookies(visitor)
    after = await ask(site, "GET", "/console", cookie=f"operator={cookie['value']}")
    assert (after.status_code, after.headers["location"]) == (303, "/console/sign-in")
    assert visitor.complaints == []


async def test_a_wrong_code_is_said_and_makes_nobody_an_operator(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    await page.goto("/console/enrol")
    await page.get_by_label("Your name as an operator").fill("ann")
    await page.get_by_label("Your code").fill("go_guessed")
    await page.get_by_role("button", name="Make a passkey").click()
    await visitor.status("the code is not one for this name")
    async with site.api.services.database.reading() as connection:
        assert await connection.fetchval("SELECT count(*) FROM operator") == 0


@pytest.mark.parametrize("path", PAGES)
async def test_who_has_not_signed_in_sees_no_page_of_the_console(shared_site: Site, path: str) -> None:
    page = await ask(shared_site, "GET", path, cookie="a=b")
    there = "/console/sign-in" if path == "/console" else f"/console/sign-in?next={path}"
    assert (page.status_code, page.headers["location"]) == (303, there)


async def test_a_wallets_session_opens_no_console_and_an_operators_no_wallet(
    visitor: Visitor, browser: Browser, site: Site
) -> None:
    await owner(visitor, site)
    of_alice = (await cookies(visitor))["session"]
    async with operating(browser, site, "ann") as ann:
        of_ann = (await cookies(ann))["operator"]
    for name in ("session", "operator"):  # as it is, and under the other's name
        for path in PAGES:
            assert (await ask(site, "GET", path, cookie=f"{name}={of_alice}")).status_code == 303, path
        for path in ("/payments", "/settings"):
            page = await ask(site, "GET", path, cookie=f"{name}={of_ann}")
            assert (page.status_code, page.headers["location"]) == (303, f"/sign-in?next={path}")
        assert (await ask(site, "GET", "/v1/wallet", cookie=f"{name}={of_ann}")).status_code == 401
        assert (await ask(site, "GET", "/v1/operator/proposals", cookie=f"{name}={of_alice}")).status_code == 401


async def test_a_cookie_from_before_the_sign_in_is_worth_nothing_after_it(visitor: Visitor, site: Site) -> None:
    """Session fixation: the cookie that was in the browser before is known to somebody else."""
    page = visitor.page
    await signed_in(visitor, site, "ann")
    planted = (await cookies(visitor))["operator"]
    await page.goto("/console/sign-in")
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await page.get_by_role("heading", name="Overview").wait_for()
    fresh = (await cookies(visitor))["operator"]
    assert fresh != planted
    assert (await ask(site, "GET", "/console", cookie=f"operator={planted}")).status_code == 303
    assert (await ask(site, "GET", "/console", cookie=f"operator={fresh}")).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
    ],
)
async def test_what_changes_something_comes_from_a_page_of_ours(
    visitor: Visitor, site: Site, headers: dict[str, str], status: int
) -> None:
    await signed_in(visitor, site, "ann")
    cookie = f"operator={(await cookies(visitor))['operator']}"
    assert (await ask(site, "DELETE", "/v1/operator/session", cookie=cookie, **headers)).status_code == status
    assert (await ask(site, "GET", "/console", cookie=cookie)).status_code == (303 if status == 200 else 200)


async def test_nobody_is_signed_in_to_the_console_from_a_page_of_others(site: Site) -> None:
    body = {"credential_id": "eA", "client_data": "eA", "authenticator_data": "eA", "signature": "eA"}
    async with httpx.AsyncClient(base_url=site.url.replace("localhost", "127.0.0.1")) as client:
        answer = await client.post("/v1/operator/session/cookie", json=body, headers={"Origin": "https://evil.example"})
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)


async def test_an_operators_session_that_ended_leads_to_the_sign_in_and_back(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    await signed_in(visitor, site, "ann")
    await page.goto("/console?from=here")
    async with site.api.services.database.transaction() as connection:
        await connection.execute("UPDATE operator_session SET expires_at = started_at")
    await page.get_by_role("button", name="Sign out").click()  # any call
    await page.wait_for_url(re.compile(r"/console/sign-in\?next=/console%3Ffrom%3Dhere#signed-out$"))
    await page.get_by_role("button", name="Sign in with a passkey").click()
    await page.wait_for_url(re.compile(r"/console\?from=here$"))
    await page.get_by_role("heading", name="Overview").wait_for()


async def test_on_a_phone_the_sections_are_behind_a_button(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    await signed_in(visitor, site, "ann")
    await page.set_viewport_size({"width": 320, "height": 700})
    await page.goto("/console")
    sections = page.get_by_role("navigation", name="Sections")
    await expect(sections).to_be_hidden()
    await page.get_by_role("button", name="Sections").click()
    await expect(sections.get_by_role("link", name="Overview")).to_be_visible()

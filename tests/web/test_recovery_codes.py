"""Recovery codes at the pages: kept by copying, printing or downloading them, confirmed by typing one, and replaced."""

from pathlib import Path

import pytest
from playwright.async_api import Route, expect

from tests.web.conftest import Site, Visitor
from tests.web.people import owner

pytestmark = pytest.mark.anyio


async def shown_codes(visitor: Visitor, handle: str = "alice") -> list[str]:
    """Sign up; the codes on the page, which are confirmed by nobody yet."""
    page = visitor.page
    await page.goto("/sign-up")
    await page.get_by_label("A handle").fill(handle)
    await page.get_by_role("button", name="Sign up with a passkey").click()
    await page.get_by_role("heading", name=f"@{handle} is yours").wait_for()
    return await page.locator("#codes code").all_inner_texts()


async def test_a_wrong_code_is_told_at_the_field_and_a_right_one_goes_on_however_it_is_typed(visitor: Visitor) -> None:
    page = visitor.page
    codes = await shown_codes(visitor)
    field = page.get_by_label("Type one of them")
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if one.url.endswith("/recovery-codes/confirmation") else None)

    for wrong in ("", "0000-0000-0000-0000", codes[0][:-1]):
        await field.fill(wrong)
        await field.press("Enter")
        await expect(page.get_by_role("alert")).to_have_text("This is none of the codes. Check it letter by letter.")
        await expect(field).to_have_attribute("aria-invalid", "true")
        await expect(field).to_have_accessible_description("This is none of the codes. Check it letter by letter.")
        await expect(field).to_be_focused()
    assert asked == [], "the page knows what it has shown"

    await field.press_sequentially(f" {codes[7].upper().replace('-', ' ')}")
    assert await page.get_by_role("alert").count() == 0, "the field is being mended"
    await field.fill(f" {codes[7].upper().replace('-', ' ')}")
    await field.press("Enter")
    await page.get_by_role("heading", name="@alice", exact=True).wait_for()
    assert await page.locator("#codes-reminder").count() == 0
    await page.goto("/settings/recovery-codes")
    await expect(page.get_by_role("heading", name="10 recovery codes are left.")).to_be_visible()
    await expect(page.get_by_text("kept: you typed one of them")).to_be_visible()


async def test_whoever_leaves_it_for_later_is_reminded_until_a_code_was_typed(visitor: Visitor) -> None:
    page = visitor.page
    codes = await shown_codes(visitor)
    await page.get_by_role("link", name="Do this later").click()
    await page.get_by_role("link", name="Have you kept your recovery codes?").click()

    field = page.get_by_label("Type one of them, from where you have kept it").first
    await field.fill("k7fm-2q9x-0c4t-hhz3")
    await field.press("Enter")
    await expect(page.get_by_role("alert")).to_have_text("This is none of the codes. Check it letter by letter.")
    await field.fill(codes[2])
    await field.press("Enter")

    await visitor.status("Your recovery codes are kept.")
    await page.goto("/")
    assert await page.locator("#codes-reminder").count() == 0


async def test_codes_are_copied_and_downloaded_as_they_are_shown(visitor: Visitor, tmp_path: Path) -> None:
    page = visitor.page
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    codes = await shown_codes(visitor)

    await page.get_by_role("button", name="Copy").click()
    await visitor.status("Copied.")
    assert (await page.evaluate("navigator.clipboard.readText()")).split("\n") == codes

    async with page.expect_download() as started:
        await page.get_by_role("button", name="Download").click()
    file = await started.value
    assert file.suggested_filename == "recovery-codes-alice.txt"
    await file.save_as(tmp_path / "codes")
    lines = (tmp_path / "codes").read_text().splitlines()
    assert lines[0].startswith("Recovery codes of @alice at localhost")
    assert [line.split(". ")[1] for line in lines[3:]] == codes
    assert visitor.complaints == []


@pytest.mark.parametrize(
    ("handle", "name"),
    [
        *(("alice", "key-alice.json"), ("../../etc/passwd", "key-etcpasswd.json"), ('a"; rm -rf', "key-armrf.json")),
        *(("..", "key-wallet.json"), ("ก\u202etxt.exe", "key-txtexe.json"), ("a" * 300, f"key-{'a' * 60}.json")),
        ("a\r\nSet-Cookie: x", "key-aSetCookiex.json"),
    ],
)
async def test_no_handle_breaks_the_name_of_a_file(shared_visitor: Visitor, handle: str, name: str) -> None:
    await shared_visitor.page.goto("/sign-in")
    made = "async (handle) => (await import('/static/page.js')).fileName('key', handle, 'json')"
    assert await shared_visitor.page.evaluate(made, handle) == name


async def test_printed_the_page_has_the_codes_and_what_they_are_for_and_nothing_else(visitor: Visitor) -> None:
    page = visitor.page
    codes = await shown_codes(visitor)
    await page.evaluate("window.print = () => { window.printed = true; }")
    await page.get_by_role("button", name="Print").click()
    assert await page.evaluate("window.printed")

    await page.emulate_media(media="print", color_scheme="dark")
    lines = [line for line in (await page.locator("body").inner_text()).splitlines() if line.strip()]
    assert lines[0].startswith("Your recovery codes @alice · localhost")
    assert lines[1].startswith("Each lets you in once")
    assert lines[2].startswith("At the sign-in choose")
    assert [line for line in lines[3:] if line.strip()] == codes
    assert await page.evaluate("getComputedStyle(document.querySelector('#codes code')).color") == "rgb(0, 0, 0)"


async def test_an_older_session_proves_a_code_with_the_passkey_once_more(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    codes = await shown_codes(visitor)
    async with site.api.services.database.transaction() as connection:
        await connection.execute("UPDATE session SET created_at = created_at - interval '6 minutes'")
    await page.goto("/settings/recovery-codes")
    await page.get_by_label("Type one of them").first.fill(codes[0])
    await page.get_by_role("button", name="I have kept them").first.click()
    await visitor.status("Your recovery codes are kept.")


async def test_recovery_codes_are_replaced_once_that_is_confirmed(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    await (await owner(visitor, site)).recovery_codes()
    await page.goto("/settings/recovery-codes")
    make, dialog = page.get_by_role("button", name="Make new recovery codes"), page.get_by_role("dialog")

    await make.click()
    assert "10 recovery codes that you have stop working at once" in await dialog.inner_text()
    await dialog.get_by_role("button", name="Cancel").click()
    await dialog.wait_for(state="detached")
    assert await page.locator("#codes").is_hidden()
    await make.click()
    await dialog.get_by_role("button", name="Replace them").click()

    await visitor.status("Keep these codes")
    assert await page.locator("#codes code").count() == 10


async def test_who_loses_the_answer_with_the_new_codes_is_told_to_make_them_again(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    await (await owner(visitor, site)).recovery_codes()
    await page.goto("/settings/recovery-codes")

    async def lose(route: Route) -> None:
        await route.fetch()  # it reaches the gateway, and its answer reaches nobody
        await route.abort()

    await page.route("**/v1/recovery-codes", lose)
    make = page.get_by_role("button", name="Make new recovery codes")
    replace = page.get_by_role("dialog").get_by_role("button", name="Replace them")
    await make.click()
    await replace.click()
    await visitor.status("The codes you have may work no more: make new ones.")

    await page.unroute("**/v1/recovery-codes")
    await make.click()
    await replace.click()
    await visitor.status("Keep these codes")

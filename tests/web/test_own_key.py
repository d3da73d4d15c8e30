"""The key at its page: exported in so many words, and as a file that Ethereum's own tools open."""

import json
import re
from pathlib import Path

import pytest
from eth_account import Account
from eth_hash.auto import keccak
from playwright.async_api import expect

from tests.web.conftest import Site, Visitor
from tests.web.people import owner

pytestmark = pytest.mark.anyio


async def test_the_key_is_exported_in_so_many_words_and_its_file_opens_with_the_password(
    visitor: Visitor, site: Site, tmp_path: Path
) -> None:
    alice, page = await owner(visitor, site), visitor.page
    await page.goto("/settings/own-key")
    field = page.get_by_label("Type your handle to see it")
    await field.fill("@bob")
    await field.press("Enter")
    await expect(field).to_have_accessible_description("This is not your handle. Type @alice.")
    await field.fill("@alice")
    await field.press("Enter")
    await page.get_by_role("dialog").get_by_role("button", name="Show it").click()
    await expect(page.locator("#private-key")).to_have_text(re.compile("^0x[0-9a-f]{64}$"))
    key = await page.locator("#private-key").inner_text()
    assert Account.from_key(key).address == alice.address

    await page.get_by_label("Or a file of it, behind a password").fill("short")
    await page.get_by_role("button", name="Download the file").click()
    await expect(page.get_by_label("Or a file")).to_have_attribute("aria-invalid", "true")
    await page.get_by_label("Or a file of it, behind a password").fill("correct horse battery")
    async with page.expect_download() as started:
        await page.get_by_role("button", name="Download the file").click()
    file = await started.value
    assert file.suggested_filename == "key-alice.json"
    await file.save_as(tmp_path / "key.json")
    kept = json.loads((tmp_path / "key.json").read_text())
    assert bytes(Account.decrypt(kept, "correct horse battery")).hex() == key.removeprefix("0x")
    with pytest.raises(ValueError, match="MAC"):
        Account.decrypt(kept, "correct horse batterY")
    assert visitor.complaints == []
    await page.reload()
    assert key not in await page.content()


async def test_the_pages_keccak_is_ethereums(visitor: Visitor, site: Site) -> None:
    await visitor.page.goto("/sign-in")
    hashed = """async (size) => {
        const { keccak256 } = await import("/static/keccak.js");
        return [...keccak256(Uint8Array.from({ length: size }, (_, at) => at % 251))];
    }"""
    for size in (0, 1, 31, 135, 136, 137, 271, 272, 1000):
        expected = list(keccak(bytes(at % 251 for at in range(size))))
        assert await visitor.page.evaluate(hashed, size) == expected, size

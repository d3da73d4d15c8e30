"""Scanning a payment code: where the browser reads codes, and to no other site.

Chromium reads codes on Android, macOS and ChromeOS alone (Shape Detection API), and there is no camera here: both are
played, and everything around them is the page's own.
"""

import json

import pytest
from playwright.async_api import expect

from tests.web.conftest import Site, Visitor
from tests.web.test_paying import owner

pytestmark = pytest.mark.anyio

#: A browser that reads codes, before whose camera is this one.
READS = """
const code = %s;
window.BarcodeDetector = class {
    static async getSupportedFormats() { return ["qr_code"]; }
    async detect() { return code === null ? [] : [{ rawValue: code }]; }
};
window.tracks = [];
navigator.mediaDevices.getUserMedia = async () => {
    const canvas = document.createElement("canvas");
    canvas.getContext("2d").fillRect(0, 0, 300, 150);
    const stream = canvas.captureStream(25);
    window.tracks.push(...stream.getTracks());
    return stream;
};
"""


async def at_the_form(visitor: Visitor, site: Site, code: str | None) -> None:
    await owner(visitor, site, "alice", "50.00 EUR")
    await site.person("bob")
    await visitor.page.add_init_script(READS % json.dumps(code))
    await visitor.page.goto("/pay")


async def test_a_code_of_this_gateway_fills_in_the_form(visitor: Visitor, site: Site) -> None:
    await at_the_form(visitor, site, f"{site.url}/pay?to=@bob&amount=12.50&asset=EUR&key=theirs&next=//evil.example")
    await visitor.page.get_by_role("button", name="Scan a code").click()
    await visitor.page.wait_for_url("**/pay?to=%40bob&amount=12.50&asset=EUR")
    await expect(visitor.page.get_by_label("To", exact=True)).to_have_value("@bob")
    await expect(visitor.page.get_by_label("Amount", exact=True)).to_have_value("12.50")
    assert visitor.complaints == []


@pytest.mark.parametrize(
    "code",
    [
        *(
            "https://evil.example/pay?to=@bob",
            "//evil.example/pay?to=@bob",
            "javascript:alert(1)",
            "@bob",
            "",
            "/pay?to=@bob",
        ),
        *("HERE@evil.example/pay?to=@bob", "HERE.evil.example/pay?to=@bob", "HERE/language/th?next=/pay&to=@bob"),
        *(
            "HERE/pay/check?to=@bob&amount=1&asset=EUR",
            "HERE/pay",
            "HERE/pay?key=theirs",
            "http://a:b@HOST/pay?to=@bob",
        ),
        *("data:text/html,<script>1</script>", "HERE/pay/../settings?to=@bob", "HERE//evil.example/pay?to=@bob"),
    ],
)
async def test_no_other_code_leads_anywhere(visitor: Visitor, site: Site, code: str) -> None:
    await at_the_form(visitor, site, code.replace("HERE", site.url).replace("HOST", site.url.removeprefix("http://")))
    await visitor.page.get_by_role("button", name="Scan a code").click()
    await visitor.status("This code is no payment at this gateway.")
    assert visitor.page.url == f"{site.url}/pay"


async def test_a_code_of_another_site_is_no_payment(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site, "alice")
    await visitor.page.goto("/pay")
    read = "async (code) => (await import('/static/scan.js')).paymentOf(code) ?? null"
    assert await visitor.page.evaluate(read, "https://evil.example/pay?to=@bob&amount=1") is None
    assert await visitor.page.evaluate(read, f"{site.url}/pay?to=@bob&amount=1") == "/pay?to=%40bob&amount=1"


async def test_the_camera_is_off_when_nobody_looks_any_more(visitor: Visitor, site: Site) -> None:
    await at_the_form(visitor, site, None)
    await visitor.page.get_by_role("button", name="Scan a code").click()
    dialog = visitor.page.get_by_role("dialog", name="Scan a payment code")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(dialog).to_have_count(0)
    await visitor.page.wait_for_function("() => window.tracks.length === 1 && window.tracks[0].readyState === 'ended'")


async def test_a_camera_that_is_not_allowed_is_said_to_be(visitor: Visitor, site: Site) -> None:
    await at_the_form(visitor, site, None)
    refuses = "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotAllowedError'); }"
    await visitor.page.evaluate(f"() => {{ {refuses} }}")
    await visitor.page.get_by_role("button", name="Scan a code").click()
    await visitor.status("The camera was not allowed.")


async def test_a_browser_that_reads_no_codes_shows_no_button(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site, "alice", "50.00 EUR")
    await visitor.page.goto("/pay")
    await visitor.page.wait_for_function("() => !document.getElementById('pad').hidden")
    assert await visitor.page.evaluate("() => 'BarcodeDetector' in window") is False
    await expect(visitor.page.locator("#scan")).to_be_hidden()


async def test_the_camera_is_for_the_form_of_a_payment_alone(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site, "alice", "50.00 EUR")
    for path, allowed in (("/pay", True), ("/", False), ("/receive", False), ("/settings", False)):
        await visitor.page.goto(path)
        may = await visitor.page.evaluate("() => document.featurePolicy.allowsFeature('camera')")
        assert may is allowed, path

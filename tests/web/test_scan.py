"""Scanning a payment code: where the browser reads codes, and to no other site.

Chromium reads codes on Android, macOS and ChromeOS alone (Shape Detection API), and there is no camera here: both are
played, and everything around them is the page's own.
"""

import pytest
from playwright.async_api import expect

from tests.web.conftest import Site, Visitor
from tests.web.people import owner

pytestmark = pytest.mark.anyio

#: A browser that reads codes, before whose camera is what a test puts there.
READS = """
window.code = null;
window.BarcodeDetector = class {
    static async getSupportedFormats() { return ["qr_code"]; }
    async detect() { return window.code === null ? [] : [{ rawValue: window.code }]; }
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


@pytest.fixture(scope="module")
async def reader(shared_visitor: Visitor, shared_site: Site) -> Visitor:
    """@alice, whose browser reads codes."""
    await owner(shared_visitor, shared_site, "alice", "50.00 EUR")
    await shared_site.person("bob")
    await shared_visitor.page.add_init_script(READS)
    return shared_visitor


async def at_the_form(visitor: Visitor, code: str | None) -> None:
    visitor.complaints.clear()
    await visitor.page.goto("/pay")
    await visitor.page.evaluate("(code) => { window.code = code; }", code)


async def test_a_code_of_this_gateway_fills_in_the_form(reader: Visitor, shared_site: Site) -> None:
    here = shared_site.url
    await at_the_form(reader, f"{here}/pay?to=@bob&amount=12.50&asset=EUR&key=theirs&next=//evil.example")
    await reader.page.get_by_role("button", name="Scan a code").click()
    await reader.page.wait_for_url("**/pay?to=%40bob&amount=12.50&asset=EUR")
    await expect(reader.page.get_by_label("To", exact=True)).to_have_value("@bob")
    await expect(reader.page.get_by_label("Amount", exact=True)).to_have_value("12.50")
    assert reader.complaints == []


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
async def test_no_other_code_leads_anywhere(reader: Visitor, shared_site: Site, code: str) -> None:
    here = shared_site.url
    await at_the_form(reader, code.replace("HERE", here).replace("HOST", here.removeprefix("http://")))
    await reader.page.get_by_role("button", name="Scan a code").click()
    await reader.status("This code is no payment at this gateway.")
    assert reader.page.url == f"{here}/pay"


async def test_a_code_of_another_site_is_no_payment(reader: Visitor, shared_site: Site) -> None:
    await reader.page.goto("/pay")
    read = "async (code) => (await import('/static/scan.js')).paymentOf(code) ?? null"
    assert await reader.page.evaluate(read, "https://evil.example/pay?to=@bob&amount=1") is None
    assert await reader.page.evaluate(read, f"{shared_site.url}/pay?to=@bob&amount=1") == "/pay?to=%40bob&amount=1"


async def test_the_camera_is_off_when_nobody_looks_any_more(reader: Visitor) -> None:
    await at_the_form(reader, None)
    await reader.page.get_by_role("button", name="Scan a code").click()
    dialog = reader.page.get_by_role("dialog", name="Scan a payment code")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(dialog).to_have_count(0)
    await reader.page.wait_for_function("() => window.tracks.length === 1 && window.tracks[0].readyState === 'ended'")


async def test_a_camera_that_is_not_allowed_is_said_to_be(reader: Visitor) -> None:
    await at_the_form(reader, None)
    refuses = "navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('', 'NotAllowedError'); }"
    await reader.page.evaluate(f"() => {{ {refuses} }}")
    await reader.page.get_by_role("button", name="Scan a code").click()
    await reader.status("The camera was not allowed.")


async def test_a_browser_that_reads_no_codes_shows_no_button(visitor: Visitor, site: Site) -> None:
    await owner(visitor, site, "alice", "50.00 EUR")
    await visitor.page.goto("/pay")
    await visitor.page.get_by_label("Amount", exact=True).focus()
    await visitor.page.wait_for_function("() => !document.getElementById('pad').hidden")
    assert await visitor.page.evaluate("() => 'BarcodeDetector' in window") is False
    await expect(visitor.page.locator("#scan")).to_be_hidden()


async def test_the_camera_is_for_the_form_of_a_payment_alone(reader: Visitor) -> None:
    for path, allowed in (("/pay", True), ("/", False), ("/receive", False), ("/settings", False)):
        await reader.page.goto(path)
        may = await reader.page.evaluate("() => document.featurePolicy.allowsFeature('camera')")
        assert may is allowed, path

"""The API reference: everything that the document has, and requests that work as they stand on the page."""

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from gateway.docs import api_reference, layout
from tests.api import contract
from tests.web.axe import BEYOND, SCHEMES, Faults
from tests.web.conftest import Site, Visitor

pytestmark = pytest.mark.anyio

URL = layout.API_REFERENCE


@pytest.fixture
async def page(site: Site) -> str:
    async with httpx.AsyncClient(base_url=site.url.replace("localhost", "127.0.0.1")) as client:
        return (await client.get(URL)).text


@pytest.fixture
async def document(site: Site) -> Any:
    return (await site.api.client.get("/openapi.json")).json()


def articles(page: str) -> dict[str, str]:
    """The text of each operation's part of the page, as people see it."""
    found = re.findall(r'<article class="operation" id="(\w+)".*?>(.*?)</article>', page, re.DOTALL)
    return {name: unescape(re.sub(r"<[^>]+>", "", html)) for name, html in found}


def request(page: str, operation: str) -> str:
    """The example of a request, as it would be copied off the page."""
    _, _, rest = articles(page)[operation].partition("Request")
    return rest.partition("Answer 2")[0].strip()


async def test_every_operation_is_there_with_all_that_it_takes_and_answers(page: str, document: Any) -> None:
    shown = articles(page)
    operations = [(path, one) for path, methods in document["paths"].items() for one in methods.values()]
    assert set(shown) == {operation["operationId"] for _, operation in operations}

    for path, operation in operations:
        text = shown[operation["operationId"]]
        wanted = [path, operation["summary"], *(operation["responses"])]
        wanted += [contract.resolved(document, one)["name"] for one in operation.get("parameters", ())]
        for media in operation.get("requestBody", {}).get("content", {}).values():
            schema = contract.resolve(document, media["schema"].get("items", media["schema"])["$ref"])
            wanted += schema.get("properties", ())
        for status in operation["responses"]:
            content = contract.response_of(document, operation, status)["content"]
            for media in content.values():
                wanted += media.get("examples", ())
        assert [one for one in wanted if one not in text] == [], operation["operationId"]


async def test_every_part_is_in_the_contents_list_and_every_link_leads_to_a_part(page: str, document: Any) -> None:
    _, _, contents = page.partition('<nav id="contents"')
    listed = re.findall(r'href="#(\w+)"', contents)
    assert listed == [*articles(page), "objects", "problems"]
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    assert 'href="/docs"' in page


async def test_the_requests_on_the_page_do_what_they_say(page: str, site: Site, tmp_path: Path) -> None:
    """Copied off the page into a shell, one after the other, with a key in place of $API_KEY."""
    bob, alice_key = await site.person("bob"), ""

    async def answers(operation: str, **of: str) -> Any:
        typed = request(page, operation)
        for name, value in of.items():
            assert name in typed, typed
            typed = typed.replace(name, value)
        ran = await anyio.run_process(["bash", "-c", f"{typed} --silent"], env={"API_KEY": alice_key}, check=False)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    alice_key = (await answers("claim_handle"))["api_key"]
    assert (await answers("deposit"))["state"] == "settled"
    assert (await answers("preview"))["fee"] == "0.00"
    paid = await answers("pay")
    assert (paid["state"], paid["reference"]) == ("settled", "order-17")
    assert (await answers("get_payment", pay_01h455vb4pex5vsknk084sn02q=paid["id"])) == paid
    assert (await answers("list_payments"))["items"] == [paid]
    assert len((await answers("list_entries"))["items"]) == 2
    assert (await answers("get_wallet"))["handle"] == (await answers("get_handle"))["handle"] == "alice"
    assert (await answers("end_session"))["code"] == "not_found"  # which is a DELETE, and alice has no session
    assert await bob.balance("EUR") == ("12.50", "0.00", "12.50")


def test_what_the_document_says_is_text_wherever_it_stands(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    answer = {"description": evil, "content": {"application/json": {"schema": {"type": "string"}, "example": evil}}}
    parameter = {"name": evil, "in": "query", "description": evil, "schema": {"type": evil, "examples": [evil]}}
    operation = {
        "operationId": "x",
        "tags": ["T"],
        "summary": evil,
        "description": evil,
        "security": [],
        "parameters": [parameter],
        "responses": {"200": answer},
    }
    made = api_reference.page(
        {
            "info": {"description": evil},
            "servers": [{"url": "https://pay.example"}],
            "tags": [{"name": "T", "description": evil}],
            "paths": {f"/{evil}": {"get": operation}},
            "components": {
                "schemas": {"Thing": {"description": evil, "properties": {evil: {"enum": [evil]}}}},
                "examples": {"code": {"summary": evil, "value": {"status": 400, "retryable": False, "detail": evil}}},
            },
        }
    ).decode()
    assert made.count("&lt;script") > 10
    assert "<script" not in made


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_it_fits_every_screen_and_its_text_is_read_easily(
    visitor: Visitor, scheme: str, looked_at: Faults
) -> None:
    if scheme not in looked_at:
        looked_at |= await beyond_and_faint(visitor)
    assert looked_at[scheme] == {}


async def beyond_and_faint(visitor: Visitor) -> Faults:
    """What does not fit or is too faint, by theme. The page is opened once: it is as long as a book."""
    page, found = visitor.page, {str(scheme): dict[str, Any]() for scheme in SCHEMES}
    await page.emulate_media(reduced_motion="reduce")  # a theme is all there at once
    await page.goto(URL)
    for width in (320, 900, 1440):
        await page.set_viewport_size({"width": width, "height": 900})
        for scheme in SCHEMES:
            await page.emulate_media(color_scheme=scheme)
            if beyond := await page.evaluate(BEYOND):
                found[scheme][f"beyond at {width}"] = beyond
    for scheme in SCHEMES:
        await page.emulate_media(color_scheme=scheme)
        if faint := await page.evaluate(TOO_FAINT):
            found[scheme]["faint"] = faint
    assert visitor.complaints == []
    return found


#: Kinds of text whose contrast with what is behind it is below 4.5 : 1 (WCAG 2.2, 1.4.3).
TOO_FAINT = """() => {
  const channels = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = (color) => channels(color).slice(0, 3)
    .map((one) => one / 255)
    .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
    .reduce((sum, one, place) => sum + one * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const color = getComputedStyle(one).backgroundColor;
      if (channels(color)[3] !== 0) return color;
    }
  };
  const faint = new Set();
  for (const element of document.querySelectorAll(".reference *")) {
    if (![...element.childNodes].some((one) => one.nodeType === Node.TEXT_NODE && one.data.trim())) continue;
    const [dark, light] = [getComputedStyle(element).color, behind(element)].map(luminance).sort((a, b) => a - b);
    if ((light + 0.05) / (dark + 0.05) < 4.5) faint.add(`${element.tagName} ${element.className}`);
  }
  return [...faint];
}"""

"""The pages as they are served: what a browser may do with them, and nothing inline that a policy would let through."""

import re
from importlib.resources import files

import httpx
import pytest
from playwright.async_api import Error

from gateway.web.content import POLICY
from tests.web.conftest import Site, Visitor

pytestmark = pytest.mark.anyio

PAGES = ("/sign-in", "/sign-up", "/report", "/unsubscribe")

#: What a page may do, directive by directive (Content Security Policy Level 3, Trusted Types).
MAY = {
    "default-src": "'none'",
    **dict.fromkeys(("script-src", "style-src", "img-src", "connect-src", "manifest-src"), "'self'"),
    **dict.fromkeys(("form-action", "base-uri", "frame-ancestors"), "'none'"),
    "require-trusted-types-for": "'script'",
    "trusted-types": "'none'",
}


#: What somebody else's script would do with text.
TRIED = (
    "document.body.innerHTML = '<b>text</b>'",
    "document.createElement('script').text = 'window.ran = true'",
    "document.createElement('script').src = '//evil.example/script.js'",
)


async def answers(site: Site, *paths: str) -> list[httpx.Response]:
    async with httpx.AsyncClient(base_url=site.url.replace("localhost", "127.0.0.1")) as client:
        return [await client.get(path) for path in paths]


async def test_every_page_and_file_is_held_to_the_policy(site: Site) -> None:
    names = [entry.name for entry in files("gateway.web").joinpath("static").iterdir()]
    for answer in await answers(site, *PAGES, "/sw.js", *(f"/static/{name}" for name in names)):
        assert answer.status_code == 200
        directives = [part.split(maxsplit=1) for part in answer.headers["content-security-policy"].split(";")]
        assert dict(directives) == MAY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", PAGES)
async def test_a_browser_makes_neither_html_nor_a_script_of_text_in_a_page(shared_visitor: Visitor, path: str) -> None:
    page = shared_visitor.page
    await page.goto(path)
    for tried in TRIED:
        with pytest.raises(Error, match="This document requires 'Trusted"):
            await page.evaluate(f"() => {{ {tried}; }}")


async def test_no_page_has_a_script_a_style_or_a_handler_inline(site: Site) -> None:
    for answer in await answers(site, *PAGES):
        assert re.findall(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|javascript:", answer.text) == []
        named = re.findall(r'(?:src|href)="(/static/[^"]+)"', answer.text)
        assert named
        assert {one.status_code for one in await answers(site, *named)} == {200}


def test_no_script_makes_html_or_code_out_of_text() -> None:
    scripts = [entry for entry in files("gateway.web").joinpath("static").iterdir() if entry.name.endswith(".js")]
    assert len(scripts) > 4
    for script in scripts:
        text = script.read_text()
        found = re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b|Function", text)
        assert found == [], script.name


async def test_a_page_that_has_not_changed_is_not_sent_again(site: Site) -> None:
    (first,) = await answers(site, "/sign-in")
    async with httpx.AsyncClient(base_url=site.url.replace("localhost", "127.0.0.1")) as client:
        tag = first.headers["etag"]
        for named, status in (
            *((tag, 304), (f"W/{tag}", 304), (f'"x", {tag}', 304), ("*", 304), ('"x"', 200), (tag[1:-1], 200)),
        ):
            again = await client.get("/sign-in", headers={"If-None-Match": named})
            assert (again.status_code, bool(again.content)) == (status, status == 200), named
        for named, status in ((tag, 200), ("*", 200), ('"x"', 412)):
            again = await client.get("/sign-in", headers={"If-Match": named})
            assert again.status_code == status, named
        assert (await client.get("/sign-in?from=mail", headers={"If-None-Match": tag})).status_code == 304


async def test_nothing_beside_the_pages_is_served(site: Site) -> None:
    for path in ("/static/", "/static/%2e%2e%2fpages.py", "/static/pages.py", "/pages/wallet.html"):
        (answer,) = await answers(site, path)
        assert answer.status_code == 404, path


async def test_a_wrong_address_is_a_page_to_a_browser_and_a_problem_to_a_program(site: Site) -> None:
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
    async with httpx.AsyncClient(base_url=site.url.replace("localhost", "127.0.0.1")) as client:
        for path in ("/walet", "/sign-up/now", "/static/no.js", "/v1nothing"):
            page = await client.get(path, headers=browser)
            assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8"), path
            assert page.headers["content-security-policy"] == POLICY
            assert "There is no such page" in page.text
            again = await client.get(path, headers={**browser, "If-None-Match": "*"})
            assert (again.status_code, again.text) == (404, page.text), "it is shown again, not left empty"
            assert (await client.get(path)).headers["content-type"] == "application/problem+json"
        answer = await client.get("/v1/nothing", headers=browser)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_the_pages_are_no_part_of_the_documented_api(site: Site) -> None:
    (document,) = await answers(site, "/openapi.json")
    assert not [path for path in document.json()["paths"] if not path.startswith(("/v1/", "/health/"))]

"""The documentation as the gateway serves it: every page and nothing else, without a script."""

import re
import tomllib
from collections.abc import AsyncIterator

import httpx
import pytest

from gateway.docs.library import Library
from gateway.docs.pages import POLICY, SEARCH
from tests.running import ROOT
from tests.web.conftest import Site

pytestmark = pytest.mark.anyio

URLS = [*(page.url for page in Library.read().pages()), "/docs/api"]

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
async def client(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=site.url.replace("localhost", "127.0.0.1")) as client:
        yield client


async def test_every_page_is_served_and_every_link_on_it_leads_somewhere(client: httpx.AsyncClient) -> None:
    pages = {url: (await client.get(url)) for url in URLS}
    assert (await client.get("/docs/")).content == pages["/docs"].content
    ids = {url: set(re.findall(r'\sid="([^"]+)"', page.text)) for url, page in pages.items()}
    for url, page in pages.items():
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8"), url
        for target in re.findall(r'href="([^"]+)"', page.text):
            path, _, anchor = target.partition("#")
            if path.startswith("/docs") or not path:
                assert (path or url) in pages, f"{url} leads to {target}"
                assert not anchor or anchor in ids[path or url], f"{url} leads to {target}"
            elif path.startswith("/"):
                assert (await client.get(path)).status_code == 200, f"{url} leads to {target}"


async def test_no_page_runs_a_script_and_the_policy_allows_none(client: httpx.AsyncClient) -> None:
    for url in (*URLS, SEARCH, f"{SEARCH}?q=refund"):
        page = await client.get(url)
        assert page.headers["content-security-policy"] == POLICY
        assert re.findall(r"<script|<style|\son\w+=|\sstyle=|javascript:", page.text) == [], url
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["x-frame-options"] == "DENY"
    assert "script-src" not in POLICY
    assert POLICY.startswith("default-src 'none';")


async def test_a_page_that_has_not_changed_is_not_sent_again(client: httpx.AsyncClient) -> None:
    for url in ("/docs", "/docs/guides/tokens", f"{SEARCH}?q=refund"):
        first = await client.get(url)
        assert first.headers["cache-control"] == "no-cache"
        again = await client.get(url, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        other = await client.get(url, headers={"If-None-Match": '"x"'})
        assert other.content == first.content


async def test_head_says_what_get_does_and_sends_nothing(client: httpx.AsyncClient) -> None:
    for url in ("/docs", "/docs/reference/errors", f"{SEARCH}?q=refund"):
        whole, head = await client.get(url), await client.head(url)
        assert (head.status_code, head.content) == (200, b"")
        for name in ("content-length", "content-type", "etag", "content-security-policy"):
            assert head.headers[name] == whole.headers[name]
        allowed = await client.options(url)
        assert (allowed.status_code, allowed.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
        assert (await client.post(url)).status_code == 405


async def test_nothing_else_is_served(client: httpx.AsyncClient) -> None:
    for path in (
        *("/docs/nothing", "/docs/guides", "/docs/guides/", "/docs/guides/tokens.md", "/docs/README.md"),
        *("/docs/page.html", "/docs/..%2f..%2fpyproject.toml", "/docs/guides/..%2ftutorial", "/docs/%2e%2e/pages.py"),
        "/docs//etc/passwd",
    ):
        page, problem = await client.get(path, headers=BROWSER), await client.get(path)
        assert page.status_code == problem.status_code == 404, path
        assert "There is no such page" in page.text
        assert problem.headers["content-type"] == "application/problem+json"


async def test_a_search_is_an_ordinary_form_and_what_was_asked_is_text(client: httpx.AsyncClient) -> None:
    found = await client.get(SEARCH, params={"q": "idempotency key reused"})
    assert 'href="/docs/reference/errors#idempotency_key_reused"' in found.text

    for asked, where in (
        ("API reference", ""),
        ("/v1/payments/preview", "#preview"),
        ("POST /v1/payments/{id}/capture", "#capture"),
        ("BankMovement", "#object-BankMovement"),
        ("insufficient_funds", "#problem-insufficient_funds"),
    ):
        found = await client.get(SEARCH, params={"q": asked})
        assert f'<a href="/docs/api{where}">' in found.text.partition('class="results"')[2], asked

    evil = await client.get(SEARCH, params={"q": '"><script>alert(1)</script>'})
    assert (evil.status_code, "<script" in evil.text) == (200, False)
    assert "Nothing has all of" in evil.text

    for query in ("", "?q=", "?q=%00", "?q=%ff", "?q=a&q=b", "?p=1", "?q=" + "a%20" * 2_000):
        assert (await client.get(SEARCH + query)).status_code == 200, query


def test_an_installed_gateway_has_every_page() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns, folder = project["tool"]["setuptools"]["package-data"]["gateway.docs"], ROOT / "gateway" / "docs"
    packed = {path for pattern in patterns for path in folder.glob(pattern)}

    assert {path for path in folder.rglob("*") if path.suffix in (".md", ".html")} == packed

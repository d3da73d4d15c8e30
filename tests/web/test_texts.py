"""Every text of the pages and their scripts in every language, with the same placeholders; which language is chosen."""

import json
import re
import string
from pathlib import Path

import httpx
import pytest
from babel.messages.extract import extract_from_dir

import gateway.web
from gateway.api.events.catalogue import CATALOGUE
from gateway.web.language import LANGUAGES, SOURCE, say, texts_of
from tests.web.conftest import Site, Visitor

pytestmark = pytest.mark.anyio

OTHERS = [locale for locale in LANGUAGES if locale != SOURCE]


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def in_code() -> set[str]:
    """Every text that a template or a script says."""
    folder = Path(gateway.web.__file__).parent
    found = set()
    for pattern, method, keyword in (
        ("templates/**.html", "jinja2.ext:babel_extract", "say"),
        ("static/**.js", "javascript", "words"),
        ("**.py", "python", "say"),
    ):
        there = extract_from_dir(
            *(folder, [(pattern, method)]),
            options_map={"static/**.js": {"parse_template_string": "true"}},
            keywords={keyword: None},
            strip_comment_tags=True,
        )
        texts = {text for _, _, text, _, _ in there}
        assert texts, pattern
        found |= texts
    return found | {what for _, what in CATALOGUE.values()}  # new-webhook.html says them


def test_no_text_of_a_script_is_missed_wherever_it_is_said() -> None:
    """Within a text with ${…}, for one; and each is said as it stands, not put together."""
    said = in_code()
    for script in (Path(gateway.web.__file__).parent / "static").glob("*.js"):
        calls = re.findall(r"(?<!function )\bwords\(\s*(.[^\n]*)", script.read_text())
        for call in calls:
            text = re.match(r'"(?:[^"\\]|\\.)*"', call)
            assert text, f"{script.name}: {call}"
            assert json.loads(text[0]) in said, script.name


@pytest.mark.parametrize("locale", OTHERS)
def test_every_text_is_translated_with_the_same_placeholders(locale: str) -> None:
    there = texts_of(locale)
    assert in_code() - there.keys() == set()
    assert there.keys() - in_code() == set(), "what no page says any more"
    for text, translated in there.items():
        assert translated.strip() == translated != "", text
        assert placeholders(translated) == placeholders(text), text


async def of_language(site: Site, path: str, **headers: str) -> str:
    """The language of the page that a browser with these headers is sent."""
    async with httpx.AsyncClient(base_url=site.url.replace("localhost", "127.0.0.1")) as client:
        page = await client.get(path, headers={"Accept": "text/html", **headers})
    assert page.headers["vary"] == "Accept-Language, Cookie"
    return page.text.partition('<html lang="')[2].partition('"')[0]


async def test_a_page_is_in_the_language_that_the_browser_asks_for(site: Site) -> None:
    for asked, language in (
        *(("th", "th"), ("th-TH,th;q=0.9,en;q=0.8", "th"), ("en;q=0.3, th;q=0.7", "th"), ("de, en", "en")),
        *(("de", "en"), ("", "en"), ("*", "en"), ("th;q=0", "en"), ("th;q=x", "en"), (",;q=,", "en")),
    ):
        found = await of_language(site, "/sign-in", **{"Accept-Language": asked})
        assert found == language, asked
    assert await of_language(site, "/nowhere", **{"Accept-Language": "th"}) == "th"


async def test_the_language_that_somebody_chose_stays(site: Site, visitor: Visitor) -> None:
    await visitor.page.goto("/sign-up")
    await visitor.page.get_by_role("link", name="ไทย").click()
    await visitor.page.wait_for_url("**/sign-up")
    await visitor.page.get_by_role("heading", name=say("th", "Sign up", {})).wait_for()
    await visitor.page.goto("/sign-in")
    assert await visitor.page.evaluate("document.documentElement.lang") == "th"
    assert await of_language(site, "/sign-up", Cookie="language=th", **{"Accept-Language": "en"}) == "th"
    assert await of_language(site, "/sign-up", Cookie="language=../x", **{"Accept-Language": "en"}) == "en"


async def test_what_the_browser_calls_a_language_and_is_no_tag_is_left_out(site: Site, visitor: Visitor) -> None:
    """A number cannot be written in it: the scripts of a page ended there."""
    said = "Object.defineProperty(navigator, 'languages', { value: ['en-US@posix', 'en-GB', 'th'] })"
    await visitor.page.add_init_script(said)
    await visitor.page.goto("/sign-in")
    assert await visitor.page.evaluate("async () => (await import('/static/words.js')).locale") == "en-GB"


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "/\t/evil.example", "evil", "", "javascript:x"],
)
async def test_choosing_a_language_leads_to_no_other_site(site: Site, elsewhere: str) -> None:
    async with httpx.AsyncClient(base_url=site.url.replace("localhost", "127.0.0.1")) as client:
        kept = await client.get("/language/th", params={"next": "/notifications/settings?a=b"})
        led = await client.get("/language/th", params={"next": elsewhere})
        unknown = await client.get("/language/xx")
    assert (kept.status_code, kept.headers["location"]) == (303, "/notifications/settings?a=b")
    assert (led.status_code, led.headers["location"]) == (303, "/")
    assert unknown.status_code == 404

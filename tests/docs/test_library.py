"""Markdown as pages and the search over them, without a gateway."""

from pathlib import Path

import pytest

from gateway.docs import layout, markdown
from gateway.docs.library import Library
from gateway.docs.markdown import Listed

CONTENTS = """# Docs

Read [one](guides/one.md) first.

## Guides

- [One](guides/one.md): how to pay
- [`Two`](guides/two.md)

## Reference

- [Three](three.md): words
"""


@pytest.fixture
def library(tmp_path: Path) -> Library:
    (tmp_path / "guides").mkdir()
    (tmp_path / "README.md").write_text(CONTENTS)
    (tmp_path / "guides" / "one.md").write_text(
        "# One\n\nPay somebody.\n\n## Refund <all>\n\nGive it back, see [three](../three.md#the-words).\n"
    )
    (tmp_path / "guides" / "two.md").write_text("# Two\n\n```sh\ncurl --refund\n```\n\n```text\nsettled\n```\n")
    (tmp_path / "three.md").write_text("# Three\n\n## The words\n\n| a | b |\n| --- | --- |\n| refund | `x|y` |\n")
    return Library.read(tmp_path)


def html(file: str, text: str) -> str:
    return markdown.read(file, text).html


def test_the_contents_list_gives_the_groups_and_what_it_says_of_each_page() -> None:
    assert markdown.contents(CONTENTS) == {
        "Guides": [Listed("guides/one.md", "how to pay"), Listed("guides/two.md", "")],
        "Reference": [Listed("three.md", "words")],
    }


@pytest.mark.parametrize(
    ("file", "target", "address"),
    [
        ("guides/one.md", "two.md", "/docs/guides/two"),
        ("guides/one.md", "../three.md#the-words", "/docs/three#the-words"),
        ("guides/one.md", "../README.md#guides", "/docs#guides"),
        ("README.md", "guides/one.md", "/docs/guides/one"),
        ("guides/one.md", "#here", "#here"),
        ("guides/one.md", "https://eips.example/eip.md", "https://eips.example/eip.md"),
        ("guides/one.md", "/docs/api", "/docs/api"),
    ],
)
def test_a_link_to_a_page_leads_to_where_it_is_served_and_others_stay(file: str, target: str, address: str) -> None:
    assert f'<a href="{address}">' in html(file, f"# A\n\n[there]({target})\n")


def test_html_in_markdown_is_text_and_no_link_runs_a_script() -> None:
    shown = html("a.md", "# A\n\n<script>alert(1)</script> <b>b</b> [x](javascript:alert(1))\n\n<div>d</div>\n")

    assert "<script" not in shown
    assert "<b>" not in shown
    assert "<div>d" not in shown
    assert "href" not in shown


def test_headings_have_githubs_anchors() -> None:
    page = markdown.read("a.md", "# A\n\n## `insufficient_funds`, and why\n\n### Does it add up?\n")

    assert [(one.level, one.anchor) for one in page.sections] == [
        *((1, "a"), (2, "insufficient_funds-and-why"), (3, "does-it-add-up")),
    ]
    assert '<h2 id="insufficient_funds-and-why">' in page.html


def test_a_search_finds_the_sections_with_all_words_and_the_heading_first(library: Library) -> None:
    assert [one.url for one in library.search("REFUND")] == [
        *("/docs/guides/one#refund-all", "/docs/guides/two", "/docs/three#the-words"),
    ]
    assert [one.url for one in library.search("refund curl")] == ["/docs/guides/two"]
    assert [one.url for one in library.search("efun")] != []
    assert library.search("refund nowhere") == []
    assert library.search("  ") == library.search("a") == []
    assert library.search("a REFUND") == library.search("refund")


def test_a_search_shows_the_words_where_they_are() -> None:
    library = Library.read()
    (found, *_) = library.search("GATEWAY_LEDGER_FEE")

    assert found.url == "/docs/reference/settings"
    assert found.excerpt[1] == "GATEWAY_LEDGER_FEE"
    assert len("".join(found.excerpt)) < 300


def test_a_search_takes_a_limited_time_of_whatever_is_asked() -> None:
    library = Library.read()

    assert library.search("a" * 1_000_000) == []
    assert len(library.search("the " * 1_000)) <= 30
    assert library.search(".*[(\\") == []


def test_what_somebody_searched_for_is_text_in_the_answer(library: Library) -> None:
    asked = "\"'><script>alert(1)</script> <all>"

    for shown in (layout.results(library, asked, []), layout.results(library, asked, library.search("<all>"))):
        assert b"<script" not in shown
        assert b'value="&quot;&#x27;&gt;&lt;script' in shown
        assert b"<all>" not in shown


def test_every_page_is_built_and_says_where_it_is() -> None:
    library = Library.read()
    for page in library.pages()[1:]:
        shown = layout.page(library, page).decode()
        assert shown.count("<h1") == 1
        assert f'<a href="{page.url}" aria-current=page>' in shown

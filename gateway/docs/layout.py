"""The HTML around a page: the skeleton, the contents list, the results of a search. Pure.

Everything that is inserted is escaped, except the HTML that markdown.py made.
"""

from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from string import Template
from typing import Final

from gateway.docs.library import LETTERS_MAX, Found, Library, Page
from gateway.docs.markdown import ROOT

#: The path of the API reference.
API_REFERENCE: Final = f"{ROOT}/api"

_SKELETON: Final = Template(files(__package__).joinpath("page.html").read_text(encoding="utf-8"))

#: A longer group is folded in the contents list, except on one of its own pages.
_UNFOLDED_MAX: Final = 12


def page(library: Library, shown: Page) -> bytes:
    """A page of the library."""
    pages = library.pages()
    at = pages.index(shown)
    main = [
        f'<p class="group">{escape(shown.group)}</p>',
        *_on_this_page(shown),
        f'<article class="prose">\n{shown.document.html}</article>',
        *_neighbours(pages[at - 1], pages[at + 1] if at + 1 < len(pages) else None),
    ]
    return whole(shown.title, main, list(_contents(library, shown)))


def front(library: Library) -> bytes:
    """The contents page: a card for each page, by group."""
    before, _, _ = library.front.document.html.partition("<h2")
    main = [f'<article class="prose">\n{before}</article>']
    for group, pages in library.groups.items():
        cards = "".join(
            f'<li><a href="{escape(one.url)}">{_title(one)}</a>'
            + (f"<span>{escape(one.about)}</span>" if one.about else "")
            + "</li>"
            for one in pages
        )
        main.append(f'<h2 id="{escape(group.lower())}">{escape(group)}</h2><ul class="cards">{cards}</ul>')
    card = f'<li><a href="{API_REFERENCE}">API reference</a><span>every call, with examples</span></li>'
    main.append(f'<h2 id="api">API</h2><ul class="cards">{card}</ul>')
    return whole(library.front.title, main, list(_contents(library, library.front)))


def results(library: Library, asked: str, found: Sequence[Found]) -> bytes:
    """The results of a search."""
    main = ["<h1>Search</h1>"]
    if not asked.strip():
        main.append("<p>Type a few words, such as <i>refund</i> or <i>GATEWAY_PORT</i>, into the field above.</p>")
    elif not found:
        main.append(
            f'<p>Nothing has all of “{escape(asked)}”. Try fewer words, or the <a href="/docs">contents</a>.</p>'
        )
    else:
        items = "".join(_result(one) for one in found)
        main.append(f'<p class="hint">For “{escape(asked)}”</p><ol class="results">{items}</ol>')
    return whole("Search", main, list(_contents(library, None)), asked)


def whole(title: str, main: Sequence[str], contents: Sequence[str], asked: str = "") -> bytes:
    """The whole page around HTML, with its title and the contents list beside it. `asked` is the search text."""
    return _SKELETON.substitute(
        title=escape(title),
        asked=escape(asked),
        letters=LETTERS_MAX,
        main="\n".join(main),
        contents="\n".join(contents),
    ).encode()


def _contents(library: Library, here: Page | None) -> Iterator[str]:
    for group, pages in library.groups.items():
        is_open = " open" if len(pages) <= _UNFOLDED_MAX or here in pages else ""
        links = "".join(
            f'<li><a href="{escape(one.url)}"{" aria-current=page" if one is here else ""}>{_title(one)}</a></li>'
            for one in pages
        )
        yield f"<details{is_open}><summary>{escape(group)}</summary><ul>{links}</ul></details>"
    link = f'<a href="{API_REFERENCE}">API reference</a>'
    yield f"<details open><summary>API</summary><ul><li>{link}</li></ul></details>"


def _on_this_page(shown: Page) -> Iterator[str]:
    """The headings of a page, if it has some, and not too many to be useful."""
    headings = [section for section in shown.document.sections if section.level == 2]
    if 3 <= len(headings) <= 20:
        links = "".join(f'<li><a href="#{escape(one.anchor)}">{escape(one.heading)}</a></li>' for one in headings)
        yield f'<nav class="on-this-page" aria-label="On this page"><p>On this page</p><ul>{links}</ul></nav>'


def _neighbours(before: Page, after: Page | None) -> Iterator[str]:
    """The pages before and after it in the contents list."""
    links = [f'<a rel="prev" href="{escape(before.url)}"><small>Previous</small>{_title(before)}</a>']
    if after is not None:
        links.append(f'<a rel="next" href="{escape(after.url)}"><small>Next</small>{_title(after)}</a>')
    yield f'<nav class="neighbours" aria-label="Neighbouring pages">{"".join(links)}</nav>'


def _result(one: Found) -> str:
    place = " › ".join(escape(part) for part in (one.page.group, one.page.title))
    parts = [f"<mark>{escape(part)}</mark>" if at % 2 else escape(part) for at, part in enumerate(one.excerpt)]
    return (
        f'<li><small>{place}</small><a href="{escape(one.url)}">{escape(one.section.heading)}</a>'
        f"<p>{''.join(parts)}</p></li>"
    )


def _title(one: Page) -> str:
    return escape(one.title)

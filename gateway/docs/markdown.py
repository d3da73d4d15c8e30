"""A page's Markdown as HTML, its headings and its text. Pure.

CommonMark with tables, as GitHub shows it: headings have GitHub's anchors. HTML is not passed through.
"""

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

#: The page that lists all others, and its address.
CONTENTS: Final = "README.md"
ROOT: Final = "/docs"

#: What separates one section of a page from the next.
_SECTIONS: Final = ("h1", "h2", "h3")


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, `level` 1 to 3, and the text from it to the next."""

    level: int
    heading: str
    anchor: str
    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """A page's title, its HTML and its sections. The first section is the title's."""

    title: str
    html: str
    sections: Sequence[Section]


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of the contents list: its file, and its description there."""

    file: str
    about: str


def read(file: str, text: str) -> Document:
    """The page in the file `file`, relative to the contents list."""
    tokens = _MARKDOWN.parse(text)
    for token in tokens:
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("href", address(file, str(child.attrGet("href"))))
    sections = _sections(tokens)
    html = _MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})
    return Document(sections[0].heading, html, sections)


def contents(text: str) -> dict[str, list[Listed]]:
    """The contents list: the pages under each heading, in order."""
    groups: dict[str, list[Listed]] = {}
    tokens = _MARKDOWN.parse(text)
    for before, token in pairwise(tokens):
        if token.type != "inline":
            continue
        if before.type == "heading_open" and before.tag == "h2":
            groups[_text(token)] = []
        elif before.type == "paragraph_open" and before.level == 2 and token.children:  # in an item of a list
            first = token.children[0]
            if first.type == "link_open" and groups:
                about = "".join(child.content for child in _after_link(token.children))
                groups[list(groups)[-1]].append(Listed(str(first.attrGet("href")), about.removeprefix(": ")))
    return groups


def address(file: str, target: str) -> str:
    """The target of a link on the page at `file` when pages are served: a page by its name; other targets stay as they
    are.
    """
    path, mark, anchor = target.partition("#")
    if not path.endswith(".md") or re.match(r"\w+:|/", path):
        return target
    there = posixpath.normpath(posixpath.join(posixpath.dirname(file), path))
    return of(there) + mark + anchor


def of(file: str) -> str:
    """The address of the page in the file `file`."""
    return ROOT if file == CONTENTS else f"{ROOT}/{file.removesuffix('.md')}"


def _sections(tokens: Sequence[Token]) -> list[Section]:
    """The sections of a page, whose headings are given their anchors."""
    sections: list[Section] = []
    for before, token in pairwise(tokens):
        text = _text(token) if token.type == "inline" else token.content
        if before.type == "heading_open":
            before.attrSet("id", _anchor(text))
        if before.type == "heading_open" and before.tag in _SECTIONS:
            sections.append(Section(int(before.tag[1]), text, _anchor(text), ""))
        elif token.type in ("inline", "fence"):
            sections[-1] = replace(sections[-1], text=" ".join([*sections[-1].text.split(), *text.split()]))
    return sections


def _anchor(heading: str) -> str:
    """GitHub's anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _text(token: Token) -> str:
    return "".join(" " if child.type == "softbreak" else child.content for child in token.children or ())


def _after_link(children: Sequence[Token]) -> Sequence[Token]:
    ends = [place for place, child in enumerate(children) if child.type == "link_close"]
    return children[ends[0] + 1 :]


def _table_open(*_: Any) -> str:
    """A table that is wider than the screen is scrolled by itself, also by the keyboard."""
    return '<div class="scroll" tabindex="0" role="group" aria-label="Table"><table>\n'


def _table_close(*_: Any) -> str:
    return "</table></div>\n"


def _fence(renderer: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
    """A block of commands, or of anything else; `prints` is what the commands before it print."""
    before = tokens[at - 1] if at else None
    prints = tokens[at].info == "text" and before is not None and before.type == "fence" and before.info == "sh"
    kind = "prints" if prints else tokens[at].info or "text"
    block = renderer.fence(tokens, at, options, env)
    return f'<div class="block {kind}">{block}</div>\n'


def _code_inline(_: RendererHTML, tokens: Sequence[Token], at: int, *__: Any) -> str:
    """Code in a line of text. A long name may be broken after each of its words."""
    return f"<code>{escapeHtml(tokens[at].content).replace('_', '_<wbr>')}</code>"


_MARKDOWN: Final = MarkdownIt("commonmark", {"html": False}).enable("table")
_MARKDOWN.add_render_rule("table_open", _table_open)
_MARKDOWN.add_render_rule("table_close", _table_close)
_MARKDOWN.add_render_rule("fence", _fence)
_MARKDOWN.add_render_rule("code_inline", _code_inline)

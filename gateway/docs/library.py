"""All pages, in the order of the contents list, and their search. Pure but for reading them once.

A search finds the sections that contain all of its words, anywhere in a word and in any case; words of one letter are
ignored, since every section has them. Sections with the words in their heading or title come first.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from gateway.docs import markdown
from gateway.docs.markdown import CONTENTS, Document, Section

#: The folder of the pages.
_HERE: Final = files(__package__)

#: The most characters and words of a search text that are used.
LETTERS_MAX: Final = 100
_WORDS_MAX: Final = 8

#: The most results of a search in total and of one page, and the number of characters around the first word.
_FOUND_MAX, _OF_A_PAGE_MAX, _AROUND = 30, 3, 90


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the documentation: its path, its group in the contents list, and its description there."""

    url: str
    group: str
    about: str
    document: Document

    @property
    def title(self) -> str:
        return self.document.title


@dataclass(frozen=True, slots=True)
class Found:
    """A section that has all words: its address, and the text around the first of them, in parts; every second part is
    a word.
    """

    page: Page
    section: Section
    excerpt: Sequence[str]

    @property
    def url(self) -> str:
        return self.page.url + (f"#{self.section.anchor}" if self.section.level > 1 else "")


@dataclass(frozen=True, slots=True)
class Library:
    """The contents page, and all others by their group."""

    front: Page
    groups: Mapping[str, Sequence[Page]]
    _folded: Sequence[tuple[Page, Section, str, str]]

    @classmethod
    def read(cls, folder: Traversable = _HERE) -> "Library":
        """The library whose contents list is in this folder."""
        listed = folder.joinpath(CONTENTS).read_text(encoding="utf-8")
        front = Page(markdown.ROOT, "", "", markdown.read(CONTENTS, listed))
        groups = {
            group: [_page(folder, group, one.file, one.about) for one in pages]
            for group, pages in markdown.contents(listed).items()
        }
        return cls(front, groups, [one for pages in groups.values() for page in pages for one in _folded(page)])

    def searching(self, page: Page) -> "Library":
        """The same library, with one more page in its search, which its contents list does not have."""
        return replace(self, _folded=[*self._folded, *_folded(page)])

    def pages(self) -> list[Page]:
        """All pages, in the order of the contents list."""
        return [self.front, *(page for pages in self.groups.values() for page in pages)]

    def search(self, asked: str) -> list[Found]:
        """The sections that have every word of the text, the best first."""
        words = [word for word in asked[:LETTERS_MAX].split() if len(word) > 1][:_WORDS_MAX]
        if not words:
            return []
        ranked = sorted(self._with_all([word.casefold() for word in words]), key=lambda one: -one[0])
        found, of_page = list[Found](), dict[str, int]()
        for _, page, section in ranked:
            of_page[page.url] = of_page.get(page.url, 0) + 1
            if of_page[page.url] <= _OF_A_PAGE_MAX and len(found) < _FOUND_MAX:
                found.append(Found(page, section, _excerpt(section.text, words)))
        return found

    def _with_all(self, words: Sequence[str]) -> Iterator[tuple[int, Page, Section]]:
        for page, section, heading, text in self._folded:
            if all(word in heading or word in text for word in words):
                yield sum(10 * (word in heading) + min(3, text.count(word)) for word in words), page, section


def _folded(page: Page) -> Iterator[tuple[Page, Section, str, str]]:
    for section in page.document.sections:
        yield page, section, f"{page.title} {section.heading}".casefold(), section.text.casefold()


def _page(folder: Traversable, group: str, file: str, about: str) -> Page:
    text = folder.joinpath(*file.split("/")).read_text(encoding="utf-8")
    return Page(markdown.of(file), group, about, markdown.read(file, text))


def _excerpt(text: str, words: Sequence[str]) -> Sequence[str]:
    """The text around the first of the words, split at each of them."""
    any_word = re.compile("(" + "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)) + ")", re.I)
    first = any_word.search(text)
    at = first.start() if first else 0
    start = text.rfind(" ", 0, max(0, at - _AROUND)) + 1
    end = text.find(" ", at + _AROUND)
    return any_word.split(("… " if start else "") + text[start : None if end < 0 else end] + ("" if end < 0 else " …"))

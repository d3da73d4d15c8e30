"""The pages hang together: every one is in the contents list, and every link leads to a page and a heading of it."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.running import ROOT

DOCS = ROOT / "gateway" / "docs"

PAGES = sorted(DOCS.rglob("*.md"))

#: Every file of Markdown that people read.
READ = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "contracts" / "README.md", *PAGES]

#: A file or folder of the repository, as prose and commands name it.
FILE = r"(?:gateway|scripts|tests|contracts)/[\w./-]*\w/?"

#: All but the records of what was decided once: what those name may be gone.
TODAY = [page for page in READ if DOCS / "design" / "decisions" not in page.parents]


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def anchors(page: Path) -> list[str]:
    """What GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    return [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]


def links(page: Path) -> Iterator[tuple[str, str]]:
    """Each link to another place of this repository: the file, relative or empty, and the anchor or nothing."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not re.match(r"\w+:", target):
            path, _, anchor = target.partition("#")
            yield path, anchor


@pytest.mark.parametrize("page", READ, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    for path, anchor in links(page):
        there = (page.parent / path).resolve() if path else page
        assert there.is_file(), f"{path} is no file"
        assert not anchor or anchor in anchors(there), f"{path} has no heading #{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_a_page_links_to_pages_alone(page: Path) -> None:
    """The gateway serves nothing else of the repository."""
    assert [path for path, _ in links(page) if path and (page.parent / path).resolve() not in PAGES] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_a_page_names_no_other_page_without_a_link(page: Path) -> None:
    text = re.sub(r"\]\([^)]*\)|`[^`]*`|^\[//\].*$", "", prose(page), flags=re.MULTILINE)

    assert re.findall(r"[\w-]+\.md\b", text) == []


def test_every_page_is_in_the_contents_list_once() -> None:
    listed = re.findall(r"^- \[.*?\]\((\S+)\)", prose(DOCS / "README.md"), re.MULTILINE)

    assert sorted(listed) == [str(page.relative_to(DOCS)) for page in PAGES if page != DOCS / "README.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_a_page_has_one_title_and_no_heading_twice(page: Path) -> None:
    assert re.match(r"# \S", page.read_text(encoding="utf-8"))
    assert len(re.findall(r"^# ", prose(page), re.MULTILINE)) == 1
    assert len(anchors(page)) == len(set(anchors(page)))


@pytest.mark.parametrize("page", TODAY, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    commands = "".join(re.findall(r"^ *```(?:sh|bash)\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE))

    named = re.findall(rf"`({FILE})`", text) + re.findall(rf"(?<![\w./-])({FILE})", commands)
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", READ, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_gives_is_shell(page: Path) -> None:
    for block in re.findall(
        r"^ *```(?:sh|bash)\n(.*?)^ *```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    ):
        read = subprocess.run(["bash", "-n"], input=block, text=True, capture_output=True)
        assert (read.returncode, read.stderr) == (0, ""), block

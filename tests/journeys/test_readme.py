"""README and the pages of gateway/docs are tests: what they tell people to type is typed, and prints what they show.

Blocks marked `sh` are run, those of a page in order by one shell. The `text` block after one is what it prints, up to
ids, hashes, addresses, times and block numbers; a line `…` there stands for any lines. All pages share one gateway that
has taken its tour: README is first, and no other page depends on what was typed before it. The commands of README are
started as people start them; those of the other pages are forked (tests/commands.py). Blocks marked `bash` need
something of the reader's own; those about a PostgreSQL and a node are run below with others' addresses in them.
"""

import asyncio
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.postgres import pool
from tests.processes import HANG_SECONDS
from tests.running import ROOT, Up, checkout, levelled, running_up, share_imports, started

README, DEPLOY = ROOT / "README.md", ROOT / "gateway" / "docs" / "operate" / "deploy.md"

#: Pages whose blocks need a database that is lost in between: tests/reconciliation/test_restore_page.py runs them.
RUN_ELSEWHERE = {"backup.md", "restore.md"}

URL = "http://127.0.0.1:8000"


def blocks(page: Path) -> list[tuple[str, str]]:
    """The mark and the text of every block; one in a list loses its indent."""
    found = re.findall(r"^( *)```(\w+)\n(.*?)^\1```$", page.read_text(), re.DOTALL | re.MULTILINE)
    return [(mark, re.sub(f"^{indent}", "", text, flags=re.MULTILINE)) for indent, mark, text in found]


def story(page: Path) -> Iterator[tuple[str, str]]:
    """Each block that is typed, and what it prints."""
    for (mark, text), (mark_after, after) in pairwise([*blocks(page), ("", "")]):
        if mark == "sh":
            yield text, after if mark_after == "text" else ""


STORIES = [
    page
    for page in (README, *sorted((ROOT / "gateway" / "docs").rglob("*.md")))
    if page.name not in RUN_ELSEWHERE and any(story(page))
]


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    """One of its own: the balances that README shows are those of a fresh start."""
    with running_up() as up:
        (up.folder / "scripts" / "reference").symlink_to("/bin/true")  # it writes into the checkout, not into this one
        yield up


def test_up_prints_what_readme_shows(up: Up) -> None:
    api_url = up.place("api_url")
    shown = blocks(README)[2][1].replace(URL, api_url).replace("localhost:8000", f"localhost:{urlsplit(api_url).port}")

    assert_prints("".join(up.said), shown, up)


@pytest.mark.parametrize("page", STORIES, ids=lambda page: page.stem)
def test_what_a_page_says_to_type_prints_what_it_shows(up: Up, page: Path) -> None:
    typed = list(story(page))
    if page != README:
        share_imports(up.folder)
    script = "set +eu +o pipefail\nexec 2>&1\n" + "\necho '=== end of block'\n".join(text for text, _ in typed)

    ran = up.sh(script.replace(URL, up.place("api_url")), 2 * HANG_SECONDS)  # a page has many commands

    printed = ran.stdout.split("=== end of block\n")
    assert len(printed) == len(typed), ran.stdout[-2000:]
    for (text, expected), got in zip(typed, printed, strict=True):
        assert_prints(got, expected, up, text)


def test_a_database_and_a_node_of_ones_own_take_the_commands_that_are_given(up: Up) -> None:
    (set_up,) = (text for mark, text in blocks(DEPLOY) if mark == "bash" and "gateway migrate" in text)
    (run,) = (text for mark, text in blocks(DEPLOY) if mark == "bash" and "gateway serve" in text)
    own = up.folder / "own"
    own.mkdir()
    checkout(own)
    asyncio.run(create_database(up.place("database_url"), "own"))
    set_up = set_up.replace("https://node.example", up.place("rpc_url"))
    set_up = set_up.replace("postgresql://gateway@db.example/gateway", named(up.place("database_url"), "own"))
    settings = "".join(line for line in set_up.splitlines(keepends=True) if line.startswith("export "))

    poor = up.sh(f"cd own\n{set_up}")
    address = re.findall("0x[0-9a-fA-F]{40}", poor.stderr)[0]
    assert f"the relayer {address} has 0 wei" in poor.stderr
    funded = up.wallet("fund", "--to", address)
    assert funded.returncode == 0, funded.stderr
    deployed = up.sh(f"cd own\n{settings}.venv/bin/gateway deploy")
    assert deployed.stdout.startswith("USDX is at 0x"), deployed.stderr

    serve, work = run.splitlines()
    with started(own, f"{settings}export GATEWAY_PORT=0\n{serve}") as said, started(own, f"{settings}{work}"):
        url = said.rpartition(" ")[2].strip()
        share_imports(own)
        used = up.sh(
            "cd own\n"
            f".venv/bin/gateway handle create dora --url {url}\n"
            f".venv/bin/gateway deposit 5.00 USD --to @dora --url {url}\n"
            f".venv/bin/gateway convert 5.00 USD USDX --from @dora --url {url}\n"
            f"{settings}.venv/bin/gateway reconcile"
        )
    assert used.returncode == 0, used.stderr
    assert "\n  settled " in used.stdout
    assert used.stdout.endswith("no difference\n")


def test_every_room_is_on_the_map() -> None:
    rooms = {path.parent.name for path in (ROOT / "gateway").glob("*/__init__.py")}
    files = {path.name for path in (ROOT / "gateway").glob("*.py")} - {"__init__.py"}

    (drawn,) = (text for mark, text in blocks(README) if mark == "text" and text.startswith("gateway/\n"))
    assert [name for name in sorted(rooms) if f"{name}/" not in drawn] == []
    assert [name for name in sorted(files) if name not in drawn] == []


def test_readme_is_read_in_a_sitting() -> None:
    assert len(README.read_text().splitlines()) <= 250


async def create_database(url: str, name: str) -> None:
    async with pool.connect(url, 1) as database, database.reading() as connection:
        await connection.execute(f"CREATE DATABASE {name}")


def named(url: str, name: str) -> str:
    """The same server's other database."""
    before, mark, query = url.partition("?")
    return f"{before.rpartition('/')[0]}/{name}{mark}{query}"


def assert_prints(printed: str, expected: str, up: Up, typed: str = "") -> None:
    """That the one is as the other says, a line `…` of which stands for any lines."""
    printed, expected = alike(printed.replace(str(up.folder), "/…")), alike(expected)
    pattern = "".join(
        r"(?:.*\n)*?" if line == "…\n" else re.escape(line) for line in expected.splitlines(keepends=True)
    )
    assert re.fullmatch(pattern, printed), f"{typed}\nprints\n{printed}\nand the page says\n{expected}"


def alike(text: str) -> str:
    """The text without what differs from run to run, such as the ids of mandates and requests, and codes of links."""
    return levelled(re.sub(r"\b(go|gl|mdt|req)_[\w…-]+", r"\1_…", text))

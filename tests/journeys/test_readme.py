"""README's story is a test: what it says to type is typed, and prints what it says is printed.

Blocks marked `sh` are the story, run in order by one shell; the `text` block after one is what it prints, up to ids,
hashes, addresses, times and block numbers. A line `…` there stands for any lines. Blocks marked `bash` need something
of the reader's own: those about a PostgreSQL and a node are run below with others' addresses in them.
"""

import asyncio
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from gateway import postgres
from gateway.access.credential import SCOPES
from gateway.api.app import ROUTES
from gateway.api.problems import INTERNAL, PROBLEMS
from gateway.config import SETTINGS
from tests.running import ROOT, Up, checkout, levelled, running_up, started

README = (ROOT / "README.md").read_text()

#: The marks, and what stands between, of every block.
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)

URL = "http://127.0.0.1:8000"


@pytest.fixture(scope="module")
def up() -> Iterator[Up]:
    """One of its own: the story's balances are those of a fresh start."""
    with running_up() as up:
        yield up


def story() -> Iterator[tuple[str, str]]:
    """Each block of the story, and what it prints."""
    for (mark, text), (mark_after, after) in zip(BLOCKS, [*BLOCKS[1:], ("", "")], strict=True):
        if mark == "sh":
            yield text, after if mark_after == "text" else ""


def test_up_prints_what_readme_shows(up: Up) -> None:
    api_url = up.place("api_url")
    shown = BLOCKS[1][1].replace(URL, api_url).replace("localhost:8000", f"localhost:{urlsplit(api_url).port}")

    assert_prints("".join(up.said), shown, up)


def test_the_story_goes_as_readme_tells_it(up: Up) -> None:
    blocks = list(story())
    script = "set +eu +o pipefail\nexec 2>&1\n" + "\necho '=== end of block'\n".join(typed for typed, _ in blocks)

    ran = up.sh(script.replace(URL, up.place("api_url")))

    printed = ran.stdout.split("=== end of block\n")
    assert len(printed) == len(blocks), ran.stdout[-2000:]
    for (typed, expected), got in zip(blocks, printed, strict=True):
        assert_prints(got, expected, up, typed)


def test_a_database_and_a_node_of_ones_own_take_the_commands_that_readme_gives(up: Up) -> None:
    (set_up,) = (text for mark, text in BLOCKS if mark == "bash" and "gateway migrate" in text)
    (run,) = (text for mark, text in BLOCKS if mark == "bash" and "gateway serve" in text)
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


def test_the_settings_are_those_of_the_configuration() -> None:
    rows = re.findall(r"^\| `(GATEWAY_\w+)` \| (?:`(.*?)`)? ?\| (.*) \|$", README, re.MULTILINE)

    assert rows == [(name, default, meaning) for name, default, meaning in SETTINGS]


def test_the_codes_are_those_of_the_api() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (\d{3}) \|", README, re.MULTILINE)

    assert set(rows) == {(problem.code, str(problem.status)) for problem in (*PROBLEMS.values(), INTERNAL)}
    assert len(rows) == len(set(rows))


def test_the_scopes_of_an_api_key_are_those_that_there_are() -> None:
    (table,) = re.findall(r"^\| scope \|.*\n\|.*\n((?:\|.*\n)+)", README, re.MULTILINE)
    assert re.findall(r"^\| `(\w+)` \| .+ \|$", table, re.MULTILINE) == [one for one in SCOPES if one != "owner"]
    for route in ROUTES:
        if route.opt["needs"] == "webhooks":  # the scope whose name alone does not say what it opens
            (path,) = route.paths
            assert f"`POST {path.replace(':str', '')}`" in table


def test_every_room_is_on_the_map() -> None:
    rooms = {path.parent.name for path in (ROOT / "gateway").glob("*/__init__.py")}
    files = {path.name for path in (ROOT / "gateway").glob("*.py")} - {"__init__.py"}

    (drawn,) = (text for mark, text in BLOCKS if mark == "text" and text.startswith("gateway/\n"))
    assert [name for name in sorted(rooms) if f"{name}/" not in drawn] == []
    assert [name for name in sorted(files) if name not in drawn] == []


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)

    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


async def create_database(url: str, name: str) -> None:
    async with postgres.connect(url, 1) as database, database.reading() as connection:
        await connection.execute(f"CREATE DATABASE {name}")


def named(url: str, name: str) -> str:
    """The same server's other database."""
    before, mark, query = url.partition("?")
    return f"{before.rpartition('/')[0]}/{name}{mark}{query}"


def assert_prints(printed: str, expected: str, up: Up, typed: str = "") -> None:
    """That the one is as the other says, a line `…` of which stands for any lines."""
    printed = levelled(printed.replace(str(up.folder), "/…"))
    pattern = "".join(
        r"(?:.*\n)*?" if line == "…\n" else re.escape(line) for line in levelled(expected).splitlines(keepends=True)
    )
    assert re.fullmatch(pattern, printed), f"{typed}\nprints\n{printed}\nand README says\n{levelled(expected)}"

"""The reference: what is generated is committed, and what is written by hand names what the code has."""

import re
import subprocess
from pathlib import Path

import pytest

from gateway.__main__ import cli
from gateway.api.app import ROUTES
from gateway.cli import reference
from gateway.config.settings import SETTINGS
from gateway.http.answer.descriptions import DESCRIPTIONS
from gateway.http.answer.problems import INTERNAL, PROBLEMS
from gateway.identity.credential import SCOPES
from gateway.ledger.account import KINDS
from gateway.payments.model.payment import _AFTER, State
from tests.running import ROOT

DOCS = ROOT / "gateway" / "docs"

CODES = {problem.code for problem in (*PROBLEMS.values(), INTERNAL)}


@pytest.fixture(scope="module")
def generated() -> dict[str, str]:
    return reference.pages(cli)


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def rows(name: str) -> list[list[str]]:
    """The cells of every line of every table of a page, without the heads."""
    lines = re.findall(r"^\|(.*)\|$", page(name), re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in lines if not line.startswith(" ---")]


@pytest.mark.parametrize("name", ["errors.md", "settings.md", "cli.md", "http.md", "events.md"])
def test_the_committed_page_is_what_the_code_says(generated: dict[str, str], name: str) -> None:
    assert page(f"reference/{name}") == generated[name], "run scripts/reference and commit what it writes"


def test_the_script_writes_every_generated_page(generated: dict[str, str], tmp_path: Path) -> None:
    subprocess.run([ROOT / "scripts" / "reference", tmp_path], check=True)

    assert {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()} == generated


def test_every_generated_page_is_held_to_the_code(generated: dict[str, str]) -> None:
    marked = {path.name for path in (DOCS / "reference").glob("*.md") if "scripts/reference" in path.read_text()}

    assert marked == generated.keys()


def test_every_code_has_a_meaning_and_a_section(generated: dict[str, str]) -> None:
    assert DESCRIPTIONS.keys() == CODES
    assert set(re.findall(r"^## `(\w+)`$", generated["errors.md"], re.MULTILINE)) == CODES


def test_every_setting_is_there(generated: dict[str, str]) -> None:
    rows = re.findall(r"^\| `(GATEWAY_\w+)` \|", generated["settings.md"], re.MULTILINE)
    assert rows == [name for name, _, _ in SETTINGS]


def test_every_command_is_there(generated: dict[str, str]) -> None:
    told = re.findall(r"^### `gateway ([\w -]+)`$", generated["cli.md"], re.MULTILINE)
    inner = {f"{name} {sub}" for name, command in cli.commands.items() for sub in getattr(command, "commands", {})}

    assert set(told) == cli.commands.keys() | inner
    assert len(told) == len(set(told))


def test_every_call_is_there(generated: dict[str, str]) -> None:
    calls = re.findall(r"^\| `(\w+) (/\S+)` \|", generated["http.md"], re.MULTILINE)

    assert len(calls) == len(set(calls)) == len(ROUTES)
    assert (
        "| `to`, `amount`, `asset`, `memo`?, `capture`?, `reference`?, `metadata`?, `request`? | pay \\* |"
        in generated["http.md"]
    )


def test_the_scopes_of_an_api_key_are_those_that_there_are() -> None:
    (table,) = re.findall(r"^\| scope \|.*\n\|.*\n((?:\|.*\n)+)", page("guides/api-keys.md"), re.MULTILINE)

    assert re.findall(r"^\| `(\w+)` \| .+ \|$", table, re.MULTILINE) == [one for one in SCOPES if one != "owner"]
    for route in ROUTES:
        if route.opt["needs"] == "webhooks":  # the scope whose name alone does not say what it opens
            (path,), (method,) = route.paths, route.http_methods - {"HEAD", "OPTIONS"}
            assert f"`{method} {path.replace(':str', '')}`" in table


def test_the_states_of_a_payment_and_what_follows_them_are_those_of_the_code() -> None:
    told = {
        cells[0].strip("`"): set(re.findall(r"`(\w+)`", cells[2])) for cells in rows("reference/payment-states.md")[1:]
    }

    assert told == {
        state.value: {next_one.value for (before, _), next_one in _AFTER.items() if before is state} for state in State
    }


def test_the_system_accounts_are_those_of_the_ledger() -> None:
    told = [kind for cells in rows("reference/system-accounts.md")[1:] for kind in re.findall(r"`(\w+):", cells[0])]

    assert sorted(told) == sorted(KINDS)

"""What the product tells people to type can be typed: the commands exist, and what is put into them is quoted."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import rich_click as click

from gateway.__main__ import cli
from gateway.api.app import ROUTES
from gateway.cli.pay_many.results import Outcome, Record
from gateway.cli.processes.start import _try_next
from gateway.config.environment import from_environment
from gateway.web.pages import PAGES
from tests.cli.test_output import commands
from tests.running import ROOT

#: Everything that prints something to a person.
FILES = [*(ROOT / "gateway").rglob("*.py"), *(ROOT / "scripts").glob("wallet*.py")]


def texts(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def test_whatever_is_put_into_a_printed_command_is_quoted_for_the_shell() -> None:
    typed = "|".join(sorted(names(), key=len, reverse=True))
    before_a_word = re.compile(rf"(({typed})( [a-z]+)?|chmod \d+| --(key|from|cursor)|GATEWAY_[A-Z_]+=) ?@?$")
    unquoted, quoted = [], 0
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            if not isinstance(node, ast.JoinedStr):
                continue
            for before, value in zip(node.values, node.values[1:], strict=False):
                if not (isinstance(before, ast.Constant) and isinstance(value, ast.FormattedValue)):
                    continue
                if before_a_word.search(str(before.value)):
                    if ast.unparse(value.value).startswith("for_shell(") or ast.unparse(value.value) == "id":
                        quoted += 1
                    else:
                        unquoted.append((file.name, str(before.value)[-40:], ast.unparse(value.value)))
    assert unquoted == []
    assert quoted >= 8


def test_what_to_try_next_names_a_home_of_any_name(tmp_path: Path) -> None:
    home = tmp_path / 'it\'s "my" $HOME'
    for line in _try_next(from_environment({"GATEWAY_HOME": str(home)}))[:3]:
        first, program, *_ = shlex.split(line)
        assert (first, program) == (f"GATEWAY_HOME={home}", ".venv/bin/gateway")


def names() -> set[str]:
    """Every command, as it is typed."""
    found = {typed for typed, _ in commands(cli, "gateway")}
    return found | {f"scripts/{file.name}" for file in (ROOT / "scripts").iterdir()}


def test_every_command_that_is_named_in_quotes_exists() -> None:
    there, named = names(), []
    for file in FILES:
        for text in texts(ast.parse(file.read_text())):
            named += [(file.name, one) for one in re.findall(r"'(gateway [a-z][a-z -]*|scripts/[a-z]+)", text)]
    assert len(named) > 8
    assert [one for one in named if not any(f"{one[1].strip()} ".startswith(f"{name} ") for name in there)] == []


def test_every_path_and_page_that_help_names_exists() -> None:
    served = {path for handler in [*ROUTES, *PAGES] for path in handler.paths} | {"/metrics"}  # on a port of its own
    shown = [str(command.help) for _, command in commands(cli, "gateway")] + [str(cli.help), str(cli.epilog)]
    shown += [
        str(option.help)
        for _, command in commands(cli, "gateway")
        for option in command.params
        if isinstance(option, click.Option)
    ]
    named = [path for text in shown for path in re.findall(r"(?:GET|PUT|POST|DELETE) (/\S*[a-z}])", text)]
    assert "/v1/policy" in named
    assert [path for path in named if path not in served] == []


@pytest.mark.parametrize(
    ("state", "outcome"), [("requires_confirmation", Outcome.WAITING), ("queued", Outcome.ACCEPTED)]
)
def test_a_payment_that_waits_for_its_payer_is_not_paid(state: str, outcome: Outcome) -> None:
    assert Record(2, "k", status="202", state=state).outcome is outcome

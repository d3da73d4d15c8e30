"""What others have written is printed as they wrote it, and does nothing where it is printed."""

import ast
import csv
import json
import logging
import unicodedata
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.escape import LogFormatter, for_csv, for_terminal, from_csv, json_for_terminal
from tests.running import ROOT

#: Clears the screen, sets the title, forges a line, turns the direction, and does so again with one-byte controls.
HOSTILE = "a\x1b[2J\x1b]0;b\x07\r\nc\u202ed\u2066e\u2028f\x85g\x9b31mh\x7fi\x00j\u200fk\U000e0041l\ud800"

ANY = st.text(st.characters())


def is_harmless(text: str) -> bool:
    """Nothing in it moves a cursor, ends a line or turns the direction."""
    bad = [one for one in text if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    return set(bad) <= {"\u200c", "\u200d"}


@given(ANY)
@example(HOSTILE)
def test_whatever_a_text_is_it_is_shown_in_one_line_and_once(text: str) -> None:
    shown = for_terminal(text)
    assert is_harmless(shown)
    assert for_terminal(shown) == shown


@pytest.mark.parametrize(
    "text", ["lunch 🍜", "Grüße, Ωmega", "שלום", "東京", "می\u200cخواهم", "👩\u200d👧", r"back\slash"]
)
def test_letters_of_every_script_stay_as_they_are(text: str) -> None:
    assert for_terminal(text) == text


def test_what_does_something_is_shown_by_its_number() -> None:
    assert for_terminal("a\x1b[2J\n\u202eb\u00a0c\U000e0041") == r"a\x1b[2J\n\u202eb c\U000e0041"


@given(st.recursive(ANY, lambda inner: st.lists(inner) | st.dictionaries(ANY, inner)))
def test_a_json_document_means_the_same_and_does_nothing(value: object) -> None:
    shown = json_for_terminal(value)
    assert json.loads(shown) == value
    assert all(map(is_harmless, shown.split("\n")))


@given(ANY)
@example('=HYPERLINK("http://evil.example")')
@example("'=1")
@example("''@SUM(1)")
def test_no_cell_is_a_formula_and_it_is_read_back_as_it_was(text: str) -> None:
    cell = for_csv(text)
    assert cell[:1] not in {*"=+-@\t\r"} or cell.removeprefix("@").isidentifier() or cell.removeprefix("@").isalnum()
    written = StringIO()
    csv.writer(written, lineterminator="\n").writerow([cell])
    assert written.getvalue().count("\n") == 1
    assert from_csv(cell) == for_terminal(text)


def test_a_handle_is_a_cell_as_it_is() -> None:
    assert for_csv("@bob_1") == "@bob_1"
    assert for_csv("@bob()") == "'@bob()"


def test_a_line_of_a_log_is_one_that_we_have_begun() -> None:
    try:
        raise ValueError(HOSTILE)
    except ValueError as error:
        info = (ValueError, error, error.__traceback__)
        record = logging.LogRecord("gateway", logging.ERROR, "here.py", 1, "failed: %s", (HOSTILE,), info)
    first, *rest = LogFormatter("%(levelname)s %(message)s").format(record).split("\n")
    assert first.startswith("ERROR failed: a\\x1b[2J")
    assert all(map(is_harmless, [first, *rest]))


def test_commands_print_through_the_one_function_that_escapes() -> None:
    """Every file of the command line and of scripts/wallet; click's own usage errors and progress aside."""
    files = [
        *(ROOT / "gateway/cli").rglob("*.py"),
        ROOT / "gateway/__main__.py",
        *(ROOT / "scripts").glob("wallet*.py"),
    ]
    printed = {str(file.relative_to(ROOT)): _printing(file) for file in files}
    assert {name: calls for name, calls in printed.items() if calls} == {
        "gateway/cli/wallet/calls.py": ["click.echo", "click.echo"],  # `say` itself, and JSON
        "gateway/cli/processes/process.py": ["print"],  # what the two processes say of themselves
        "gateway/cli/processes/serve.py": ["print"],
        "gateway/cli/processes/work.py": ["print"],
    }


def _printing(file: Path) -> list[str]:
    """The calls in a file that print something."""
    calls = [ast.unparse(node.func) for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    return [
        call
        for call in calls
        if call in ("print", "click.echo", "click.secho") or (call.endswith(".write") and call.startswith("sys."))
    ]

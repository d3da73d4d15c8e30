"""SECURITY.md names tests that there are, and a mutation takes the defence of each row out."""

import re
import sys

from tests.running import ROOT

sys.path.append(str(ROOT / "scripts"))  # what is there lies beside the product, not in it

import mutations

#: The tests of each row of the table.
ROWS = [
    re.findall(r"`(test_\w+)`", line)
    for line in (ROOT / "SECURITY.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and "`test_" in line
]


def test_every_test_that_the_security_table_names_is_there() -> None:
    there = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)\(", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(ROWS) > 30
    assert {name for row in ROWS for name in row} - there == set()


def test_a_test_of_each_row_of_the_security_table_fails_without_the_defence() -> None:
    """scripts/mutate sees that it does. What calls every route looks for faults, and is a defence itself."""
    red = {test.partition("::")[2] for mutation in mutations.load() for test in mutation.tests}
    missing = [row for row in ROWS if red.isdisjoint(row)]
    assert missing == [["test_every_call_is_answered_as_the_document_says"]]

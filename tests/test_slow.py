"""Which tests `scripts/test --fast` leaves out."""

import subprocess
import sys

from tests.running import ROOT
from tests.slow import SLOW, TESTS, is_slow, rank


def test_what_is_slow_is_there_and_named_once() -> None:
    assert [path for path in SLOW if not path.exists()] == []
    assert [path for path in SLOW if any(other in path.parents for other in SLOW)] == []


def test_the_first_named_come_first_and_all_others_last() -> None:
    first, second = SLOW[0], SLOW[1]

    assert rank(first / "test_it.py") < rank(second / "test_it.py") < rank(TESTS / "test_money.py")
    assert not is_slow(TESTS / "test_money.py")


def test_fast_leaves_out_what_is_slow_and_nothing_else() -> None:
    paths = [TESTS / "contracts", TESTS / "events", TESTS / "test_ids.py"]
    argv = [sys.executable, "-P", "-m", "pytest", "--collect-only", "-qq", "--fast", *map(str, paths)]
    said = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    collected = {ROOT / line.partition(": ")[0] for line in said.splitlines() if line.startswith("tests/")}

    assert collected == {TESTS / "test_ids.py", *(TESTS / "events").glob("test_*.py")} - set(SLOW)

"""Every mutation of scripts/mutations.toml applies to today's text, and its tests are there."""

import re
import sys
from pathlib import Path

import pytest

from tests.running import ROOT

sys.path.append(str(ROOT / "scripts"))  # what is there lies beside the product, not in it

import mutations
from mutations import Mutation

MUTATIONS = mutations.load()


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_applies_once_to_what_is_in_force_and_its_tests_are_there(mutation: Mutation) -> None:
    assert not mutation.file.startswith("gateway/migrations/"), "no new database is made from it"
    text = (ROOT / mutation.file).read_text(encoding="utf-8")
    assert text.count(mutation.old) == 1
    assert mutation.old != mutation.new

    assert mutation.tests
    for test in mutation.tests:
        file, _, name = test.partition("::")
        assert re.search(rf"\b(def|function) {name}\b", (ROOT / file).read_text(encoding="utf-8")), test


def test_each_mutation_has_a_name_of_its_own_and_there_are_enough() -> None:
    assert len({mutation.name for mutation in MUTATIONS}) == len(MUTATIONS) >= 60


def test_a_mutation_that_does_not_apply_once_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a a")

    with pytest.raises(ValueError, match="has 'a' 2 times"):
        Mutation("twice", "", "file", "a", "b", ("test",)).apply(tmp_path)

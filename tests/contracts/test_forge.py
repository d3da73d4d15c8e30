# SPDX-License-Identifier: Apache-2.0
"""The contract's own tests, in contracts/test, run by forge: all at once, as it asks its compiler first each time."""

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import COMPILING_SECONDS, CONTRACTS

pytestmark = pytest.mark.timeout(COMPILING_SECONDS)

FILES = sorted(path.name for path in (CONTRACTS / "test").glob("*.t.sol"))


@pytest.fixture(scope="module")
def run(built: Callable[..., str]) -> dict[str, list[Any]]:
    """What forge found, by file."""
    found = defaultdict[str, list[Any]](list)
    for suite, said in json.loads(built("test", "--json", "--allow-failure")).items():
        found[suite.partition(":")[0].removeprefix("test/")] += said["test_results"].values()
    return found


@pytest.mark.parametrize("file", FILES)
def test_every_forge_test_passes_and_none_is_skipped(run: dict[str, list[Any]], file: str) -> None:
    assert len(run[file]) > 0
    assert [test for test in run[file] if test["status"] != "Success"] == []

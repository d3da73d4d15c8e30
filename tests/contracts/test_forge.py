# SPDX-License-Identifier: Apache-2.0
"""The contract's own tests, in contracts/test, run by forge: a file at a time, all compiled once (conftest.py)."""

import json
from collections.abc import Callable

import pytest

from .conftest import COMPILING_SECONDS, CONTRACTS

pytestmark = pytest.mark.timeout(COMPILING_SECONDS)

FILES = sorted(path.name for path in (CONTRACTS / "test").glob("*.t.sol"))


@pytest.mark.parametrize("file", FILES)
def test_every_forge_test_passes_and_none_is_skipped(built: Callable[..., str], file: str) -> None:
    suites = json.loads(built("test", "--json", "--match-path", f"test/{file}"))

    statuses = [test["status"] for suite in suites.values() for test in suite["test_results"].values()]
    assert len(statuses) > 0
    assert set(statuses) == {"Success"}

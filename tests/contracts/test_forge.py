# SPDX-License-Identifier: Apache-2.0
"""The contract's own tests, in contracts/test, run by forge."""

import json
from collections.abc import Callable


def test_every_forge_test_passes_and_none_is_skipped(forge: Callable[..., str]) -> None:
    suites = json.loads(forge("test", "--json"))

    statuses = [test["status"] for suite in suites.values() for test in suite["test_results"].values()]
    assert len(statuses) > 0
    assert set(statuses) == {"Success"}

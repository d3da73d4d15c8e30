"""sizes, against a running `up`, and how it reads."""

import json

from gateway.cli.operate import printout
from tests.running import Up


def test_sizes_names_every_table_and_says_whether_memory_is_enough(up: Up) -> None:
    found, as_json = up.gateway("sizes"), json.loads(up.gateway("sizes", "--json").stdout)

    assert found.returncode == 0, found.stderr
    tables = {one["name"] for one in as_json["tables"]}
    assert {"ledger_payment", "staged_payment", "transfer", "idempotency_key", "logged_event"} <= tables
    account = next(one for one in as_json["tables"] if one["name"] == "account")
    assert as_json["working_set_bytes"] > account["index_bytes"]
    assert found.stdout.splitlines()[-1].endswith("; it fits")


def test_what_does_not_fit_is_said_with_what_to_do() -> None:
    large = {"name": "transfer", "rows": 100_000_000, "table_bytes": 12 * 2**30, "index_bytes": 5 * 2**30}

    lines = printout.sizes_lines({"tables": [large], "working_set_bytes": 9 * 2**30, "cache_bytes": 2**31})

    assert lines[1].split() == ["transfer", "100,000,000", "12.0", "GiB", "5.0", "GiB"]
    assert lines[-1].endswith("give PostgreSQL more shared_buffers")

"""schemathesis reads /openapi.json and calls everything in it, as it may be and as it may not: no answer is a fault of
ours, and each is in the document. What it draws is the same in every run.
"""

import os
import re
import subprocess
from collections.abc import Iterator

import httpx
import pytest

from tests.processes import HANG_SECONDS
from tests.running import ROOT, Up, started

SCHEMATHESIS = ROOT / ".venv" / "checks" / "bin" / "schemathesis"

#: What is looked at in every answer. Not that whatever breaks a schema is refused with one of the usual statuses, since
#: a body can be too large.
CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance"),
    *("response_headers_conformance", "ignored_auth", "missing_required_header", "unsupported_method"),
    *("use_after_free", "ensure_resource_availability"),
)

#: Whoever calls these has a frozen wallet, which most other calls would then say and nothing else.
FREEZING = "report-unauthorized|unfreeze"

#: How it sends lines of JSON, which it does not know by itself.
LINES = """
import json
import schemathesis

@schemathesis.serializer("application/x-ndjson")
def lines(_context, value):
    return (json.dumps(value) + "\\n").encode()
"""

#: A stream has no end: schemathesis reads it until it has twenty events, or for all of its request timeout, in seconds.
STREAM = """
[[operations]]
include-name = "GET /v1/events/stream"
request-timeout = 10
"""


@pytest.fixture(scope="module")
def url(up: Up) -> Iterator[str]:
    """A gateway over the same database that does not mind how much is tried."""
    settings = "export GATEWAY_PORT=0 GATEWAY_TRIES_PER_MINUTE=1000000 GATEWAY_SIGN_UPS_PER_HOUR=1000000\n"
    with started(up.folder, settings + ".venv/bin/gateway serve") as said:
        yield said.rpartition(" ")[2].strip()


def called(up: Up, url: str, handle: str, *which: str) -> int:
    """Every call of those, by somebody with money; of how many routes they were."""
    up.someone(handle, EUR="1000.00", USD="1000.00", JPY="1000")
    key = (up.home / "keys" / handle).read_text().strip()
    (up.folder / "lines.py").write_text(LINES)
    (up.folder / "schemathesis.toml").write_text(STREAM)
    ran = subprocess.run(
        [
            *(SCHEMATHESIS, "run", f"{url}/openapi.json", "--header", f"Authorization: Bearer {key}", "--no-color"),
            *("--seed", "1", "--max-examples", "10", "--phases", "examples,coverage,fuzzing", "--warnings", "off"),
            *("--workers", "2", "--checks", ",".join(CHECKS), "--request-timeout", str(HANG_SECONDS), *which),
        ],
        cwd=up.folder,
        env=os.environ | {"SCHEMATHESIS_HOOKS": "lines", "PYTHONPATH": str(up.folder)},
        capture_output=True,
        text=True,
        timeout=6 * HANG_SECONDS,
    )
    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr[-2000:]
    tested = re.search(r"Tested: (\d+)", ran.stdout)
    assert tested is not None, ran.stdout[-5000:]
    return int(tested[1])


@pytest.mark.timeout(7 * HANG_SECONDS)  # minutes, where three processes share a slow machine
def test_every_call_is_answered_as_the_document_says(up: Up, url: str) -> None:
    tested = called(up, url, "caller_of_all", "--exclude-path-regex", FREEZING)
    tested += called(up, url, "caller_who_freezes", "--include-path-regex", FREEZING)

    document = httpx.get(f"{url}/openapi.json").json()
    assert tested == sum(map(len, document["paths"].values()))
    assert up.gateway("reconcile").stdout.endswith("no difference\n")

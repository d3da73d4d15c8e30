"""Prometheus asks a gateway and a worker that have each picked a port."""

import re

import httpx

from tests.processes import HANG_SECONDS
from tests.running import Up


def test_where_each_process_picks_a_port_its_log_says_which(up: Up) -> None:
    logs = up.home / "log"
    assert f"the logs in {logs} say where each process has its metrics" in "".join(up.said)
    for name, of in (("http-server", "gateway_ready"), ("worker", "gateway_ledger_block_age_seconds")):
        port = re.findall(r"metrics at http://127\.0\.0\.1:(\d+)/metrics", (logs / f"{name}.log").read_text())[-1]
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=HANG_SECONDS, trust_env=False)
        assert answer.status_code == 200
        assert f"\n{of} " in answer.text

"""Prometheus asks a gateway and a worker that `up` has started, each on its own port."""

import re

import httpx
from prometheus_client.parser import text_string_to_metric_families

from gateway.cli.processes.ports import free_port
from gateway.metrics.catalogue import METRICS
from tests.processes import HANG_SECONDS
from tests.running import running_up


def asked(port: int) -> tuple[set[str], dict[str, float]]:
    """The families that are there, and the values of those without labels."""
    answer = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=HANG_SECONDS, trust_env=False)
    assert answer.status_code == 200
    families = list(text_string_to_metric_families(answer.text))
    names = {f"{family.name}_total" if family.type == "counter" else family.name for family in families}
    return names, {one.name: one.value for family in families for one in family.samples if not one.labels}


def test_each_process_tells_what_the_catalogue_says_of_it() -> None:
    port = free_port("127.0.0.1")
    with running_up(GATEWAY_METRICS_PORT=str(port)) as up:
        served, of_server = asked(port)
        worked, of_worker = asked(port + 1)

    assert {metric.name for metric in METRICS if metric.of != "work"} <= served
    assert {metric.name for metric in METRICS if metric.of != "serve"} <= worked
    assert [of_server[name] for name in ("gateway_ready", "gateway_node_up", "gateway_workers_late")] == [1, 1, 0]
    assert of_worker["gateway_ledger_block_age_seconds"] < HANG_SECONDS
    at = "the server's metrics are at {}/metrics, the worker's at {}/metrics"
    assert at.format(f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1}") in "".join(up.said)


def test_where_each_process_picks_a_port_its_log_says_which() -> None:
    with running_up(GATEWAY_METRICS_PORT="0") as up:
        logs = up.home / "log"
        assert f"the logs in {logs} say where each process has its metrics" in "".join(up.said)
        for name in ("http-server", "worker"):
            (port,) = re.findall(r"metrics at http://127\.0\.0\.1:(\d+)/metrics", (logs / f"{name}.log").read_text())
            assert asked(int(port))[0]

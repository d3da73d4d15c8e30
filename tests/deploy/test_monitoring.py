"""scripts/deploy: the alert rules and the dashboard name what the gateway exports, and promtool takes them.

Each alert is raised here by the series that it is for, in promtool's own simulation of Prometheus.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gateway.metrics.catalogue import BY_NAME
from tests.deploy.containerfile import DEPLOY

RULES = DEPLOY / "alerts.yaml"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "dashboard.json").read_text())

#: Expressions of the dashboard, with what Grafana puts in before it asks.
EXPRESSIONS = [
    target["expr"].replace("$__rate_interval", "5m") for one in DASHBOARD["panels"] for target in one.get("targets", [])
]

ALERTS = re.findall(r"- alert: (\w+)", RULES.read_text())

#: For each alert, series that raise it, minute by minute, and others in whose place it is silent.
RAISED: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "GatewayTakesNoPayments": ({"gateway_ready": "0x30"}, {"gateway_ready": "1x30"}),
    "GatewayNotReady": ({"gateway_ready": "0x30"}, {"gateway_ready": "1x30"}),
    "GatewayFails": (
        {
            'gateway_http_requests_total{status="200"}': "0+90x30",
            'gateway_http_requests_total{status="503"}': "0+10x30",
        },
        {
            'gateway_http_requests_total{status="200"}': "0+90x30",
            'gateway_http_requests_total{status="409"}': "0+10x30",
        },
    ),
    "GatewaySlow": (
        {
            'gateway_http_request_duration_seconds_bucket{method="POST", route="/v1/payments", le="1.0"}': "0+1x30",
            'gateway_http_request_duration_seconds_bucket{method="POST", route="/v1/payments", le="2.5"}': "0+9x30",
            'gateway_http_request_duration_seconds_bucket{method="POST", route="/v1/payments", le="+Inf"}': "0+9x30",
        },
        {
            'gateway_http_request_duration_seconds_bucket{method="POST", route="/v1/payments", le="1.0"}': "0+9x30",
            'gateway_http_request_duration_seconds_bucket{method="POST", route="/v1/payments", le="+Inf"}': "0+9x30",
        },
    ),
    "GatewayDatabasePoolExhausted": (
        {'gateway_database_connections{state="use"}': "17x30", "gateway_database_connections_max": "17x30"},
        {'gateway_database_connections{state="use"}': "16x30", "gateway_database_connections_max": "17x30"},
    ),
    "GatewayEventStreamsCut": (
        {"gateway_event_streams_cut_total": "0+2x30"},
        {"gateway_event_streams_cut_total": "5x30"},
    ),
    "GatewayWebhooksLate": ({"gateway_webhook_overdue_seconds": "400x30"}, {"gateway_webhook_overdue_seconds": "9x30"}),
    "GatewayNotificationsLate": (
        {'gateway_notification_overdue_seconds{channel="email"}': "400x30"},
        {'gateway_notification_overdue_seconds{channel="email"}': "9x30"},
    ),
    "GatewayNotificationsFail": (
        {'gateway_notification_attempts_total{channel="email",outcome="timeout"}': "0+5x30"},
        {
            'gateway_notification_attempts_total{channel="email",outcome="timeout"}': "0+5x30",
            'gateway_notification_attempts_total{channel="email",outcome="sent"}': "0+1x30",
        },
    ),
    "GatewayNotificationsGivenUp": (
        {
            'gateway_notifications_total{channel="email",state="failed"}': "0+2x30",
            'gateway_notifications_total{channel="email",state="sent"}': "0+8x30",
        },
        {
            'gateway_notifications_total{channel="email",state="failed"}': "0+2x30",
            'gateway_notifications_total{channel="email",state="sent"}': "0+80x30",
        },
    ),
    "GatewayNotificationsWait": (
        {
            'gateway_notifications_waiting{channel="push"}': "101x30",
            'gateway_notifications_waiting_oldest_seconds{channel="push"}': "1900x30",
        },
        {
            'gateway_notifications_waiting{channel="push"}': "3x30",
            'gateway_notifications_waiting_oldest_seconds{channel="push"}': "1900x30",
        },
    ),
    "GatewayWorkerLate": ({"gateway_workers_late": "1x30"}, {"gateway_workers_late": "0x30"}),
    "GatewayJobFails": (
        {'gateway_worker_job_last_success_timestamp_seconds{job_name="relay"}': "0x30"},
        {'gateway_worker_job_last_success_timestamp_seconds{job_name="relay"}': "0+60x30"},
    ),
    "GatewayNodeDown": ({"gateway_node_up": "0x30"}, {"gateway_node_up": "1x30"}),
    "GatewayNodeBehind": ({"gateway_node_block_age_seconds": "500x30"}, {"gateway_node_block_age_seconds": "20x30"}),
    "GatewayLedgerBehind": (
        {"gateway_ledger_block_age_seconds": "2000x30"},
        {"gateway_ledger_block_age_seconds": "1200x30"},
    ),
    "GatewayTokenPaymentsWait": (
        {'gateway_token_payments_queued_oldest_seconds{asset="USDX"}': "400x30"},
        {'gateway_token_payments_queued_oldest_seconds{asset="USDX"}': "4x30"},
    ),
    "GatewayRelayerGasLow": (
        {'gateway_relayer_low{relayer="0x1"}': "1x30"},
        {'gateway_relayer_low{relayer="0x1"}': "0x30"},
    ),
    "GatewayRelayerStopped": (
        {'gateway_relayer_stopped{relayer="0x1"}': "1x30"},
        {'gateway_relayer_stopped{relayer="0x1"}': "0x30"},
    ),
    "GatewayDifference": (
        {'gateway_reconciliation_differences{asset="USDX", state="confirmed"}': "1x30"},
        {'gateway_reconciliation_differences{asset="USDX", state="suspected"}': "1x30"},
    ),
    "GatewayWithdrawalsFrozen": (
        {'gateway_withdrawals_frozen{asset="USDX"}': "1x30"},
        {'gateway_withdrawals_frozen{asset="USDX"}': "0x30"},
    ),
}


def named(text: str) -> set[str]:
    """The metrics that the text names; a histogram's by its own name."""
    found = set()
    for name in re.findall(r"\bgateway_[a-z_]+", text):
        plain = re.sub("_(bucket|sum|count)$", "", name)
        found.add(plain if plain in BY_NAME and BY_NAME[plain].type == "histogram" else name)
    return found


def promtool(*words: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["promtool", *map(str, words)], capture_output=True, text=True, check=False)


def in_promtool(folder: Path, alert: str, series: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """A simulation of half an hour, at whose end the alert is expected not to be raised."""
    simulated = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in series.items()],
                "alert_rule_test": [{"eval_time": "25m", "alertname": alert, "exp_alerts": []}],
            }
        ],
    }
    file = folder / "test.yaml"
    file.write_text(json.dumps(simulated))  # JSON is YAML
    return promtool("test", "rules", file)


def test_what_the_rules_name_is_exported() -> None:
    assert named(RULES.read_text()) - BY_NAME.keys() == set()


def test_what_the_dashboard_names_is_exported() -> None:
    assert named(" ".join(EXPRESSIONS)) - BY_NAME.keys() == set()


def test_every_metric_but_a_few_is_on_the_dashboard_or_in_a_rule() -> None:
    shown = named(RULES.read_text() + " ".join(EXPRESSIONS))
    assert BY_NAME.keys() - shown == {
        *("gateway_build_info", "gateway_node_block_number", "gateway_ledger_block_number"),
        *("gateway_relayer_oldest_not_final_seconds", "gateway_webhook_endpoints", "gateway_webhook_log_lag_events"),
        "gateway_notification_log_lag_events",
    }


def test_promtool_takes_the_rules() -> None:
    checked = promtool("check", "rules", "--lint=all", RULES)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_promtool_takes_every_expression_of_the_dashboard(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{n}", "expr": one} for n, one in enumerate(EXPRESSIONS)]
    file = tmp_path / "rules.yaml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))

    checked = promtool("check", "rules", file)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_each_alert_is_tried() -> None:
    assert list(RAISED) == ALERTS


@pytest.mark.parametrize("alert", RAISED)
def test_an_alert_is_raised_by_what_it_is_for_and_by_nothing_less(tmp_path: Path, alert: str) -> None:
    wrong, right = RAISED[alert]
    raised, silent = in_promtool(tmp_path, alert, wrong), in_promtool(tmp_path, alert, right)

    assert raised.returncode == 1, "it was not raised"
    assert f"alertname: {alert}" in raised.stdout + raised.stderr
    assert silent.returncode == 0, silent.stdout + silent.stderr


def test_panels_do_not_lie_upon_each_other() -> None:
    cells = [
        (x, y)
        for one in DASHBOARD["panels"]
        for place in [one["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert len({one["id"] for one in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])

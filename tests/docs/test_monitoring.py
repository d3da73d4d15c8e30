"""The page about monitoring says what the code does."""

import re
from pathlib import Path

from gateway.metrics.catalogue import METRICS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "gateway/docs/operate/monitoring.md").read_text(encoding="utf-8")


def test_the_table_has_every_metric_as_the_catalogue_says() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `gateway_")]

    assert rows == [
        f"| `{one.name}` | {one.type} | {', '.join(f'`{label}`' for label in one.labels)} | {one.of} | {one.help} |"
        for one in METRICS
    ]


def test_every_alert_has_its_severity_and_what_to_do() -> None:
    rules = (ROOT / "scripts/deploy/alerts.yaml").read_text(encoding="utf-8")
    alerts = re.findall(r"- alert: (\w+)\n.*?severity: (\w+)", rules, re.DOTALL)

    assert re.findall(r"^\| `(Gateway\w+)` \| (\w+) \| .+ \|$", PAGE, re.MULTILINE) == alerts

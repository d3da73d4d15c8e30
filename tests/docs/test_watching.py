"""The page about watching says what the code does."""

from pathlib import Path

from gateway.metrics.catalogue import METRICS

PAGE = (Path(__file__).resolve().parents[2] / "gateway/docs/operate/watching.md").read_text(encoding="utf-8")


def test_the_table_has_every_metric_as_the_catalogue_says() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| `gateway_")]

    assert rows == [
        f"| `{one.name}` | {one.type} | {', '.join(f'`{label}`' for label in one.labels)} | {one.of} | {one.help} |"
        for one in METRICS
    ]

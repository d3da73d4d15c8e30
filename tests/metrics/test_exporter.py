"""What is answered to Prometheus, over an exporter of the test's own."""

import asyncio
import re

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import exporter as exporting
from gateway.metrics.catalogue import METRICS
from gateway.metrics.exporter import Exporter, by_label, single
from gateway.metrics.histogram import Histogram
from tests.processes import HANG_SECONDS

pytestmark = pytest.mark.anyio


async def scrape(exporter: Exporter, path: str = "/metrics", method: str = "GET") -> httpx.Response:
    transport = httpx.ASGITransport(app=exporter)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
        return await client.request(method, path)


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Values by name and labels' values."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_every_type_is_answered_in_prometheus_own_format() -> None:
    histogram = Histogram((1.0, 2.0))
    histogram.observe(2.0)
    exporter = Exporter("1.2.3")
    exporter.register("gateway_rate_limited_total", lambda: by_label({"guesses": 3}))
    exporter.register("gateway_group_size", lambda: single(histogram, "refunds"))
    exporter.register("gateway_event_streams", lambda: single(7))

    answer = await scrape(exporter)

    assert answer.headers["content-type"].startswith("text/plain")
    found = samples(answer.text)
    assert found["gateway_build_info", "1.2.3"] == 1
    assert found["gateway_rate_limited_total", "guesses"] == 3
    assert found["gateway_event_streams",] == 7
    assert [found["gateway_group_size_bucket", "refunds", le] for le in ("1.0", "2.0", "+Inf")] == [0, 1, 1]
    assert (found["gateway_group_size_sum", "refunds"], found["gateway_group_size_count", "refunds"]) == (2, 1)
    assert ("process_resident_memory_bytes",) in found


@pytest.mark.parametrize(("path", "method", "status"), [("/", "GET", 404), ("/metrics", "POST", 405)])
async def test_nothing_else_is_answered(path: str, method: str, status: int) -> None:
    assert (await scrape(Exporter("1"), path, method)).status_code == status


async def test_counters_are_answered_while_what_is_read_for_them_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "_REFRESH_SECONDS", 0.01)
    exporter, hangs = Exporter("1"), asyncio.Event()

    async def hang() -> None:
        await hangs.wait()

    exporter.refreshing(hang)
    exporter.register("gateway_event_streams", lambda: single(7))

    async with asyncio.timeout(HANG_SECONDS / 10):
        assert samples((await scrape(exporter)).text)["gateway_event_streams",] == 7


def test_two_exporters_of_a_process_know_nothing_of_each_other() -> None:
    one, other = Exporter("1"), Exporter("1")
    one.register("gateway_event_streams", lambda: single(7))

    assert other.names == {"gateway_build_info"}


def test_a_metric_is_of_the_catalogue_and_has_one_reader() -> None:
    exporter = Exporter("1")
    with pytest.raises(AssertionError, match="gateway_build_info is registered twice"):
        exporter.register("gateway_build_info", lambda: single(7))
    with pytest.raises(AssertionError, match="gateway_else is not in the catalogue"):
        exporter.register("gateway_else", lambda: single(7))


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_names_follow_the_conventions_of_prometheus(metric: object) -> None:
    name, kind, labels = metric.name, metric.type, metric.labels  # type: ignore[attr-defined]
    assert re.fullmatch(r"gateway_[a-z]+(_[a-z]+)*", name)
    assert name.endswith("_total") == (kind == "counter")
    assert not name.endswith(("_bucket", "_count", "_sum", "_milliseconds"))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", label) and label not in ("le", "job", "instance") for label in labels)

"""Exports the metrics: reads them at each scrape, and encodes them for Prometheus.

`GET /metrics` is a separate ASGI application, which cli/processes/process.py serves on its own port. Values that come
from the database or the node are read by the functions given to `refreshing`, within `_REFRESH_SECONDS`. If one hangs,
the counters are answered all the same, and a value that could not be read is left out instead of shown out of date.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeVar

from prometheus_client import CollectorRegistry, ProcessCollector, make_asgi_app
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.core import (
    Metric as Family,
)
from prometheus_client.registry import Collector

from gateway.metrics.catalogue import BY_NAME, METRICS
from gateway.metrics.histogram import Histogram

log = logging.getLogger(__name__)

#: Values, each with its labels' values in the order of the catalogue.
Samples = Iterable[tuple[tuple[str, ...], float | Histogram]]

Label = TypeVar("Label", bound=str)

#: Prometheus' own timeout is ten seconds by default.
_REFRESH_SECONDS: Final = 2.5


class Exporter(Collector):
    """The metrics of one process. It is built once; modules with metrics register them by `register`."""

    def __init__(self, version: str) -> None:
        self._readers: dict[str, Callable[[], Samples]] = {}
        self._refreshing: list[Callable[[], Awaitable[None]]] = []
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)
        self._encode = make_asgi_app(self._registry)
        self.register("gateway_build_info", lambda: single(1, version))

    def register(self, name: str, read: Callable[[], Samples]) -> None:
        """Export a metric of the catalogue: `read` is called at each scrape."""
        assert name in BY_NAME, f"{name} is not in the catalogue"
        assert name not in self._readers, f"{name} is registered twice"
        self._readers[name] = read

    def refreshing(self, refresh: Callable[[], Awaitable[None]]) -> None:
        """Call `refresh` before each answer."""
        self._refreshing.append(refresh)

    @property
    def names(self) -> set[str]:
        """The metrics that are exported."""
        return set(self._readers)

    def collect(self) -> Iterator[Family]:
        """The families, in the order of the catalogue (prometheus_client's protocol)."""
        for metric in METRICS:
            if metric.name in self._readers:
                yield _family(metric.name, self._readers[metric.name]())

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """An ASGI request."""
        if scope["type"] != "http":
            return
        if scope["path"] != "/metrics" or scope["method"] not in ("GET", "HEAD"):
            status = 405 if scope["path"] == "/metrics" else 404
            headers = [(b"content-length", b"0"), *([(b"allow", b"GET, HEAD")] if status == 405 else [])]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        await asyncio.gather(*(self._refresh(refresh) for refresh in self._refreshing))
        await self._encode(scope, receive, send)

    async def _refresh(self, refresh: Callable[[], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(_REFRESH_SECONDS):
                await refresh()
        except TimeoutError:
            log.warning("some metrics could not be read within %g s and are left out", _REFRESH_SECONDS)


def single(value: float | Histogram, *labels: str) -> Samples:
    """A single value."""
    return [(labels, value)]


def by_label(values: Mapping[Label, float]) -> Samples:
    """Values of a metric with one label."""
    return [((label,), value) for label, value in values.items()]


def _family(name: str, samples: Samples) -> Family:
    metric = BY_NAME[name]
    family: CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
    if metric.type == "histogram":
        family = HistogramMetricFamily(name, metric.help, labels=metric.labels)
    elif metric.type == "counter":
        family = CounterMetricFamily(name, metric.help, labels=metric.labels)
    else:
        family = GaugeMetricFamily(name, metric.help, labels=metric.labels)
    for labels, value in list(samples):
        if isinstance(family, HistogramMetricFamily):
            assert isinstance(value, Histogram)
            family.add_metric(labels, list(value.buckets()), value.sum)
        else:
            assert not isinstance(value, Histogram)
            family.add_metric(labels, value)
    return family

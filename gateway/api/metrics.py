"""The metrics of a server (metrics/catalogue.py)."""

from gateway.api.methods import Gateway
from gateway.api.payments.payments import Ends, Payments, Refunds
from gateway.errors import GatewayError
from gateway.events import log
from gateway.events.hub import Hub
from gateway.http.callers import Callers
from gateway.http.services import Services
from gateway.metrics.exporter import Exporter, Samples, by_label, single
from gateway.reconciliation.readiness import Probe, Readiness


def export(exporter: Exporter, gateway: Gateway) -> None:
    """Register this application's metrics."""
    services: Services = gateway.state.services
    hub: Hub = gateway.state.hub
    exporter.register("gateway_http_requests_total", gateway.traffic.requests)
    exporter.register("gateway_http_request_duration_seconds", gateway.traffic.seconds)
    exporter.register("gateway_payments_total", gateway.traffic.payments)
    exporter.register("gateway_group_size", lambda: _groups(gateway))
    exporter.register("gateway_rate_limited_total", lambda: by_label(services.limits.refused))
    exporter.register("gateway_event_streams", lambda: single(hub.count))
    exporter.register("gateway_event_streams_cut_total", lambda: single(hub.cut_count))
    _Health(services, gateway.state.probe).export(exporter)


def _groups(gateway: Gateway) -> Samples:
    """The groups of the fast path and of the callers' look-ups; `ordinary_` are those of the handlers."""
    callers: Callers = gateway.state.callers
    payments: Payments = gateway.state.payments
    ends: Ends = gateway.state.ends
    refunds: Refunds = gateway.state.refunds
    sizes = {
        **gateway.fast_payments.sizes(),
        **callers.sizes(),
        "ordinary_payments": payments.sizes,
        "ordinary_captures_and_voids": ends.sizes,
        "ordinary_refunds": refunds.sizes,
    }
    return [((name,), histogram) for name, histogram in sizes.items()]


class _Health:
    """The values of /health/ready. Unknown values are not exported."""

    def __init__(self, services: Services, probe: Probe) -> None:
        self._services, self._probe = services, probe
        self._found: Readiness | None = None
        self._position: int | None = None

    def export(self, exporter: Exporter) -> None:
        exporter.refreshing(self.refresh)
        stopping = self._services.stopping
        exporter.register("gateway_ready", lambda: single(self._found is not None and not stopping.is_set()))
        exporter.register("gateway_database_up", lambda: single(self._position is not None))
        exporter.register(
            "gateway_event_log_position", lambda: [] if self._position is None else single(self._position)
        )
        exporter.register("gateway_node_up", lambda: [] if self._found is None else single(self._found.node == "ok"))
        exporter.register(
            "gateway_workers_late", lambda: [] if self._found is None else single(self._found.worker != "ok")
        )

    async def refresh(self) -> None:
        self._found = self._position = None
        try:
            self._found = await self._probe.readiness()
            async with self._services.database.reading(answers=False) as connection:
                self._position = await log.last(connection)
        except GatewayError:
            return  # the values that were read so far are exported

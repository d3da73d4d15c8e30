"""Sends spans by OTLP over HTTP (protobuf), with OpenTelemetry's exporter and queue, from a thread of its own.

A collector that is slow or unavailable costs spans, and nothing else: the queue is bounded, putting a span into it
never waits, and at the end of the process the rest has a few seconds. It is logged once when spans cannot be sent, and
once when they can be again. Headers and certificates for the collector are set by the exporter's own variables
(`OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_EXPORTER_OTLP_CERTIFICATE`, …), further attributes by `OTEL_RESOURCE_ATTRIBUTES`.
"""

import logging
import threading
from collections.abc import Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from gateway.tracing.ids import Context
from gateway.tracing.span import Span

log = logging.getLogger(__name__)

#: The most spans in the queue; further ones are dropped. One takes about a kilobyte.
_QUEUE_MAX: Final = 8192

#: How many are encoded at once: payments wait for the interpreter meanwhile.
_BATCH_MAX: Final = 128

#: How often they are sent, how long one try may take, and how long the rest has at the end; in seconds.
_EVERY, _TRY, _END = 1.0, 5.0, 2.0

_KINDS: Final = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "internal": SpanKind.INTERNAL}
_SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)


class Exporter:
    """Sends spans. Built once per process; call `close` before it ends."""

    def __init__(self, url: str, process: str, version: str) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # otherwise each failed try would be a line
        self._resource = Resource.create({"service.name": f"gateway-{process}", "service.version": version})
        self._scope = InstrumentationScope("gateway", version)
        self._sender = _FailureLog(OTLPSpanExporter(url, timeout=_TRY))
        self._queue = BatchSpanProcessor(
            self._sender,
            max_queue_size=_QUEUE_MAX,
            schedule_delay_millis=_EVERY * 1000,
            max_export_batch_size=_BATCH_MAX,
        )

    def record(self, span: Span) -> None:
        """Queue a span."""
        error = Status(StatusCode.ERROR, span.error) if span.error is not None else Status(StatusCode.UNSET)
        self._queue.on_end(
            ReadableSpan(
                span.name,
                context=_context(span.context),
                parent=None if span.parent is None else _context(span.parent),
                resource=self._resource,
                attributes=span.attributes,
                links=[Link(_context(link)) for link in span.links],
                kind=_KINDS[span.kind],
                status=error,
                start_time=int(span.start * 1e9),
                end_time=int(span.end * 1e9),
                instrumentation_scope=self._scope,
            )
        )

    def close(self) -> None:
        """Send the rest, for a few seconds. It blocks."""
        flushing = threading.Thread(target=self._queue.force_flush, daemon=True)
        flushing.start()
        flushing.join(_END)
        if flushing.is_alive():
            log.warning("the last traces were not sent: the collector did not take them within %g s", _END)
            self._sender.shutdown()  # its threads end with the process
        else:
            self._queue.shutdown()  # type: ignore[no-untyped-call] # the SDK leaves it out


class _FailureLog(SpanExporter):
    """Logs when sending begins to fail, and when it works again."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._fails = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        fails = result is not SpanExportResult.SUCCESS
        if fails and not self._fails:
            log.warning(
                "traces cannot be sent and are dropped: see whether a collector takes OTLP over HTTP at "
                "GATEWAY_TRACES_URL"
            )
        elif self._fails and not fails:
            log.info("traces are sent again")
        self._fails = fails
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()


def _context(context: Context) -> SpanContext:
    return SpanContext(context.trace, context.span, is_remote=False, trace_flags=_SAMPLED)

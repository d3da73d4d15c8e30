"""A collector of traces: an HTTP server that takes OTLP as protobuf and keeps what it was sent."""

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent

from tests.processes import HANG_SECONDS

KINDS = {Sent.SPAN_KIND_SERVER: "server", Sent.SPAN_KIND_CLIENT: "client", Sent.SPAN_KIND_INTERNAL: "internal"}


@dataclass(frozen=True)
class Seen:
    """A span that came, with its ids in hex."""

    service: str
    name: str
    trace: str
    span: str
    parent: str
    kind: str
    start: int
    end: int
    attributes: dict[str, str | int]
    links: list[tuple[str, str]]
    error: str | None


@dataclass
class Collector:
    """What came, in the order in which it did."""

    url: str = ""
    spans: list[Seen] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    came: threading.Condition = field(default_factory=threading.Condition)

    def take(self, body: bytes) -> None:
        with self.came:
            self.bodies.append(body)
            self.spans += _seen(body)
            self.came.notify_all()

    def until(self, true: Callable[[list[Seen]], bool]) -> list[Seen]:
        """The spans, once this is true of them."""
        with self.came:
            assert self.came.wait_for(lambda: true(self.spans), HANG_SECONDS), self.spans
            return list(self.spans)


@contextmanager
def collecting(respond: Callable[[], int] = lambda: 200) -> Iterator[Collector]:
    """A collector on a free port. `respond` is called for each request, and says its status."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            assert self.path == "/v1/traces"
            assert self.headers["Content-Type"] == "application/x-protobuf"
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = respond()
            if status == 200:
                collector.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_port}/v1/traces"
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        serving.join(HANG_SECONDS)


def _seen(body: bytes) -> list[Seen]:
    request = ExportTraceServiceRequest()
    request.ParseFromString(body)
    return [
        Seen(
            service=next(one.value.string_value for one in of.resource.attributes if one.key == "service.name"),
            name=span.name,
            trace=span.trace_id.hex(),
            span=span.span_id.hex(),
            parent=span.parent_span_id.hex(),
            kind=KINDS[span.kind],
            start=span.start_time_unix_nano,
            end=span.end_time_unix_nano,
            attributes={one.key: one.value.string_value or one.value.int_value for one in span.attributes},
            links=[(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
            error=span.status.message if span.status.code == 2 else None,
        )
        for of in request.resource_spans
        for scope in of.scope_spans
        for span in scope.spans
    ]

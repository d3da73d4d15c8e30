"""Traces by OpenTelemetry: one per payment, over the request, its statement in PostgreSQL, the worker and the node.

A payment's trace needs no storage: its id is the payment's own UUID, and its root span's id is the last half of it. So
every process that knows the payment adds to the same trace, and all decide alike whether it is recorded
(design/decisions/a-payment-is-its-own-trace.md).

Invariants:
  - nothing of OpenTelemetry is imported unless GATEWAY_TRACES_URL is set;
  - nothing waits for a collector: spans are kept in a bounded queue, and sent by a thread of their own;
  - a span has ids, a rail, a state and a route, and no handle, address, amount, memo, reference or header.

    ids.py       trace and span ids, `traceparent` (W3C Trace Context), sampling            (pure)
    span.py      a span, as the gateway records it                                          (pure)
    steps.py     the calls of the database and the node by the current request or job
    tracer.py    records spans of payments, and of work that is done for many of them at once
    exporter.py  sends them by OTLP over HTTP; the only module that knows OpenTelemetry
"""

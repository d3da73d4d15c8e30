"""Traces by OpenTelemetry: one per payment, over the request, its statement in PostgreSQL, the worker and the node.

A payment's trace needs nothing to be stored: its id is the payment's own UUID, and its root span's id the last half of
that. So whoever knows the payment, in whichever process, adds to the same trace and decides alike whether it is
recorded (design/decisions/a-payment-is-its-own-trace.md).

Invariants:
  - nothing of OpenTelemetry is imported unless GATEWAY_TRACES_URL is set;
  - nothing waits for a collector: spans are kept in a queue with a limit, and sent by a thread of their own;
  - a span says ids, a rail, a state and a route, and no handle, address, amount, memo, reference or header.

    ids.py       trace and span ids, `traceparent` (W3C Trace Context), what is sampled     (pure)
    span.py      a span, as the gateway records it                                          (pure)
    steps.py     what a request or a job has asked of the database and the node so far
    tracer.py    records spans of payments, and of what is done for many of them at once
    exporter.py  sends them by OTLP over HTTP; the only module that knows OpenTelemetry
"""

"""Webhooks: a wallet's events, sent to its owner's own servers (Standard Webhooks 1.0.0).

The event log is the queue. Each endpoint has a cursor into it; nothing is written for webhooks in the transaction that
makes an event. Invariants:

  - every event that fits an endpoint is delivered to it at least once, or has failed at every try of three days;
  - events of one object go to an endpoint in their order: one waits until those before it have ended;
  - at most `PENDING_MAX` deliveries of an endpoint are pending; beyond that its cursor stands still;
  - a worker that is killed anywhere loses nothing: a delivery is pending until its outcome is committed, and a lease
    that has run out is anybody's;
  - nothing is sent to an address that is not public, unless the settings allow it.

    message.py      secrets, signatures, and the body that is sent          (pure)
    schedule.py     when a delivery is tried again                          (pure)
    endpoint.py     endpoints and their secrets
    delivery.py     deliveries: queue, claim, record, list, send again
    sender.py       one delivery (outbound/ says where it may go)
    dispatcher.py   what a worker does with all that

It knows no API: how an event is shown is passed in (assembly.py).
"""

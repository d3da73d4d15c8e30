"""Webhooks: a wallet's events, sent to its owner's own servers (Standard Webhooks 1.0.0).

The event log is the queue. Each endpoint has a cursor into it; nothing is written for webhooks in the transaction that
makes an event. Invariants:

  - every event that an endpoint subscribes to is delivered at least once, or has failed in every retry of three days;
  - an endpoint gets the events of one object in order: each waits until those before it have ended;
  - at most `PENDING_MAX` deliveries of an endpoint are pending; beyond that its cursor stands still;
  - a worker that is killed at any point loses nothing: a delivery is pending until its outcome is committed, and any
    worker may take it once its lease has expired;
  - nothing is sent to an address that is not public, unless the settings allow it.

    vocabulary.py   the words for endpoints and deliveries                  (pure)
    message.py      secrets, signatures, and the body that is sent          (pure)
    schedule.py     when a delivery is retried                              (pure)
    endpoint.py     endpoints and their secrets
    delivery.py     deliveries: queue, claim, list, send again
    outcome.py      what becomes of them after an attempt
    sender.py       one delivery (outbound/ says where it may go)
    dispatcher.py   a worker's part in it

It knows no API: how an event is shown is passed in (assembly.py).
"""

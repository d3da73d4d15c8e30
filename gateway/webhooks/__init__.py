"""Webhooks: a wallet's events, sent to its owner's own servers (Standard Webhooks 1.0.0).

The event log is the queue. Each endpoint has a cursor into it; nothing is written for webhooks in the transaction that
makes an event. Invariants:

  - every event that an endpoint subscribes to is delivered at least once, or has failed at every attempt in three days;
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
    outcome.py      the outcomes of attempts
    sender.py       send one delivery (outbound/ decides where it may go)
    dispatcher.py   the worker's part

The package does not depend on the API: the function that renders events is passed in (assembly.py).
"""

"""A client of the gateway's API for programs in Python, synchronous and asynchronous.

    from gateway.client import Client

    with Client("http://127.0.0.1:8000", api_key) as client:
        payment = client.payments.create("@bob", "5.00", "EUR", memo="coffee")

`AsyncClient` has the same calls as coroutines and asynchronous iterators. Both run one implementation (sync_async.py).

Invariants:
  - a call that moves money is retried with one idempotency key, so it moves money at most once;
  - an exception after such a call was sent tells whether the outcome is known (exceptions.py);
  - a stream delivers every event once, over any number of connections.

    client.py      Client and AsyncClient
    resources/     the calls, one module for each topic
    sync_async.py  one implementation for both clients
    calls.py       one call: its key, its retries, the meaning of its answer
    retry.py       when a call is retried, and after how long             (pure)
    transport.py   HTTP by httpx
    exceptions.py  the exceptions

Answers are the API's own structs (`gateway/api/*/shapes.py`). Nothing of the server is imported: httpx, msgspec and
iso4217 are all that the client needs.
"""

from gateway.api.identity.shapes import CapView
from gateway.api.notifications.shapes import NotificationModeRequest
from gateway.api.payments.shapes import BulkPaymentRequest
from gateway.client.client import AsyncClient, Client
from gateway.client.exceptions import NoAnswer, OutcomeUnknown, ProblemError, StillPending, WebhookNotVerified
from gateway.client.resources.events import Event, UnknownEvent
from gateway.client.retry import Retry

__all__ = [
    "AsyncClient",
    "BulkPaymentRequest",
    "CapView",
    "Client",
    "Event",
    "NoAnswer",
    "NotificationModeRequest",
    "OutcomeUnknown",
    "ProblemError",
    "Retry",
    "StillPending",
    "UnknownEvent",
    "WebhookNotVerified",
]

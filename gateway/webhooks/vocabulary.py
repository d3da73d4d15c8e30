"""The words for endpoints and deliveries, which the API's answers and its clients share. Imports nothing."""

from typing import Final, Literal, get_args

#: What the ids of endpoints begin with.
PREFIX: Final = "whk"

#: Who or what disabled an endpoint.
DisabledBy = Literal["owner", "gone", "failing"]

#: The state of a delivery.
State = Literal["pending", "delivered", "failed"]

#: The outcomes of an attempt. `delivered` is the only success.
Outcome = Literal[
    "delivered",
    "http_status",
    "redirect",
    "gone",
    "too_many_requests",
    "timeout",
    "name_not_resolved",
    "address_refused",
    "connection_failed",
    "tls_failed",
    "connection_lost",
    "answer_unreadable",
]
OUTCOMES: Final = get_args(Outcome)

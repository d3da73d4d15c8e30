"""The words for endpoints and deliveries that the API and its clients share. Imports nothing of the server."""

from typing import Final, Literal, get_args

from gateway.outbound.failure import Failure

#: The prefix of endpoint ids.
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
    Failure,
]
OUTCOMES: Final = get_args(Outcome)

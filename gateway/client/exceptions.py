"""What the client raises. All are GatewayErrors.

    ProblemError        the gateway refused, in its own words: `code`, `status`, `retryable`, `values`
    OutcomeUnknown      a call that moves money was sent and its answer is not known; `key` is what to repeat it with
    NoAnswer            nobody answered, or not a gateway: no money moved
    StillPending        a payment has not ended within the time that was given
    WebhookNotVerified  a webhook is not the gateway's, or is too old

One class for all problems, since a program tells them apart by `code`: the list of codes grows, and a code that the
client does not know yet is raised like any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.api.payments.shapes import PaymentView
from gateway.errors import GatewayError, Refused, Unavailable


@dataclass(eq=False)
class ProblemError(GatewayError):
    """A problem document (RFC 9457). `values` are the members that its code adds, money as decimal strings, such as
    `available` of `insufficient_funds`. `idempotency_key` is the one that the refused call had, if any.
    """

    code: str
    status: int
    detail: str
    retryable: bool
    values: Mapping[str, Any]
    type: str = ""
    request_id: str | None = None
    idempotency_key: str | None = None
    says = "{detail} ({code})"


@dataclass(eq=False)
class OutcomeUnknown(Unavailable):
    """The answer was lost, and repeating the call found none in time: money may have moved or not. The same call with
    `idempotency_key=key` says which, now or later, and cannot move it twice.
    """

    url: str
    key: str
    reason: str
    says = (
        "the gateway at {url} was asked and its answer was lost ({reason}), so it is not known whether money moved: "
        "repeat the call with idempotency_key={key!r}, which cannot move it twice"
    )


@dataclass(eq=False)
class NoAnswer(Unavailable):
    """Nobody answered at the URL, or something that is not a gateway. No money moved by this call. `lost`: it was sent,
    so what it was to create or change may be there.
    """

    url: str
    reason: str
    lost: bool = False
    says = "no gateway answers at {url} ({reason})"


@dataclass(eq=False)
class StillPending(GatewayError):
    """The payment as it was last seen."""

    payment: PaymentView
    seconds: float

    def __str__(self) -> str:
        return f"{self.payment.id} is still {self.payment.state} after {self.seconds:g} seconds; it goes on"


@dataclass(eq=False)
class WebhookNotVerified(Refused):
    reason: str
    says = "this webhook cannot be trusted: {reason}"

"""The exceptions of the client. All are GatewayErrors.

    ProblemError        the gateway refused, in its own words: `code`, `status`, `retryable`, `values`
    OutcomeUnknown      a call that moves money was sent and its answer is lost; retry it with `key`
    NoAnswer            no gateway answered: no money moved
    StillPending        a payment has not ended in time
    WebhookNotVerified  a webhook is not from the gateway, or is too old

There is one class for all problems, and a program tells them apart by `code`. New codes are added over time; a code
that the client does not know is raised like any other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.api.payments.shapes import PaymentView
from gateway.errors import GatewayError, Refused, Unavailable


@dataclass(eq=False)
class ProblemError(GatewayError):
    """A problem document (RFC 9457). `values` are the members that its code adds, such as `available` of
    `insufficient_funds`; amounts are decimal strings. `idempotency_key` is the refused call's, if it had one.
    """

    code: str
    status: int
    detail: str
    retryable: bool
    values: Mapping[str, Any]
    type: str = ""
    request_id: str | None = None
    idempotency_key: str | None = None
    message = "{detail} ({code})"


@dataclass(eq=False)
class OutcomeUnknown(Unavailable):
    """The answer was lost, and retries got none in time: money may have moved or not. The same call with
    `idempotency_key=key` tells which, now or later, and cannot move money twice.
    """

    url: str
    key: str
    reason: str
    message = (
        "the gateway at {url} was asked and its answer was lost ({reason}), so it is not known whether money moved: "
        "repeat the call with idempotency_key={key!r}, which cannot move it twice"
    )


@dataclass(eq=False)
class NoAnswer(Unavailable):
    """No gateway answered at the URL. The call moved no money. If `lost`, it was sent, so it may have created or
    changed something.
    """

    url: str
    reason: str
    lost: bool = False
    message = "no gateway answers at {url} ({reason})"


@dataclass(eq=False)
class StillPending(GatewayError):
    """The payment has not ended in time. `payment` is its last known state."""

    payment: PaymentView
    seconds: float

    def __str__(self) -> str:
        return f"{self.payment.id} is still {self.payment.state} after {self.seconds:g} seconds; it goes on"


@dataclass(eq=False)
class WebhookNotVerified(Refused):
    reason: str
    message = "this webhook cannot be trusted: {reason}"

"""A request for money: a wallet asks another to pay it an amount. Pure."""

from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from gateway.events.log import Event
from gateway.ids import PaymentId, RequestId, WalletId, show
from gateway.money import Money
from gateway.payments.model.payment import Payment
from gateway.payments.requests.state import RequestState

#: The prefix of request ids.
PREFIX: Final = "req"

#: How long a request stays open by default, and at most.
OPEN_FOR: Final = timedelta(days=30)
OPEN_FOR_MAX: Final = timedelta(days=366)

#: How many requests from one wallet to another may be open, and how many one wallet may make in DAY.
OPEN_MAX: Final = 10
DAY_MAX: Final = 100
DAY: Final = timedelta(hours=24)


class Request(Struct, frozen=True):
    """A request. `payment_hidden`: its payer has not agreed to the payment yet, so the requester cannot see which it
    is. `ended_at`: when it was paid, declined or cancelled.
    """

    id: RequestId
    state: RequestState
    requester: WalletId
    requester_handle: str
    payer: WalletId
    payer_handle: str
    amount: Money
    memo: str | None
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
    payment_hidden: bool = False
    last_payment: PaymentId | None = None  #: The payment that pays it, or the last one that ended without paying it.

    @property
    def shown_id(self) -> str:
        """`req_…`."""
        return show(PREFIX, self.id)

    @property
    def payment(self) -> PaymentId | None:
        """The payment that pays it, in the states `pending` and `paid`."""
        return self.last_payment if self.state in ("pending", "paid") else None

    def payment_seen_by(self, viewer: WalletId) -> PaymentId | None:
        """The payment that pays it, if this wallet may see it."""
        return None if self.payment_hidden and viewer != self.payer else self.payment


def can_pay_one(payment: Payment) -> bool:
    """Whether the payment can pay a request: it goes to a wallet, is captured at once, and is not a refund."""
    return payment.capture and payment.payee is not None and payment.refund_of is None


def event(kind: str, request: Request) -> Event:
    """The event of this kind, for both wallets."""
    return event_of(
        *(kind, request.id, request.requester, request.payer),
        *(f"@{request.payer_handle}", f"@{request.requester_handle}", request.amount),
    )


def event_of(
    kind: str, id: RequestId, requester: WalletId, payer: WalletId, payer_name: str, requester_name: str, amount: Money
) -> Event:
    """Like `event`, for a request whose values are known without its row."""
    payload = {"from": payer_name, "to": requester_name, "amount": amount.amount, "asset": amount.asset.code}
    return Event(kind, requester, id, payload, other=payer)


#: The state of a request after each event.
_STATES: Final[dict[str, RequestState]] = {
    "request.created": "open",
    "request.paid": "paid",
    "request.declined": "declined",
    "request.cancelled": "cancelled",
}
KINDS: Final = tuple(_STATES)


def at_event(request: Request, kind: str, at: datetime) -> Request:
    """The request as it was at its event of this kind, reconstructed from what it is now."""
    state = _STATES[kind]
    return replace(
        request,
        state=state,
        ended_at=None if state == "open" else at,
        payment_hidden=False,
    )

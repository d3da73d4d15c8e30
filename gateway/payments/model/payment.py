"""A payment and its state machine. Pure: no clock, no database."""

from datetime import datetime
from enum import Enum
from typing import Final
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from gateway.errors import StateConflict
from gateway.idempotency import Claim
from gateway.ids import PaymentId, TransferId, WalletId, show
from gateway.money import Money
from gateway.payments.model.note import Note
from gateway.payments.model.route import Route
from gateway.payments.model.state import State as State  # the redundant name lets others import it from here

#: The final states in which the payer has all of the money.
ENDED_UNPAID: Final = frozenset({State.FAILED, State.VOIDED, State.EXPIRED, State.DECLINED})


#: The states that a payment reaches only with its payer's agreement.
_AGREED: Final = frozenset({State.HELD, State.QUEUED, State.SUBMITTED, State.SETTLED})


class Event(Enum):
    """What can happen to a payment."""

    CONFIRM = "confirm"
    SIGN = "sign"
    DECLINE = "decline"
    QUEUE = "queue"
    SUBMIT = "submit"
    SETTLE = "settle"
    FAIL = "fail"
    VOID = "void"
    EXPIRE = "expire"


_AFTER = {
    (State.REQUIRES_CONFIRMATION, Event.CONFIRM): State.HELD,
    (State.REQUIRES_CONFIRMATION, Event.DECLINE): State.DECLINED,
    (State.REQUIRES_CONFIRMATION, Event.EXPIRE): State.EXPIRED,
    (State.REQUIRES_CONFIRMATION, Event.SIGN): State.QUEUED,
    (State.REQUIRES_CONFIRMATION, Event.SETTLE): State.SETTLED,
    (State.REQUIRES_CONFIRMATION, Event.FAIL): State.FAILED,
    (State.HELD, Event.SETTLE): State.SETTLED,
    (State.HELD, Event.QUEUE): State.QUEUED,
    (State.HELD, Event.VOID): State.VOIDED,
    (State.HELD, Event.EXPIRE): State.EXPIRED,
    (State.QUEUED, Event.SUBMIT): State.SUBMITTED,
    (State.QUEUED, Event.SETTLE): State.SETTLED,
    (State.QUEUED, Event.FAIL): State.FAILED,
    (State.SUBMITTED, Event.SETTLE): State.SETTLED,
    (State.SUBMITTED, Event.FAIL): State.FAILED,
}


def after(id: UUID, state: State, event: Event, prefix: str = "pay") -> State:
    """The state that `event` leads to. Raises StateConflict if `state` has no such transition.

    A conversion has the same state machine from QUEUED on; its `prefix` is `cnv`.
    """
    try:
        return _AFTER[state, event]
    except KeyError:
        raise StateConflict(show(prefix, id), state.value, event.value) from None


class Payment(Struct, frozen=True):
    """A request that money moves from a payer to a payee.

    `captured` is the amount that was paid in the end, `refunded` the part of it that was or is being refunded. The
    payer pays `fee` on top of the amount. The payee is a wallet, or an address outside the gateway.
    """

    id: PaymentId
    state: State
    payer: WalletId
    payer_handle: str
    payee: WalletId | None
    payee_handle: str | None
    payee_address: str | None
    amount: Money
    fee: Money
    captured: Money
    refunded: Money
    memo: str | None
    route: Route
    transfer_id: TransferId
    authorization_id: UUID | None
    refund_of: PaymentId | None
    tx_hash: str | None
    failure: str | None
    created_at: datetime
    expires_at: datetime | None
    settled_at: datetime | None
    approval: tuple[str, ...] | None = None  #: Why it needs or needed its payer's approval; None: it did not.
    capture: bool = True  #: False: once approved, it is only held.
    undo_until: datetime | None = None  #: Held until then, so that its payer can stop it; then queued.
    claim: Claim | None = None  #: The payer's idempotency key, until the payment is written.
    note: Note | None = None  #: The caller's note; also None where the payment was read without it.
    hidden_from_payee: bool = False  #: Until its payer has agreed to it (`visible_to_payee`).

    @property
    def visible_to_payee(self) -> bool:
        """Whether its payee may see it: once its payer has approved or signed it, or if neither was needed. A payee who
        draws on a mandate requested the payment, and always sees it.
        """
        return not self.hidden_from_payee or self.state in _AGREED

    @property
    def has_its_key(self) -> bool:
        """Whether it was settled at once, so that its idempotency key is in its own row (schema/01_ledger.sql)."""
        return self.claim is not None and self.state is State.SETTLED and self.transfer_id == self.id

    @property
    def needs_approval(self) -> bool:
        return self.state is State.REQUIRES_CONFIRMATION and self.approval is not None

    @property
    def payer_name(self) -> str:
        return f"@{self.payer_handle}"

    @property
    def payee_name(self) -> str:
        return f"@{self.payee_handle}" if self.payee_handle is not None else str(self.payee_address)


def as_accepted(payment: Payment) -> Payment:
    """A payment that was settled or queued at once, as it was when it was accepted. A settled one changes only by its
    refunds. A queued one (rails/chain.py) has an authorization with the payment's own id.
    """
    nothing = Money(0, payment.amount.asset)
    if payment.authorization_id != payment.id:
        return replace(payment, refunded=nothing)
    return replace(
        payment, state=State.QUEUED, captured=nothing, refunded=nothing, tx_hash=None, failure=None, settled_at=None
    )

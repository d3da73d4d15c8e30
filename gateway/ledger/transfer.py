"""A transfer and its states. Pure: no clock, no database.

A transfer has one or more legs and is written as a whole. A leg moves an amount from the account it debits to the
account it credits, both of one asset, and becomes two entries when it is posted.
"""

from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from gateway.ids import AccountId, TransferId
from gateway.ledger.errors import TransferEnded


class State(Enum):
    """A transfer's states. One that is posted at once starts as POSTED.

    PENDING ──capture──> POSTED
       ├──── void ─────> VOIDED
       └─── expire ────> EXPIRED
    """

    PENDING = "pending"  # On hold: counts against `available`, not yet against `posted`.
    POSTED = "posted"  # In the ledger permanently; reversed only by another transfer.
    VOIDED = "voided"  # Released by a void.
    EXPIRED = "expired"  # Released because it expired.


class Event(Enum):
    """What ends a pending transfer."""

    CAPTURE = "capture"
    VOID = "void"
    EXPIRE = "expire"


_AFTER = {
    (State.PENDING, Event.CAPTURE): State.POSTED,
    (State.PENDING, Event.VOID): State.VOIDED,
    (State.PENDING, Event.EXPIRE): State.EXPIRED,
}


def after(state: State, event: Event) -> State:
    """Return the state that `event` leads to.

    Raises TransferEnded if `state` is final, as on a second capture of one hold.
    """
    try:
        return _AFTER[state, event]
    except KeyError:
        raise TransferEnded(state.value, event.value) from None


@dataclass(frozen=True, slots=True)
class Leg:
    """`units` (whole, above zero, below 2**256) from the account `debit` to the account `credit`."""

    debit: AccountId
    credit: AccountId
    units: int


@dataclass(frozen=True, slots=True)
class Transfer:
    """A transfer to write: posted at once, or held if `hold` is set.

    `id` is chosen by the caller and is written once: the same id again changes nothing. `subject` is the id of what the
    transfer is for (a payment, a deposit), `purpose` its kind. An `unconditional` transfer records what has happened
    outside, so it is posted whatever is available.
    """

    id: TransferId
    purpose: str
    subject: UUID
    legs: tuple[Leg, ...]
    hold: bool = False
    unconditional: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """The end of a pending transfer. A capture may be partial: `units` per leg, in the legs' order, zero for a leg that
    is not captured; None captures all. The rest is released at the same time.
    """

    id: TransferId
    event: Event
    units: tuple[int, ...] | None = None

"""What a transfer is and what it may become. Pure: no clock, no database.

A transfer is one atomic thing of one or more legs; a leg moves an amount from the account it debits to the account it
credits, both of one asset, and becomes two entries when it is posted.
"""

from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from gateway.ids import AccountId, TransferId
from gateway.ledger.errors import TransferEnded


class State(Enum):
    """A transfer's life. One that is posted at once begins at its end.

    PENDING ──capture──> POSTED
       ├──── void ─────> VOIDED
       └─── expire ────> EXPIRED
    """

    PENDING = "pending"  #: Set aside: counts against `available`, not yet against `posted`.
    POSTED = "posted"  #: In the ledger for good; undone only by a transfer the other way.
    VOIDED = "voided"  #: Given back on purpose.
    EXPIRED = "expired"  #: Given back by time.


class Event(Enum):
    """What can end a pending transfer."""

    CAPTURE = "capture"
    VOID = "void"
    EXPIRE = "expire"


_AFTER = {
    (State.PENDING, Event.CAPTURE): State.POSTED,
    (State.PENDING, Event.VOID): State.VOIDED,
    (State.PENDING, Event.EXPIRE): State.EXPIRED,
}


def after(state: State, event: Event) -> State:
    """The state that `event` leads to.

    Raises TransferEnded when `state` has no way on: two captures of one hold, say.
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
    """What is to be written: posted at once, or set aside when it is a `hold`.

    `id` is the caller's and is written once: the same id again changes nothing. `subject` is what the transfer is for
    (a payment, a deposit), `purpose` says which. An `unconditional` one records what has happened outside, so it
    posts whatever is available.
    """

    id: TransferId
    purpose: str
    subject: UUID
    legs: tuple[Leg, ...]
    hold: bool = False
    unconditional: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """The end of a pending transfer. A capture may be of less than was held: `units` per leg, in the legs' order, zero
    for a leg that is not captured; None captures all. What is not captured goes back in the same moment.
    """

    id: TransferId
    event: Event
    units: tuple[int, ...] | None = None

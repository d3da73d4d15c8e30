"""What the ledger refuses."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import Conflict, Refused

if TYPE_CHECKING:
    from gateway.money import Money


@dataclass(eq=False)
class InsufficientFunds(Conflict):
    account: str
    asked: "Money"
    available: "Money"
    says = "{account} has {available} available and {asked} was asked"


@dataclass(eq=False)
class TransferEnded(Conflict):
    """A hold has one end; this one has had it."""

    state: str
    event: str
    says = "a transfer that is {state} cannot be ended by {event}"


@dataclass(eq=False)
class TransferNotFound(Refused):
    id: str
    says = "there is no transfer {id}"


@dataclass(eq=False)
class CaptureExceedsHold(Conflict):
    asked: "Money"
    held: "Money"
    says = "{asked} cannot be captured: {held} is held"

"""The ledger's errors."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gateway.errors import Conflict, Refused

if TYPE_CHECKING:
    from gateway.money import Money


@dataclass(eq=False)
class InsufficientFunds(Conflict):
    """`holder` is the handle of the account's wallet, or the account's code if it is a system account."""

    account: str
    asked: "Money"
    available: "Money"
    holder: str = field(init=False)
    message = "{holder} has {available} available, and {asked} is needed: use a smaller amount, or put money in first"

    def __post_init__(self) -> None:
        kind, _, rest = self.account.partition(":")
        self.holder = f"@{rest.partition(':')[0]}" if kind == "wallet" else self.account


@dataclass(eq=False)
class TransferEnded(Conflict):
    """The hold was already captured or voided, or it has expired."""

    state: str
    event: str
    message = "a transfer that is {state} cannot be ended by {event}"


@dataclass(eq=False)
class TransferNotFound(Refused):
    id: str
    message = "there is no transfer {id}"


@dataclass(eq=False)
class CaptureExceedsHold(Conflict):
    asked: "Money"
    held: "Money"
    message = "{asked} cannot be captured: {held} is held"

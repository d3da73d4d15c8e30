"""What a check is: a rule that can refuse a payment or require its payer's approval.

Each rule is one `Check` in the list of checks.py; a new rule is a new file and one more line there. A check reads what
it needs for a whole group of payments, so the number of statements does not depend on the size of the group. It then
decides them one after the other: payments passed to `add` count when it decides the next.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal, get_args
from uuid import UUID

from msgspec import Struct

from gateway.errors import GatewayError
from gateway.ids import WalletId
from gateway.payments.errors import WalletFrozen
from gateway.payments.model.policy import Policy
from gateway.payments.model.proposed import Counter, Proposed
from gateway.payments.model.settings import PaymentSettings
from gateway.postgres.pool import Connection


class Payer(Struct, frozen=True):
    """A payer's wallet as it is now: its freeze, if any, and its policy, if it has a passkey."""

    refusal: WalletFrozen | None
    policy: Policy | None

    @property
    def guarded(self) -> bool:
        return self.policy is not None


@dataclass(frozen=True, slots=True)
class CheckContext:
    """The input of every check: the caller's transaction, the payment settings, the payers' wallets as read under all
    locks, and the time.
    """

    connection: Connection
    settings: PaymentSettings
    payers: Mapping[WalletId, Payer]
    now: datetime


class Passed(Struct, frozen=True):
    """The payment is not refused. `reasons`: why its payer has to approve it first. `undo_seconds`: how long its payer
    can stop a payment that is irreversible afterwards.
    """

    reasons: tuple[str, ...] = ()
    undo_seconds: int = 0


#: Passed without an approval and without an undo window, like most payments.
PASSED: Final = Passed()


#: The ids of rows to lock, by kind.
Lockable = Literal["api_keys", "wallets", "policies", "mandates", "requests"]
Locks = Mapping[Lockable, Sequence[UUID]]

#: The kinds in the order in which they are locked (`lock_limits` in schema/11_check_payments.sql).
LOCKED: Final[Sequence[Lockable]] = get_args(Lockable)


class Decisions(ABC):
    """What a check has read for one group of payments, and its decision about each."""

    @abstractmethod
    def decide(self, one: Proposed) -> Passed | GatewayError:
        """The decision about this payment, counting those that were added. Pure."""

    def add(self, one: Proposed) -> None:  # noqa: B027 - most rules look at each payment by itself
        """No check has refused this payment: it counts when the next of the group is decided."""

    def counts(self, one: Proposed) -> Sequence[Counter]:
        """The limits over time that the payment counts against, once it is accepted."""
        return ()

    async def write(self, paid: Sequence[Proposed]) -> None:  # noqa: B027 - most rules keep nothing
        """Store what later groups need to know about these accepted payments."""


class Check(ABC):
    """A rule that can refuse a payment or require its payer's approval."""

    def locks(self, asked: Sequence[Proposed]) -> Locks:
        """The rows that must not change until the payments are written. A preview locks nothing."""
        return {}

    async def lock(self, connection: Connection, asked: Sequence[Proposed]) -> None:  # noqa: B027 - few rules do
        """Lock rows of other kinds, before those of `locks`."""

    @abstractmethod
    async def load(self, context: CheckContext, asked: Sequence[Proposed]) -> Decisions | None:
        """Read what the rule needs for all these payments; None if it applies to none of them. Locks nothing."""

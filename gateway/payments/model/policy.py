"""The policy of a wallet, as its owner has set it: which payments need an approval. Pure.

checks/policy.py decides by it.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

from msgspec import Struct, field

from gateway.money import Asset, Money
from gateway.payments.model import usual_limits


class Limit(Struct, frozen=True):
    """The most that goes without approval: in one payment, and in 24 hours."""

    payment: Money
    day: Money


class Policy(Struct, frozen=True):
    """A wallet's own. `limits` are those that its owner has set, by asset code. `trusted` are wallets' ids as they are
    shown, and addresses. Zero days, hours or seconds: no approval, and no window.
    """

    limits: Mapping[str, Limit] = field(default_factory=dict)
    ask_new_payee: bool = True
    ask_address: bool = True
    changed_days: int = 7
    device_hours: int = 24
    undo_seconds: int = 0
    trusted: AbstractSet[str] = frozenset()

    def limit(self, asset: Asset) -> Limit:
        return self.limits.get(asset.code) or usual_limit(asset)


def usual_limit(asset: Asset) -> Limit:
    """Where the owner has set none: about a hundred euros a payment, and three times that a day (usual_limits.py)."""
    units = usual_limits.whole(asset.backing or asset.code) * 10**asset.decimals
    return Limit(Money(units, asset), Money(usual_limits.DAYS_PAYMENTS * units, asset))

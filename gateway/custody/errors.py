"""Refusals that concern wallets and their addresses."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import Conflict

if TYPE_CHECKING:
    from gateway.money import Money


@dataclass(eq=False)
class AddressNotEmpty(Conflict):
    address: str
    left: "Money"
    message = (
        "{address} still holds {left}: send it to your new address or elsewhere first, and wait until that is final"
    )


@dataclass(eq=False)
class PaymentsUnderWay(Conflict):
    address: str
    count: int
    message = "{count} token payments or conversions from {address} are not settled yet: ask again when they are"


@dataclass(eq=False)
class WalletNotEmpty(Conflict):
    account: str
    posted: "Money"
    pending: "Money"
    message = "{account} has {posted}, and {pending} pending: move it out, and wait until nothing is pending"

"""The kinds of things of this package that final blocks settle (gateway/settlement/). One module for each kind.

payments.py      a token payment
conversions.py   a mint, or a redemption
sweeps.py        tokens that follow their wallet to another address
"""

from typing import Any

from gateway.payments.settles.conversions import Conversions
from gateway.payments.settles.payments import Payments
from gateway.payments.settles.sweeps import Sweeps
from gateway.settlement.settles import Settles


def kinds(authorization_seconds: int) -> tuple[Settles[Any], ...]:
    """Every kind there is, in the order in which they lock their rows."""
    return (Payments(), Conversions(), Sweeps(authorization_seconds))

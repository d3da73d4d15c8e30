"""The kinds of things of this package that final blocks settle (gateway/settlement/). One module for each kind.

payments.py      a token payment
conversions.py   a mint, or a redemption
"""

from typing import Any, Final

from gateway.payments.settles.conversions import Conversions
from gateway.payments.settles.payments import Payments
from gateway.settlement.settles import Settles

#: Every kind of this package, in the order in which they lock their rows.
KINDS: Final[tuple[Settles[Any], ...]] = (Payments(), Conversions())

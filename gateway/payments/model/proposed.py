"""A proposed payment: the input of the checks and of the rails. Pure."""

from typing import Literal
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from gateway.identity.credential import Credential
from gateway.identity.wallet import Wallet
from gateway.ids import RequestId
from gateway.payments.model.payment import Payment
from gateway.payments.payees.resolver import Payee


class Counter(Struct, frozen=True, order=True):
    """A limit that a payment counts against. `id` is that of the key's origin, the wallet or the mandate; `number` is
    the cap's.
    """

    scope: Literal["cap", "policy", "mandate", "mandate_total"]
    id: UUID
    asset: str
    number: int = 0


class Proposed(Struct, frozen=True):
    """A payment before any money moves, its two sides, and its caller. `request` is the request for money that it pays.
    `counters` are the limits over time that it counts against once it is accepted; the checks set them on a payment
    that has passed.
    """

    payment: Payment
    payer: Wallet
    payee: Payee
    by: Credential | None = None
    counters: tuple[Counter, ...] = ()
    request: RequestId | None = None

    def having(self, payment: Payment) -> "Proposed":
        """The same with the payment as it is now."""
        return self if payment is self.payment else replace(self, payment=payment)

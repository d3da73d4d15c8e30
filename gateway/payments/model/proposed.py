"""A payment that is proposed: what the checks decide about, and the rails accept. Pure."""

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
    """What a payment counts against. `id` is of the key's origin, the wallet or the mandate; `number` is the cap's."""

    scope: Literal["cap", "policy", "mandate", "mandate_total"]
    id: UUID
    asset: str
    number: int = 0


class Proposed(Struct, frozen=True):
    """A payment before any money moves, its two sides, and who asks for it. `request` is the request for money that it
    is to pay. `counters` are the limits over time that it counts against once it is accepted: the checks say so of a
    payment that has passed them.
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

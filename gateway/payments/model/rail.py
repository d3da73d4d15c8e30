"""The protocol of a rail. A gateway's rails are in `PaymentSettings.rails`; a new rail is a new module, one line in
`RAILS`, and its name in `RailName` (route.py).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from gateway.errors import GatewayError
from gateway.ledger.transfer import End
from gateway.money import Money
from gateway.payments.model.payment import Payment
from gateway.payments.model.proposed import Proposed
from gateway.payments.model.rail_settings import RailSettings
from gateway.payments.model.route import Route
from gateway.postgres.pool import Connection


class Rail(Protocol):
    """A way to move money. Each rail gets its own payments of a group, in the order of `PaymentSettings.rails`."""

    name: str  #: As in `Route.rail`, and in a payment's row.
    final_at_once: bool  #: Whether an accepted payment is settled at once, so that it cannot be stopped.
    signed: bool  #: Whether each payment needs a signature by the key of its payer's address.

    def quote(self, settings: RailSettings, money: Money, outside: str | None) -> Route | None:
        """The route of `money` on this rail to a handle, or to `outside`, an address outside the gateway; None if the
        rail does not carry the asset. Pure. Raises UnknownPayee if it carries the asset, but not to such an address.
        """

    async def accept(
        self, connection: Connection, settings: RailSettings, asked: Sequence[Proposed], now: datetime
    ) -> list[Payment | GatewayError]:
        """Move or hold the money of payments that have passed every check, in order and each on its own, and write
        their rows and events. Per payment: as it is now, or InsufficientFunds; a refused one leaves no trace.

        Each is counted against its `counters`, once its money has moved or is held. A payment with `expires_at` or
        `undo_until` is only held. A rail that locks accounts in several statements locks all of them first. The number
        of statements does not depend on how many payments there are.
        """

    def captured(
        self, settings: RailSettings, payment: Payment, money: Money, now: datetime
    ) -> tuple[Payment, End] | None:
        """The payment and its hold after a capture of `money`, if nothing else has to be written; None if the capture
        needs statements of its own (`capture`). Pure.
        """

    async def capture(
        self, connection: Connection, settings: RailSettings, payment: Payment, money: Money, now: datetime
    ) -> Payment:
        """Pay `money` out of a payment's hold, and return the rest to the payer. The payment's row is locked. Returns
        the payment as it is now, which the caller writes.
        """

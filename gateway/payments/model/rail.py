"""The protocol of a rail. A gateway's rails are in `PaymentSettings.rails`; a new rail is a new module and one line in
`RAILS`.
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
    final_at_once: bool  #: Whether what is accepted is settled, so that there is nothing left to stop.
    signed: bool  #: Whether each payment takes a signature by the key of its payer's address.

    def quote(self, settings: RailSettings, money: Money, outside: str | None) -> Route | None:
        """How this rail would move `money` to a handle, or to `outside`, an address that is nobody's handle; None where
        it does not carry such money. Pure. Raises UnknownPayee where it does, but not there.
        """

    async def accept(
        self, connection: Connection, settings: RailSettings, asked: Sequence[Proposed], now: datetime
    ) -> list[Payment | GatewayError]:
        """Move or hold the money of payments that have passed every check, in order and each on its own, and write
        their rows and events. Per payment: as it is now, or InsufficientFunds; a refused one leaves no trace.

        Each is counted against its `counters`, once its money has moved or is held. A payment with `expires_at` or
        `undo_until` is only held. Several statements that lock accounts lock all of them first. The number of
        statements does not depend on how many payments there are.
        """

    def captured(
        self, settings: RailSettings, payment: Payment, money: Money, now: datetime
    ) -> tuple[Payment, End] | None:
        """What capturing `money` of a held payment makes of it and of its hold, where no more is to be written than
        that; None where it takes statements of its own (`capture`). Pure.
        """

    async def capture(
        self, connection: Connection, settings: RailSettings, payment: Payment, money: Money, now: datetime
    ) -> Payment:
        """Pay `money` of what is held for a payment, whose row is locked, and give the rest back: the payment as it is
        now, which the caller writes.
        """

"""Original answers of retried calls that are not stored, since they can be derived from the payment's row and its
events.
"""

from typing import Final

from gateway.events import log
from gateway.ids import PaymentId, WalletId
from gateway.money import Assets
from gateway.payments.model import payment_events
from gateway.payments.model.payment import Payment, as_accepted
from gateway.payments.records import records
from gateway.postgres.pool import Connection

#: The HTTP status of captures and voids; new payments have others.
_ENDED: Final = 200


async def as_answered(connection: Connection, assets: Assets, id: PaymentId, party: WalletId, status: int) -> Payment:
    """The payment as it was after the call that was answered with this status. Raises NotFound for anybody but payer
    and payee.

    A payment that was settled or queued at once is derived from its row. The row of a payment that was held, captured
    or voided may have changed since, so its event is used: the first of its kind, since a hold that waited for an
    approval is held a second time.
    """
    payment = await records.payment(connection, assets, id, party)
    if status != _ENDED and payment.capture:
        return as_accepted(payment)
    kinds = ["payment.settled", "payment.voided"] if status == _ENDED else ["payment.held"]
    event = await log.first_of(connection, id, kinds)
    return payment_events.at_event(payment, event.kind, event.payload, event.at)

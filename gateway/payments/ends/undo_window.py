"""The end of the undo window: a payment on the chain rail that its payer has not stopped goes into the queue.

Until then it is only held: it has no nonce and no authorization, and nothing was signed. To stop it is to void it
(capture_void.py). Both lock its row, so if both happen at once, one wins and the other finds it changed.
"""

from datetime import datetime

from gateway.events import log
from gateway.payments import approve
from gateway.payments.checks import policy
from gateway.payments.model import payment_events
from gateway.payments.model.settings import PaymentSettings
from gateway.payments.records import records
from gateway.postgres.pool import Connection


async def send_due(connection: Connection, settings: PaymentSettings, now: datetime, limit: int = 100) -> int:
    """Queue up to `limit` payments whose undo window has ended; returns how many. Those of a frozen wallet wait."""
    rows = await connection.fetch(policy.sql.due_undo, now, limit)
    due = [records.of_row(settings.assets, row) for row in rows]
    queued = [await approve.send(connection, settings, payment, now) for payment in due]
    if queued:
        await records.update(connection, queued)
        await log.append(connection, [event for payment in queued for event in payment_events.events(payment)], now)
    return len(queued)

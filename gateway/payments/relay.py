"""Between the queue and the chain: what became submitted, and under which hash, and what was refused."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from gateway.chain.batches import Batch
from gateway.events import log
from gateway.payments import records, settle
from gateway.payments.payment import Event, State, after
from gateway.payments.terms import Terms
from gateway.postgres import Connection


async def formed(connection: Connection, terms: Terms, batch: Batch, now: datetime) -> None:
    """Note what became of a batch's authorizations, in the transaction that stores it."""
    concerned = [one.id for one in batch.submitted] + [one.id for one, _ in batch.refused]
    await connection.execute(records.sql.lock_payments_of_authorizations, concerned)  # all of them in one order
    if batch.transaction is not None:
        await submitted(connection, terms, [one.id for one in batch.submitted], batch.transaction.hash, now)
    if batch.refused:
        await settle.refuse(connection, terms, batch.refused, now)


async def submitted(
    connection: Connection, terms: Terms, authorizations: Sequence[UUID], tx_hash: bytes, now: datetime
) -> None:
    """Note that these authorizations are in a stored ChainTransaction, in the transaction that stores it.

    One that was in a ChainTransaction before (which reverted, or was replaced) only changes its hash. Raises
    StateConflict where one is in a state that this does not follow from: the transaction then has to end.
    """
    shown = "0x" + tx_hash.hex()
    payments = await records.submit(connection, terms.assets, authorizations, shown)
    for was, payment in payments:
        if was is not State.SUBMITTED:
            after(payment.id, was, Event.SUBMIT)
    conversions = [
        replace(
            conversion,
            tx_hash=shown,
            state=conversion.state
            if conversion.state is State.SUBMITTED
            else after(conversion.id, conversion.state, Event.SUBMIT, "cnv"),
        )
        for conversion in await records.conversions_by_authorizations(connection, terms.assets, authorizations)
    ]
    if conversions:
        await records.update_conversions(connection, conversions)
    events = [event for _, payment in payments for event in records.events(payment)]
    events += [records.conversion_event(conversion) for conversion in conversions]
    await log.append(connection, events, now)

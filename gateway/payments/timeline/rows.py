"""The rows of one payment. Each statement looks rows up by an id or a number from the ones before; none scans a table
(tests/payments/test_timeline.py).

A payment does not name its refunds. They are looked for among what its payee paid next, `WALKED_MAX` payments at the
most; later ones are not found, but the payment itself has the sum of all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from gateway.errors import NotFound
from gateway.ids import PaymentId, show
from gateway.money import Assets
from gateway.payments.model.payment import Payment
from gateway.payments.records import records
from gateway.postgres.pool import Connection, Record, Statements

sql = Statements(__package__, "rows.sql")

#: How many payments are searched for refunds.
WALKED_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Rows:
    """A payment and the rows that belong to it. Fields are empty where there are none."""

    payment: Payment
    refunds: Sequence[Payment]
    key: str | None
    limits: Sequence[Record]
    holds: Sequence[Record]
    transfers: Sequence[Record]
    on_chain: Record | None
    observed: Record | None
    report: Record | None
    events: Sequence[Record]
    webhooks: Sequence[Record]
    notifications: Sequence[Record]
    audit_events: Sequence[Record]
    checkpoint: Record | None


async def read(connection: Connection, assets: Assets, id: PaymentId) -> Rows:
    """Read the rows as of one moment: call it inside a snapshot. Raises NotFound."""
    found = await records.payments_shown(connection, assets, [id])
    if id not in found:
        raise NotFound("such payment")
    payment = found[id]
    transfers = await connection.fetch(sql.transfers, payment.transfer_id)
    events = await connection.fetch(sql.events, id)
    sides = [one for one in (payment.payer, payment.payee) if one is not None]
    numbers = [row["id"] for row in events]
    return Rows(
        payment=payment,
        refunds=await _refunds(connection, assets, payment, transfers),
        key=await connection.fetchval(sql.request_key, id, payment.created_at, _answered(id)),
        limits=await connection.fetch(sql.limits, id),
        holds=await connection.fetch(sql.holds, payment.transfer_id),
        transfers=transfers,
        on_chain=await connection.fetchrow(sql.on_chain, payment.authorization_id),
        observed=await connection.fetchrow(sql.observed, payment.transfer_id),
        report=await connection.fetchrow(sql.report, id),
        events=events,
        webhooks=await connection.fetch(sql.webhooks, sides, numbers),
        notifications=await connection.fetch(sql.notifications, sides, numbers),
        audit_events=await connection.fetch(sql.audit_events, id),
        checkpoint=await connection.fetchrow(sql.checkpoint_of_event, numbers[-1]) if numbers else None,
    )


def _answered(id: PaymentId) -> bytes:
    """The beginning of a stored answer that shows the payment: its id is the first field."""
    return f'{{"id":"{show("pay", id)}"'.encode()


async def _refunds(
    connection: Connection, assets: Assets, payment: Payment, transfers: Sequence[Record]
) -> list[Payment]:
    """The refunds that count against the payment, oldest first."""
    if not payment.refunded.units or payment.payee is None:
        return []
    staged = await connection.fetch(sql.staged_refunds, payment.id, payment.payee, WALKED_MAX)
    ids: list[UUID] = [row["id"] for row in staged]
    if transfers:
        paid = transfers[0]
        posted = (paid["credit_id"], paid["credit_number"], WALKED_MAX)
        ids += [row["id"] for row in await connection.fetch(sql.ledger_refunds, payment.id, *posted)]
    found = await records.payments_shown(connection, assets, ids)
    return sorted(found.values(), key=lambda one: one.id)

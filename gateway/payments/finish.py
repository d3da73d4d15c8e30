"""The ends of a payment that is only held: capture, void, expire.

Payer and payee may both capture and void: a hold is set aside by the one for the other. Anybody else is told that
there is no such payment. The payment's row is locked first, so of two ends at once one wins and the other is told.
"""

from dataclasses import replace
from datetime import datetime

from gateway.errors import CaptureExceedsHold, StateConflict
from gateway.events import log
from gateway.ids import PaymentId, TransferId, new_id, show
from gateway.ledger import book, transfer
from gateway.ledger.transfer import End
from gateway.money import Money
from gateway.payments import pay, records
from gateway.payments.payment import Event, Payment, State, after
from gateway.payments.route import fee
from gateway.payments.terms import Terms
from gateway.postgres import Connection
from gateway.wallets import wallet
from gateway.wallets.wallet import Wallet


async def capture(
    connection: Connection, terms: Terms, caller: Wallet, id: PaymentId, money: Money | None, now: datetime
) -> Payment:
    """Pay what is held, or `money` of it; the rest goes back to the payer in the same moment.

    On the ledger rail the payment is settled, on the chain rail queued. Raises NotFound, StateConflict (not held, or
    held past its time), CaptureExceedsHold.
    """
    payment = await records.payment_for_update(connection, terms.assets, id, caller.id)
    _still_held(payment, now)
    money = money or payment.amount
    if money > payment.amount:
        raise CaptureExceedsHold(money, payment.amount)

    if payment.route.rail == "ledger":
        payment = await _capture_in_ledger(connection, terms, payment, money, now)
    else:
        payment = await _queue_for_chain(connection, terms, payment, money, now)
    return await _record(connection, payment, now)


async def void(connection: Connection, terms: Terms, caller: Wallet, id: PaymentId, now: datetime) -> Payment:
    """Give a held payment's money back to the payer. Raises NotFound, StateConflict (not held)."""
    payment = await records.payment_for_update(connection, terms.assets, id, caller.id)
    voided = replace(payment, state=after(payment.id, payment.state, Event.VOID))
    book.only(await book.void(connection, [payment.transfer_id], now))
    return await _record(connection, voided, now)


async def expire_due(connection: Connection, terms: Terms, now: datetime, limit: int = 100) -> int:
    """Give back what has been held past its time, up to `limit` payments; returns how many."""
    rows = await connection.fetch(records.sql.due_payments, now, limit)
    due = [records.of_row(terms.assets, row) for row in rows]
    expired = [replace(payment, state=after(payment.id, payment.state, Event.EXPIRE)) for payment in due]
    if expired:
        book.all_done(await book.expire(connection, [payment.transfer_id for payment in expired], now))
        await records.update(connection, expired)
        await log.append(connection, [event for payment in expired for event in records.events(payment)], now)
    return len(expired)


def _still_held(payment: Payment, now: datetime) -> None:
    if payment.state is not State.HELD:
        raise StateConflict(show("pay", payment.id), payment.state.value, "capture")
    if payment.expires_at is not None and payment.expires_at <= now:
        raise StateConflict(show("pay", payment.id), State.EXPIRED.value, "capture")


async def _capture_in_ledger(
    connection: Connection, terms: Terms, payment: Payment, money: Money, now: datetime
) -> Payment:
    """A fee was held for the whole amount; what is captured pays its own part of it."""
    cost = min(fee(terms, money), payment.fee, key=lambda part: part.units)
    units = (money.units, cost.units) if payment.fee.units else (money.units,)
    end = End(payment.transfer_id, transfer.Event.CAPTURE, units)
    book.only(await book.capture(connection, [end], now))
    return replace(
        payment, state=after(payment.id, payment.state, Event.SETTLE), captured=money, fee=cost, settled_at=now
    )


async def _queue_for_chain(
    connection: Connection, terms: Terms, payment: Payment, money: Money, now: datetime
) -> Payment:
    """Hold just what is captured until the chain has settled it."""
    payer = await wallet.by_handle(connection, payment.payer_handle)
    payee = await pay.payee_of(connection, payment)
    transfer_id = payment.transfer_id
    if payment.amount > money:
        transfer_id = TransferId(new_id(now))
        smaller = await pay.hold_of(connection, replace(payment, amount=money, transfer_id=transfer_id), payee)
        book.all_done(await book.write(connection, [End(payment.transfer_id, transfer.Event.VOID), smaller], now))
    id = await pay.authorize(connection, terms, money, payer.address, payee.address, now)
    return replace(
        payment,
        state=after(payment.id, payment.state, Event.QUEUE),
        transfer_id=transfer_id,
        authorization_id=id,
        expires_at=None,
    )


async def _record(connection: Connection, payment: Payment, now: datetime) -> Payment:
    await records.update(connection, [payment])
    await log.append(connection, records.events(payment), now)
    return payment

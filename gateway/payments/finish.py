"""The ends of a payment that is only held: capture, void, expire.

Payer and payee may both capture and void: a hold is set aside by the one for the other. Anybody else is told that
there is no such payment. The payments' rows are locked first, so of two ends at once one wins and the other is told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from gateway.chain import authorization
from gateway.errors import CaptureExceedsHold, GatewayError, StateConflict
from gateway.events import log
from gateway.ids import PaymentId, TransferId, WalletId, new_id, show
from gateway.ledger import book, transfer
from gateway.ledger.transfer import End
from gateway.money import Money
from gateway.payments import freeze, pay, records, wallet_freeze
from gateway.payments.once import Alone
from gateway.payments.payment import Event, Payment, State, after
from gateway.payments.route import fee
from gateway.payments.terms import Terms
from gateway.postgres import Connection
from gateway.wallets import wallet


@dataclass(frozen=True, slots=True)
class EndRequest:
    """Somebody's request to end a held payment. `amount` is the part to capture as it was written, since only the
    payment says in which asset; None is all of it.
    """

    event: Literal["capture", "void"]
    payment: PaymentId
    caller: WalletId
    amount: str | None = None


async def end_all(
    connection: Connection, terms: Terms, asked: Sequence[EndRequest], now: datetime
) -> list[Payment | GatewayError | Alone]:
    """Capture and void, in order and each on its own, in a number of statements that does not depend on how many.

    A capture pays what is held, or a part of it, and the rest goes back to the payer in the same moment. On the ledger
    rail the payment is settled then, on the chain rail queued. A void gives all of it back.

    Per request: the payment as it is now, or NotFound, InvalidAmount, AmountTooPrecise, StateConflict (not held, held
    past its time, about to go by itself, or ended by an earlier one of these), CaptureExceedsHold, or WalletFrozen (the
    payer's). A capture on the chain rail is Alone among others; by itself it raises why it is refused.

    Lock order: the payments, all in one statement and in id order, as refunds, the relay, settling and expiry lock
    theirs; then their transfers, then the accounts, each in id order, in the one call of the book.
    """
    held = await records.payments_for_update(connection, terms.assets, [one.payment for one in asked])
    if len(asked) == 1 and _by_chain(held, asked[0]):
        return [await _capture_by_chain(connection, terms, held, asked[0], now)]

    captured = [held[one.payment].payer for one in asked if one.event == "capture" and one.payment in held]
    frozen = await wallet_freeze.frozen(connection, captured) if captured else {}
    results: list[Payment | GatewayError | Alone] = []
    ends: list[End] = []
    for one in asked:
        if _by_chain(held, one):
            results.append(Alone())
            continue
        try:
            payment = records.of_party(held, one.payment, one.caller)
            if one.event == "capture" and payment.payer in frozen:
                raise frozen[payment.payer]
            ended, end = _voided(payment) if one.event == "void" else _captured(terms, payment, one.amount, now)
        except GatewayError as refusal:
            results.append(refusal)
            continue
        held[payment.id] = ended  # what a later request for the same payment finds
        results.append(ended)
        ends.append(end)
    await _write(connection, [result for result in results if isinstance(result, Payment)], ends, now)
    return results


async def expire_due(connection: Connection, terms: Terms, now: datetime, limit: int = 100) -> int:
    """Give back what has been held past its time, up to `limit` payments; returns how many."""
    rows = await connection.fetch(records.sql.due_payments, now, limit)
    return await _expire(connection, [records.of_row(terms.assets, row) for row in rows], now)


async def expire_unsigned(connection: Connection, terms: Terms, now: datetime, limit: int = 100) -> int:
    """Give back what nobody has signed in time; returns how many. A transaction of its own: it locks authorizations.

    Should the owner relay such an authorization after that, it is a transfer from outside like any other.
    """
    rows = await connection.fetch(records.sql.due_unsigned, now, limit)
    due = await records.by_authorizations(connection, terms.assets, [row["id"] for row in rows])
    ids = [payment.authorization_id for payment in due if payment.authorization_id is not None]
    await authorization.finish(connection, ids, "expired", ["unsigned"] * len(ids))
    return await _expire(connection, due, now)


async def _expire(connection: Connection, due: Sequence[Payment], now: datetime) -> int:
    expired = [replace(payment, state=after(payment.id, payment.state, Event.EXPIRE)) for payment in due]
    await _write(connection, expired, [End(payment.transfer_id, transfer.Event.EXPIRE) for payment in due], now)
    return len(expired)


# ---- decide ---------------------------------------------------------------------------------------------------------


def _by_chain(held: Mapping[PaymentId, Payment], one: EndRequest) -> bool:
    return one.event == "capture" and one.payment in held and held[one.payment].route.rail == "chain"


def _voided(payment: Payment) -> tuple[Payment, End]:
    voided = replace(payment, state=after(payment.id, payment.state, Event.VOID))
    return voided, End(payment.transfer_id, transfer.Event.VOID)


def _captured(terms: Terms, payment: Payment, amount: str | None, now: datetime) -> tuple[Payment, End]:
    """A fee was held for the whole amount; what is captured pays its own part of it."""
    money = _part(payment, amount, now)
    cost = min(fee(terms, money), payment.fee, key=lambda part: part.units)
    units = (money.units, cost.units) if payment.fee.units else (money.units,)
    state = after(payment.id, payment.state, Event.SETTLE)
    settled = replace(payment, state=state, captured=money, fee=cost, settled_at=now)
    return settled, End(payment.transfer_id, transfer.Event.CAPTURE, units)


def _part(payment: Payment, amount: str | None, now: datetime) -> Money:
    """What is to be captured of the payment, which is held still."""
    money = payment.amount if amount is None else payment.amount.asset.parse_positive(amount)
    if payment.state is not State.HELD or payment.undo_until is not None:
        raise StateConflict(show("pay", payment.id), payment.state.value, "capture")
    if payment.expires_at is not None and payment.expires_at <= now:
        raise StateConflict(show("pay", payment.id), State.EXPIRED.value, "capture")
    if money > payment.amount:
        raise CaptureExceedsHold(money, payment.amount)
    return money


# ---- write ----------------------------------------------------------------------------------------------------------


async def _capture_by_chain(
    connection: Connection, terms: Terms, held: Mapping[PaymentId, Payment], asked: EndRequest, now: datetime
) -> Payment:
    """Hold just what is captured until the chain has settled it. Raises WithdrawalsFrozen, where it would leave."""
    payment = records.of_party(held, asked.payment, asked.caller)
    money = _part(payment, asked.amount, now)
    await wallet_freeze.check(connection, payment.payer)
    payer = await wallet.by_handle(connection, payment.payer_handle)
    payee = await pay.payee_of(connection, payment)
    if payee.wallet is None:
        await freeze.check(connection, payment.amount.asset)
    transfer_id = payment.transfer_id
    if payment.amount > money:
        transfer_id = TransferId(new_id(now))
        smaller = await pay.hold_of(connection, replace(payment, amount=money, transfer_id=transfer_id), payee)
        book.all_done(await book.write(connection, [End(payment.transfer_id, transfer.Event.VOID), smaller], now))
    id = await pay.authorize(connection, terms, money, payer, payee.address, now)
    queued = replace(
        payment,
        state=after(payment.id, payment.state, Event.QUEUE),
        transfer_id=transfer_id,
        authorization_id=id,
        expires_at=None,
    )
    await _write(connection, [queued], [], now)
    return queued


async def _write(connection: Connection, payments: Sequence[Payment], ends: Sequence[End], now: datetime) -> None:
    """The ends of holds, and the payments that they changed. A payment that is held has a hold, which always ends."""
    if payments:
        book.all_done(await book.write(connection, ends, now))
        await records.update(connection, payments)
        await log.append(connection, [event for payment in payments for event in records.events(payment)], now)

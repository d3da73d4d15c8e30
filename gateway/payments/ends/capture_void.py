"""The ends of a payment that is only held: capture, void, expire.

Payer and payee may both capture and void. Anybody else gets NotFound. The payments' rows are locked first, so if two
requests end the same payment at once, one wins and the other is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from msgspec.structs import replace

from gateway.chain.token import authorization
from gateway.chain.token.failure import UNSIGNED
from gateway.errors import GatewayError, StateConflict
from gateway.events import log
from gateway.idempotency import Unbatched
from gateway.ids import PaymentId, WalletId, show
from gateway.ledger import ledger, transfer
from gateway.ledger.errors import CaptureExceedsHold
from gateway.ledger.transfer import End
from gateway.money import Money
from gateway.payments.checks import checks, wallet_freeze
from gateway.payments.errors import WalletFrozen
from gateway.payments.model import payment_events
from gateway.payments.model.payment import Event, Payment, State, after
from gateway.payments.model.settings import PaymentSettings
from gateway.payments.records import records
from gateway.postgres.pool import Connection


@dataclass(frozen=True, slots=True)
class EndRequest:
    """A request to end a held payment. `amount` is the part to capture, as text, since the asset is the payment's; None
    is all of it.
    """

    event: Literal["capture", "void"]
    payment: PaymentId
    caller: WalletId
    amount: str | None = None


async def end_all(
    connection: Connection, settings: PaymentSettings, asked: Sequence[EndRequest], now: datetime
) -> list[Payment | GatewayError | Unbatched]:
    """Capture and void these, in order and independently. The number of statements does not depend on how many there
    are.

    A capture pays what is held, or a part of it, and returns the rest to the payer in the same transaction; the rail
    decides whether the payment is settled then. A void returns all of it.

    Per request: the payment as it is now, or NotFound, InvalidAmount, AmountTooPrecise, StateConflict (not held, held
    past its expiry, in its undo window, or ended by an earlier one of these), CaptureExceedsHold, or WalletFrozen (the
    payer's). In a group, a capture that needs statements of its own is Unbatched. A single capture raises its refusal.

    Lock order: what the payments count against (checks.py); the payments, all in one statement and in id order, as
    refunds, the relay, settling and expiry lock theirs; then their transfers, then the accounts, each in id order, in
    the one call of the ledger.
    """
    await checks.lock(connection, settings, giving_back=[one.payment for one in asked])
    held = await records.payments_for_update(connection, settings.assets, [one.payment for one in asked])
    payers = [held[one.payment].payer for one in asked if one.event == "capture" and one.payment in held]
    frozen = await wallet_freeze.frozen(connection, payers) if payers else {}
    if len(asked) == 1 and asked[0].event == "capture" and asked[0].payment in held:
        return [await _capture(connection, settings, held, asked[0], frozen, now)]
    results: list[Payment | GatewayError | Unbatched] = []
    ends: list[End] = []
    for one in asked:
        try:
            payment = records.of_party(held, one.payment, one.caller)
            if one.event == "void":
                done: tuple[Payment, End] | None = _voided(payment)
            else:
                money = _part(payment, one.amount, frozen, now)
                done = settings.rail(payment.route.rail).captured(settings, payment, money, now)
        except GatewayError as refusal:
            results.append(refusal)
            continue
        if done is None:
            results.append(Unbatched())
            continue
        ended, end = done
        held[payment.id] = ended  # so that a later request for the same payment sees this
        results.append(ended)
        ends.append(end)
    await _write(connection, [result for result in results if isinstance(result, Payment)], ends, now)
    return results


async def expire_due(connection: Connection, settings: PaymentSettings, now: datetime, limit: int = 100) -> int:
    """Expire up to `limit` payments that have been held past their expiry; return how many."""
    ids = [row["id"] for row in await connection.fetch(records.sql.due_payments, now, limit)]
    await checks.lock(connection, settings, giving_back=ids)
    rows = await connection.fetch(records.sql.due_for_update, now, ids)
    return await _expire(connection, [records.of_row(settings.assets, row) for row in rows], now)


async def expire_unsigned(connection: Connection, settings: PaymentSettings, now: datetime, limit: int = 100) -> int:
    """Expire payments that were not signed in time; return how many. Uses a transaction of its own, since it locks
    authorizations. If the owner relays such an authorization later, it is an external transfer like any other.
    """
    rows = await connection.fetch(records.sql.due_unsigned, now, limit)
    due = await records.by_authorizations(connection, settings.assets, [row["id"] for row in rows])
    ids = [payment.authorization_id for payment in due if payment.authorization_id is not None]
    await authorization.finish(connection, ids, "expired", [UNSIGNED] * len(ids))
    return await _expire(connection, due, now)


async def _expire(connection: Connection, due: Sequence[Payment], now: datetime) -> int:
    expired = [replace(payment, state=after(payment.id, payment.state, Event.EXPIRE)) for payment in due]
    await _write(connection, expired, [End(payment.transfer_id, transfer.Event.EXPIRE) for payment in due], now)
    return len(expired)


# ---- decide ---------------------------------------------------------------------------------------------------------


def _voided(payment: Payment) -> tuple[Payment, End]:
    voided = replace(payment, state=after(payment.id, payment.state, Event.VOID))
    return voided, End(payment.transfer_id, transfer.Event.VOID)


def _part(payment: Payment, amount: str | None, frozen: Mapping[WalletId, WalletFrozen], now: datetime) -> Money:
    """The amount to capture. Checks that the payment is still held and its payer not frozen."""
    if payment.payer in frozen:
        raise frozen[payment.payer]
    money = payment.amount if amount is None else payment.amount.asset.parse_positive(amount)
    if payment.state is not State.HELD or payment.undo_until is not None:
        raise StateConflict(show("pay", payment.id), payment.state.value, "capture")
    if payment.expires_at is not None and payment.expires_at <= now:
        raise StateConflict(show("pay", payment.id), State.EXPIRED.value, "capture")
    if money > payment.amount:
        raise CaptureExceedsHold(money, payment.amount)
    return money


# ---- write ----------------------------------------------------------------------------------------------------------


async def _capture(
    connection: Connection,
    settings: PaymentSettings,
    held: Mapping[PaymentId, Payment],
    asked: EndRequest,
    frozen: Mapping[WalletId, WalletFrozen],
    now: datetime,
) -> Payment:
    payment = records.of_party(held, asked.payment, asked.caller)
    money = _part(payment, asked.amount, frozen, now)
    captured = await settings.rail(payment.route.rail).capture(connection, settings, payment, money, now)
    await _write(connection, [captured], [], now)
    return captured


async def _write(connection: Connection, payments: Sequence[Payment], ends: Sequence[End], now: datetime) -> None:
    """Write the ends of holds and the payments that they change. Every held payment has a hold, so none is missing."""
    if ends:
        ledger.all_done(await ledger.write(connection, ends, now))
    if payments:
        await records.update(connection, payments)
        await log.append(connection, [event for payment in payments for event in payment_events.events(payment)], now)

"""Refund all or part of a settled payment. The refund is a payment of its own."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from gateway.errors import Forbidden, GatewayError, StateConflict
from gateway.idempotency import Claim, Unbatched
from gateway.identity import wallet
from gateway.identity.credential import Credential
from gateway.identity.wallet import Wallet
from gateway.ids import PaymentId, show
from gateway.money import Money
from gateway.payments import pay
from gateway.payments.checks import checks
from gateway.payments.errors import HeldPaymentRefund, NothingLeftToRefund, RefundExceedsPayment, UnknownPayee
from gateway.payments.model.note import Note
from gateway.payments.model.payment import Payment, State
from gateway.payments.model.proposed import Proposed
from gateway.payments.model.settings import PaymentSettings
from gateway.payments.payees.resolver import WALLET_CLOSED, Payee
from gateway.payments.records import records
from gateway.postgres.pool import Connection


class Refund(Struct, frozen=True):
    """The payee's request to refund a payment. `amount` is the part, as text, since the asset is the payment's; None is
    all that is left of it.
    """

    caller: Wallet
    payment: PaymentId
    amount: str | None = None
    by: Credential | None = None
    note: Note | None = None
    claim: Claim | None = None


async def refund(connection: Connection, settings: PaymentSettings, asked: Refund, now: datetime) -> Payment:
    """A single refund. Raises what `refund_all` returns."""
    (result,) = await refund_all(connection, settings, [asked], now)
    if isinstance(result, GatewayError):
        raise result
    assert isinstance(result, Payment), "by itself a refund is decided"
    return result


async def refund_all(
    connection: Connection, settings: PaymentSettings, asked: Sequence[Refund], now: datetime
) -> list[Payment | GatewayError | Unbatched]:
    """Refund these payments, in order and independently. The number of statements does not depend on how many there
    are. A refund takes the rail of the original payment, and has a note of its own (note.py).

    Concurrent refunds never exceed what was paid: the row that counts what is refunded of the original payment is
    locked before what is left is read, and refunds under way count already (records.py).

    Per request: the refund, or NotFound, Forbidden (the caller is the payer), InvalidAmount, AmountTooPrecise,
    StateConflict (not settled), RefundExceedsPayment, InsufficientFunds, or the refusal of a check. Of two refunds of
    one payment the later is Unbatched.

    Lock order: the rows that the checks lock and the limits of the original payments, then those payments, then
    accounts.
    """
    found = await records.payments_of(connection, settings.assets, [one.payment for one in asked])
    payers = await wallet.by_handles(connection, sorted({one.payer_handle for one in found.values()}))
    closed = await wallet.closed(connection, [one.id for one in payers.values()])
    payers = {handle: one for handle, one in payers.items() if one.id not in closed}
    parties = [_proposed(settings, found, payers, one, now) for one in asked]
    await checks.lock(connection, settings, [one for one in parties if isinstance(one, Proposed)], giving_back=found)
    fitting = [one.payment.refund_of for one in parties if isinstance(one, Proposed)]
    locked = found | await records.payments_to_refund(connection, settings.assets, [id for id in fitting if id])

    results: dict[int, Payment | GatewayError | Unbatched] = {}
    ready: list[tuple[int, Proposed]] = []
    begun: set[PaymentId] = set()
    for place, one in enumerate(asked):
        if one.payment in begun:
            results[place] = Unbatched()
            continue
        proposed = _proposed(settings, locked, payers, one, now)
        if isinstance(proposed, GatewayError):
            results[place] = proposed
        else:
            begun.add(one.payment)
            ready.append((place, proposed))
    started = await pay.start_together(connection, settings, [one for _, one in ready], now)
    results |= {place: result for (place, _), result in zip(ready, started, strict=True)}
    return [results[place] for place in range(len(asked))]


def _proposed(
    settings: PaymentSettings,
    firsts: dict[PaymentId, Payment],
    payers: dict[str, Wallet],
    asked: Refund,
    now: datetime,
) -> Proposed | GatewayError:
    """The refund as a payment before any money moves, or its refusal."""
    try:
        first = records.of_party(firsts, asked.payment, asked.caller.id)
        money = _left(first, asked)
        payee = payers.get(first.payer_handle)
        if payee is None:
            raise UnknownPayee(f"@{first.payer_handle}", WALLET_CLOSED)
        request = pay.PayRequest(f"@{payee.handle}", money, first.memo, by=asked.by, note=asked.note, claim=asked.claim)
        to = Payee(payee, payee.address)
        payment = pay.accepted(settings, asked.caller, to, request, now, refund_of=first.id)
        return Proposed(payment, asked.caller, to, asked.by)
    except GatewayError as refusal:
        return refusal


def _left(first: Payment, asked: Refund) -> Money:
    """How much of the payment to refund: no more than is left of it. The constraint `payment_refunded_within_captured`
    (schema/07_payments.sql) holds the same, whoever writes.
    """
    if first.payee != asked.caller.id:
        raise Forbidden("only the payee of a payment can refund it")
    if first.state is State.HELD:
        raise HeldPaymentRefund(show("pay", first.id), first.state.value, "refund")
    if first.state is not State.SETTLED:
        raise StateConflict(show("pay", first.id), first.state.value, "refund")
    left = first.captured - first.refunded
    money = left if asked.amount is None else left.asset.parse_positive(asked.amount)
    if left.units == 0:
        raise NothingLeftToRefund(asked=money, left=left)
    if money > left:
        raise RefundExceedsPayment(asked=money, left=left)
    return money

"""Pay somebody, or see what it would be like. Both rails begin here; the ledger's also ends here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

from gateway.access.credential import Credential
from gateway.chain import authorization
from gateway.chain.authorization import Order
from gateway.errors import Contended, GatewayError, InsufficientFunds, InvalidRequest, OwnKey
from gateway.events import log
from gateway.ids import AccountId, PaymentId, TransferId, WalletId, new_id
from gateway.ledger import account, book
from gateway.ledger.transfer import Leg, Transfer
from gateway.money import Asset, Money
from gateway.payments import checks, ledger_rail, records
from gateway.payments.check import Proposed
from gateway.payments.note import Note
from gateway.payments.once import Alone
from gateway.payments.payees.lookup import find_payee, find_payees
from gateway.payments.payees.resolver import Payee
from gateway.payments.payment import Event, Payment, State, after
from gateway.payments.route import Route, fee, route
from gateway.payments.terms import Terms
from gateway.postgres import Connection
from gateway.wallets import wallet
from gateway.wallets.wallet import Wallet

#: Why tokens are not held for a payer who keeps the key.
NO_HOLD = "tokens cannot be set aside at an address that only its owner signs for; pay them at once, and sign"

#: Longest memo, in characters.
MEMO_MAX = 280


@dataclass(frozen=True, slots=True)
class PayRequest:
    """`to` is `@handle` or a `0x` address. Without `capture` the money is only held, for capture or void later."""

    to: str
    money: Money
    memo: str | None = None
    capture: bool = True
    by: Credential | None = None  #: Who asks, where the payer's policy wants to know.
    note: Note | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """A payment before any money moved, and its two sides."""

    payment: Payment
    payer: Wallet
    payee: Payee
    by: Credential | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a payment would be like: its route, its fee, what the payer would have available after it, and why it would
    have to be approved first.
    """

    route: Route
    fee: Money
    available_after: Money
    approval: tuple[str, ...]


async def pay(connection: Connection, terms: Terms, payer: Wallet, request: PayRequest, now: datetime) -> Payment:
    """Accept a payment. On the ledger rail it is settled when this commits; on the chain rail it is queued, its money
    held and its EIP-3009 nonce stored; where the payer keeps the key, it waits for its signature first (sign.py), and
    where the payer's policy asks about it, for an approval (approve.py), its money held. The payment, its money and its
    event are one transaction.

    Raises UnknownPayee, SelfPayment, InvalidRequest (the memo), OwnKey (a hold of tokens), WithdrawalsFrozen,
    WalletFrozen, InsufficientFunds.
    """
    payee = await find_payee(connection, terms, payer, request.to)
    return await start(connection, terms, payer, payee, request, now)


async def pay_together(
    connection: Connection, terms: Terms, asked: Sequence[tuple[Wallet, PayRequest]], now: datetime
) -> list[Payment | GatewayError | Alone]:
    """`pay` for many payers at once, in order and each on its own: one that is refused moves nothing and does not
    disturb the others. The number of statements does not depend on how many they are.

    Checks decide before the money is looked at, so a payment for which there is too little has taken room of limits
    that its payer's next payments have. Where that may be why one of them is refused, it is Alone. Raises Contended
    where that may be why one waits for an approval: then each is asked again by itself.
    """
    payees = await find_payees(connection, terms, [(payer, request.to) for payer, request in asked])
    results: list[Payment | GatewayError | Alone] = []
    ready: list[Accepted] = []
    places: list[int] = []
    for place, ((payer, request), payee) in enumerate(zip(asked, payees, strict=True)):
        try:
            if isinstance(payee, GatewayError):
                raise payee
            payment = accepted(terms, payer, payee, request, now)
        except GatewayError as refusal:
            results.append(refusal)
        else:
            results.append(payment)
            ready.append(Accepted(payment, payer, payee, request.by))
            places.append(place)
    for place, started in zip(places, await start_all(connection, terms, ready, now), strict=True):
        results[place] = started
    short: set[WalletId] = set()
    for place, ((payer, _), result) in enumerate(zip(asked, results, strict=True)):
        if isinstance(result, InsufficientFunds):
            short.add(payer.id)
        elif payer.id in short and isinstance(result, GatewayError):
            results[place] = Alone()
        elif payer.id in short and isinstance(result, Payment) and result.approval:
            raise Contended
    return results


async def preview(connection: Connection, terms: Terms, payer: Wallet, request: PayRequest, now: datetime) -> Preview:
    """The same answers as `pay`, moving nothing. `available_after` is below zero where there is not enough money."""
    payee = await find_payee(connection, terms, payer, request.to)
    checked = await checks.preview(
        connection, terms, Proposed(accepted(terms, payer, payee, request, now), request.by), now
    )
    if isinstance(checked, GatewayError):
        raise checked
    code = account.wallet(payer.handle, request.money.asset)
    balance = (await book.balances(connection, terms.assets, [code])).get(code)
    available = Money(balance.available if balance else 0, request.money.asset)
    return Preview(checked.route, checked.fee, available - request.money - checked.fee, checked.approval or ())


async def start(
    connection: Connection,
    terms: Terms,
    payer: Wallet,
    payee: Payee,
    request: PayRequest,
    now: datetime,
    refund_of: PaymentId | None = None,
) -> Payment:
    """`pay`, once it is known who is paid."""
    payment = accepted(terms, payer, payee, request, now, refund_of)
    (result,) = await start_all(connection, terms, [Accepted(payment, payer, payee, request.by)], now)
    if isinstance(result, GatewayError):
        raise result
    return result


async def start_all(
    connection: Connection, terms: Terms, asked: Sequence[Accepted], now: datetime
) -> list[Payment | GatewayError]:
    """Move or hold the money of accepted payments, in order and each on its own, and write their rows, authorizations
    and events. Per payment: as it is now, or InsufficientFunds, or why a check has refused it (checks.py). A refused
    one moved nothing; it may have opened an account, which is empty.
    """
    checked = await checks.check_all(connection, terms, [Proposed(one.payment, one.by) for one in asked], now)
    staying = [
        replace(one, payment=result)
        for one, result in zip(asked, checked.results, strict=True)
        if isinstance(result, Payment)
    ]
    started = await _start(connection, terms, staying, now)
    paid = [
        Proposed(result, one.by) for one, result in zip(staying, started, strict=True) if isinstance(result, Payment)
    ]
    await checked.write(connection, paid)
    if refunds := [one.payment for one in paid if one.payment.refund_of is not None]:
        await records.add_refunded(connection, refunds)
    outcomes = iter(started)
    return [next(outcomes) if isinstance(result, Payment) else result for result in checked.results]


async def _start(
    connection: Connection, terms: Terms, asked: Sequence[Accepted], now: datetime
) -> list[Payment | GatewayError]:
    """Payments that have passed the checks, in order: what settles at once, and what is held first."""
    ids = await book.accounts(connection, [account for one in asked for account in _accounts(one.payment, one.payee)])
    runs = [(at_once, list(run)) for at_once, run in groupby(asked, key=lambda one: _at_once(one.payment))]
    if len(runs) > 1:
        await book.lock(connection, ids.values())
    results: list[Payment | GatewayError] = []
    for at_once, run in runs:
        if at_once:
            results += await ledger_rail.settle(connection, [one.payment for one in run], now)
        else:
            results += await _hold(connection, terms, run, ids, now)
    return results


async def _hold(
    connection: Connection, terms: Terms, asked: Sequence[Accepted], ids: Mapping[str, AccountId], now: datetime
) -> list[Payment | GatewayError]:
    written = await book.write(connection, [_transfer(one.payment, one.payee, ids) for one in asked], now)
    orders: list[Order] = []
    results: list[Payment | GatewayError] = []
    own: set[tuple[str, str]] = set()
    for one, result in zip(asked, written, strict=True):
        payment = one.payment
        if isinstance(result, GatewayError):
            results.append(result)
            continue
        if _to_sign(payment):
            orders.append(_order(terms, payment.amount, one.payer, one.payee.address, now))
            own.add((payment.amount.asset.code, one.payer.address))
            payment = replace(payment, authorization_id=orders[-1].id)
        elif payment.expires_at is None and payment.undo_until is None:
            orders.append(_order(terms, payment.amount, one.payer, one.payee.address, now))
            state = after(payment.id, payment.state, Event.QUEUE)
            payment = replace(payment, state=state, authorization_id=orders[-1].id)
        results.append(payment)
    holding = [one.payer for one in asked if one.payment.route.rail == "chain"]
    if len(orders) < len(holding) and await wallet.have_moved(connection, holding):
        raise Contended  # nothing takes a nonce of what is only held, which would see that the address was left
    if own:
        await authorization.begin_nonces(connection, sorted(own))
    if orders:
        await authorization.enqueue(connection, orders, now)
    started = [result for result in results if isinstance(result, Payment)]
    await records.insert(connection, started)
    await log.append(connection, [event for payment in started for event in records.events(payment)], now)
    return results


def accepted(
    terms: Terms, payer: Wallet, payee: Payee, request: PayRequest, now: datetime, refund_of: PaymentId | None = None
) -> Payment:
    """The payment that a request asks for, before any money moved. A refund has no fee.

    Raises UnknownPayee (fiat to an address), InvalidRequest (the memo), OwnKey (a hold of tokens that cannot be held).
    """
    check_memo(request.memo)
    way = route(terms, request.money, outside=None if payee.wallet else payee.address)
    nothing = Money(0, request.money.asset)
    own = way.rail == "chain" and payer.signs_itself
    if own and not request.capture:
        raise OwnKey(payer.handle, NO_HOLD)
    wait_seconds = terms.signature_seconds if own else None if request.capture else terms.hold_seconds
    return Payment(
        id=PaymentId(new_id(now)),
        state=State.REQUIRES_CONFIRMATION if own else State.HELD,
        payer=payer.id,
        payer_handle=payer.handle,
        payee=payee.wallet.id if payee.wallet else None,
        payee_handle=payee.wallet.handle if payee.wallet else None,
        payee_address=None if payee.wallet else payee.address,
        amount=request.money,
        fee=fee(terms, request.money) if refund_of is None else nothing,
        captured=nothing,
        refunded=nothing,
        memo=request.memo,
        route=way,
        transfer_id=TransferId(new_id(now)),
        authorization_id=None,
        refund_of=refund_of,
        tx_hash=None,
        failure=None,
        created_at=now,
        expires_at=None if wait_seconds is None else now + timedelta(seconds=wait_seconds),
        settled_at=None,
        capture=request.capture,
        note=request.note,
    )


def _to_sign(payment: Payment) -> bool:
    """Whether the payment waits for the signature of its payer's own key."""
    return payment.state is State.REQUIRES_CONFIRMATION and payment.approval is None


def _at_once(payment: Payment) -> bool:
    """Whether the payment is settled when it is accepted."""
    return payment.route.rail == "ledger" and payment.expires_at is None


async def authorize(
    connection: Connection, terms: Terms, money: Money, payer: Wallet, receiver: str, now: datetime
) -> UUID:
    """Queue the EIP-3009 authorization that lets a held payment's tokens move, with its nonce; returns its id.

    Raises OwnKey where the payer has taken the key meanwhile: nobody can sign what was only held.
    """
    if payer.signs_itself:
        raise OwnKey(payer.handle, NO_HOLD)
    order = _order(terms, money, payer, receiver, now)
    await authorization.enqueue(connection, [order], now)
    return order.id


def _order(terms: Terms, money: Money, payer: Wallet, receiver: str, now: datetime) -> Order:
    terms.contract(money.asset)  # refused here rather than queued for a contract that is not there
    seconds = terms.authorization_seconds + (terms.signature_seconds if payer.signs_itself else 0)
    return Order(
        id=new_id(now),
        kind="transfer",
        asset=money.asset.code,
        from_address=payer.address,
        to_address=receiver,
        value=money.units,
        valid_before=int(now.timestamp()) + seconds,
        by=payer.custody,
    )


async def payee_of(connection: Connection, payment: Payment) -> Payee:
    """The payee of a payment that was accepted."""
    if payment.payee_handle is None:
        return Payee(None, str(payment.payee_address))
    found = await wallet.by_handle(connection, payment.payee_handle)
    return Payee(found, found.address)


def _accounts(payment: Payment, payee: Payee) -> list[tuple[str, Asset]]:
    """The accounts that the payment touches: the payer's, the payee's and, where there is a fee, the house's."""
    asset = payment.amount.asset
    codes = [account.wallet(payment.payer_handle, asset), payee.account_code(asset)]
    if payment.fee.units:
        codes.append(account.house("fees", asset))
    return [(code, asset) for code in codes]


def _transfer(payment: Payment, payee: Payee, ids: Mapping[str, AccountId]) -> Transfer:
    """The payment as a transfer: the amount to the payee and, where there is one, the fee to the house."""
    sender, *receivers = (ids[code] for code, _ in _accounts(payment, payee))
    units = (payment.amount.units, payment.fee.units)
    legs = tuple(Leg(sender, receiver, part) for receiver, part in zip(receivers, units, strict=False))
    purpose = "payment" if payment.refund_of is None else "refund"
    return Transfer(payment.transfer_id, purpose, payment.id, legs, hold=not _at_once(payment))


async def hold_of(connection: Connection, payment: Payment, payee: Payee) -> Transfer:
    """The hold of a payment whose amount or transfer is another than when it was accepted."""
    return _transfer(payment, payee, await book.accounts(connection, _accounts(payment, payee)))


def check_memo(memo: str | None) -> None:
    """Raises InvalidRequest for a memo that is too long, or that PostgreSQL could not keep."""
    if memo is not None and (len(memo) > MEMO_MAX or "\x00" in memo):
        raise InvalidRequest("memo", f"a memo has up to {MEMO_MAX} characters and no NUL; shorten it")

"""Pay somebody, or preview a payment. Payments on both rails begin here; those on the ledger rail also settle here.

A payment with a `request` pays a request for money; checks/open_request.py compares the two and marks it as paid.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from msgspec import Struct

from gateway.errors import GatewayError
from gateway.idempotency import Claim, Unbatched
from gateway.identity.credential import Credential
from gateway.identity.wallet import Wallet
from gateway.ids import PaymentId, RequestId, TransferId, WalletId, new_id
from gateway.ledger import account, ledger
from gateway.ledger.errors import InsufficientFunds
from gateway.money import Money
from gateway.payments.checks import checks
from gateway.payments.errors import OwnKey
from gateway.payments.model.fee import fee
from gateway.payments.model.memo import check_memo
from gateway.payments.model.note import Note
from gateway.payments.model.payment import Payment, State
from gateway.payments.model.proposed import Proposed
from gateway.payments.model.route import Route
from gateway.payments.model.settings import PaymentSettings
from gateway.payments.payees.lookup import find_payee, find_payees
from gateway.payments.payees.resolver import Payee
from gateway.payments.rails import hold
from gateway.payments.records import records
from gateway.postgres.errors import Contended
from gateway.postgres.pool import Connection


class PayRequest(Struct, frozen=True):
    """`to` is `@handle` or a `0x` address. Without `capture` the money is only held, for capture or void later."""

    to: str
    money: Money
    memo: str | None = None
    capture: bool = True
    by: Credential | None = None  #: The credential of the caller, for the payer's policy.
    note: Note | None = None
    claim: Claim | None = None  #: The caller's idempotency key, which is stored with a payment that settles at once.
    request: RequestId | None = None  #: The request for money that it pays.


@dataclass(frozen=True, slots=True)
class Preview:
    """The preview of a payment: its route, its fee, the payer's available balance after it, and why it would need an
    approval. With `refusal` it would be refused; the other fields are as if it were not.
    """

    route: Route
    fee: Money
    available_after: Money
    approval: tuple[str, ...]
    refusal: InsufficientFunds | None


async def pay(
    connection: Connection, settings: PaymentSettings, payer: Wallet, request: PayRequest, now: datetime
) -> Payment:
    """Accept a payment. On the ledger rail it is settled when this commits; on the chain rail it is queued, its money
    held and its EIP-3009 nonce stored; if the payer keeps the key, it first waits for a signature (sign.py), and if the
    payer's policy requires an approval, for that (approve.py), its money held. The payment, its money and its event are
    one transaction.

    Raises UnknownPayee, SelfPayment, InvalidRequest (the memo), OwnKey (a hold of tokens), WithdrawalsFrozen,
    WalletFrozen, InsufficientFunds; for a request, NotFound, RequestMismatch, RequestNotOpen.
    """
    payee = await find_payee(connection, settings, payer, request.to)
    return await start(connection, settings, payer, payee, request, now)


async def pay_together(
    connection: Connection, settings: PaymentSettings, asked: Sequence[tuple[Wallet, PayRequest]], now: datetime
) -> list[Payment | GatewayError | Unbatched]:
    """`pay` for many payers at once, in order and independently: a refused payment moves nothing and does not affect
    the others. The number of statements does not depend on how many there are. For Unbatched and Contended see
    `start_together`.
    """
    payees = await find_payees(connection, settings, [(payer, request.to) for payer, request in asked])
    results: list[Payment | GatewayError | Unbatched] = []
    ready: list[Proposed] = []
    places: list[int] = []
    for place, ((payer, request), payee) in enumerate(zip(asked, payees, strict=True)):
        try:
            if isinstance(payee, GatewayError):
                raise payee
            payment = accepted(settings, payer, payee, request, now)
        except GatewayError as refusal:
            results.append(refusal)
        else:
            results.append(payment)
            ready.append(Proposed(payment, payer, payee, request.by, request=request.request))
            places.append(place)
    for place, started in zip(places, await start_together(connection, settings, ready, now), strict=True):
        results[place] = started
    return results


async def start_together(
    connection: Connection, settings: PaymentSettings, asked: Sequence[Proposed], now: datetime
) -> list[Payment | GatewayError | Unbatched]:
    """`start_all`, with the outcome that each payment would have on its own.

    Checks decide before balances are read, so a payment with insufficient funds has used up limits that its payer's
    next payments need. If one of those may have been refused for that reason, it is Unbatched. If one may need an
    approval for that reason, Contended is raised, and each payment is retried on its own.
    """
    results: list[Payment | GatewayError | Unbatched] = []
    short: set[WalletId] = set()
    for one, result in zip(asked, await start_all(connection, settings, asked, now), strict=True):
        payer = one.payment.payer
        if isinstance(result, InsufficientFunds):
            short.add(payer)
        elif payer in short and isinstance(result, Payment) and result.approval:
            raise Contended
        elif payer in short and isinstance(result, GatewayError):
            results.append(Unbatched())
            continue
        results.append(result)
    return results


async def preview(
    connection: Connection, settings: PaymentSettings, payer: Wallet, request: PayRequest, now: datetime
) -> Preview:
    """The same decisions as `pay`, without moving money. Raises what `pay` raises, except InsufficientFunds, which is
    in the answer: a payer with too little money still wants to know the rail, the fee, and how much is missing.
    """
    payee = await find_payee(connection, settings, payer, request.to)
    payment = accepted(settings, payer, payee, request, now)
    checked = await checks.preview(
        connection, settings, Proposed(payment, payer, payee, request.by, request=request.request), now
    )
    if isinstance(checked, GatewayError):
        raise checked
    code = account.wallet(payer.handle, request.money.asset)
    balance = (await ledger.balances(connection, settings.assets, [code])).get(code)
    available = Money(balance.available if balance else 0, request.money.asset)
    needed = request.money + checked.fee
    refusal = InsufficientFunds(code, needed, available) if needed > available else None
    return Preview(checked.route, checked.fee, available - needed, checked.approval or (), refusal)


async def start(
    connection: Connection,
    settings: PaymentSettings,
    payer: Wallet,
    payee: Payee,
    request: PayRequest,
    now: datetime,
    refund_of: PaymentId | None = None,
) -> Payment:
    """`pay`, with the payee already resolved."""
    payment = accepted(settings, payer, payee, request, now, refund_of)
    proposed = Proposed(payment, payer, payee, request.by, request=request.request)
    (result,) = await start_all(connection, settings, [proposed], now)
    if isinstance(result, GatewayError):
        raise result
    return result


async def start_all(
    connection: Connection, settings: PaymentSettings, asked: Sequence[Proposed], now: datetime
) -> list[Payment | GatewayError]:
    """Move or hold the money of accepted payments, in order and each on its own, and write their rows, authorizations
    and events. Per payment: as it is now, or InsufficientFunds, or the refusal of a check (checks.py). A refused
    payment moved nothing; it may have opened an account, which is empty.
    """
    checked = await checks.check_all(connection, settings, asked, now)
    staying = checked.passed(asked)
    started = await _start(connection, settings, staying, now)
    both = zip(staying, started, strict=True)
    paid = [one.having(result) for one, result in both if isinstance(result, Payment)]
    await checked.write(paid)
    if refunds := [one.payment for one in paid if one.payment.refund_of is not None]:
        await records.add_refunded(connection, refunds)
    outcomes = iter(started)
    return [next(outcomes) if isinstance(result, Payment) else result for result in checked.results]


async def _start(
    connection: Connection, settings: PaymentSettings, asked: Sequence[Proposed], now: datetime
) -> list[Payment | GatewayError]:
    """Pass payments that have passed the checks to their rails."""
    by_rail: dict[str, list[int]] = {}
    for place, one in enumerate(asked):
        by_rail.setdefault(one.payment.route.rail, []).append(place)
    if len(by_rail) > 1:  # each rail locks its own accounts: all of them are locked first, in one order
        await ledger.lock(connection, (await hold.accounts(connection, asked)).values())
    results: dict[int, Payment | GatewayError] = {}
    for rail in settings.rails:
        if places := by_rail.get(rail.name):
            own = await rail.accept(connection, settings, [asked[place] for place in places], now)
            results |= zip(places, own, strict=True)
    return [results[place] for place in range(len(asked))]


def accepted(
    settings: PaymentSettings,
    payer: Wallet,
    payee: Payee,
    request: PayRequest,
    now: datetime,
    refund_of: PaymentId | None = None,
) -> Payment:
    """The payment that a call describes, before any money moves. A refund has no fee.

    Raises UnknownPayee (fiat to an address), InvalidRequest (the memo), OwnKey (a hold of tokens that cannot be held).
    """
    check_memo(request.memo)
    way = settings.route(request.money, outside=None if payee.wallet else payee.address)
    nothing = Money(0, request.money.asset)
    own = payer.signs_itself and settings.rail(way.rail).signed
    if own and not request.capture:
        raise OwnKey(payer.handle, hold.NO_HOLD)
    wait_seconds = settings.signature_seconds if own else None if request.capture else settings.hold_seconds
    id = PaymentId(new_id(now))
    return Payment(
        id=id,
        state=State.REQUIRES_CONFIRMATION if own else State.HELD,
        payer=payer.id,
        payer_handle=payer.handle,
        payee=payee.wallet.id if payee.wallet else None,
        payee_handle=payee.wallet.handle if payee.wallet else None,
        payee_address=None if payee.wallet else payee.address,
        amount=request.money,
        fee=fee(settings, request.money) if refund_of is None else nothing,
        captured=nothing,
        refunded=nothing,
        memo=request.memo,
        route=way,
        transfer_id=TransferId(id),
        authorization_id=None,
        refund_of=refund_of,
        tx_hash=None,
        failure=None,
        created_at=now,
        expires_at=None if wait_seconds is None else now + timedelta(seconds=wait_seconds),
        settled_at=None,
        capture=request.capture,
        note=request.note,
        hidden_from_payee=request.by is None or request.by.kind != "mandate",  # the payee of a draw requests it
        claim=request.claim if request.claim is not None and request.claim.wallet == payer.id else None,
    )

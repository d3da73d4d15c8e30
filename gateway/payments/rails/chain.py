"""The chain rail: tokens, moved by an EIP-3009 authorization that a relayer sends to the chain.

A payment is held from its acceptance to the final block that has its transfer (payments/settles/payments.py). It is
queued with its authorization, whose nonce is stored before anything is signed; where the payer keeps the key it waits
for its signature (sign.py).

All payments are accepted by `hold_payments` (hold.py): those of plain API keys, of keys with caps, and of sessions
that need no check (`pay_all`) in a PostgreSQL transaction of its own, which also finds who pays and uses the
idempotency key; all others once they have passed the checks, in the caller's transaction.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from gateway.chain.token import authorization
from gateway.chain.token.authorization import Order
from gateway.errors import GatewayError
from gateway.identity import wallet
from gateway.identity.wallet import Wallet
from gateway.ids import TransferId, WalletId, new_id
from gateway.ledger import ledger, transfer
from gateway.ledger.transfer import End
from gateway.money import Money
from gateway.payments.checks import withdrawal_freeze
from gateway.payments.errors import OwnKey
from gateway.payments.model.payment import Event, Payment, State, after
from gateway.payments.model.plain import NotDone, handle_of
from gateway.payments.model.proposed import Proposed
from gateway.payments.model.rail import Rail
from gateway.payments.model.rail_settings import RailSettings
from gateway.payments.model.route import Route, stored, token_route
from gateway.payments.model.settings import PaymentSettings
from gateway.payments.rails import hold
from gateway.payments.rails.hold import HeldFirst, Holder
from gateway.postgres.errors import Contended
from gateway.postgres.pool import Connection, Database


class ChainRail(Rail):
    """Moves tokens between addresses."""

    name = "chain"
    final_at_once = False
    signed = True

    def quote(self, settings: RailSettings, money: Money, outside: str | None) -> Route | None:
        return (
            token_route(money.asset, outside is not None, settings.finality_seconds)
            if money.asset.kind == "token"
            else None
        )

    async def accept(
        self, connection: Connection, settings: RailSettings, asked: Sequence[Proposed], now: datetime
    ) -> list[Payment | GatewayError]:
        going = [_queued(one) for one in asked]
        own = {(one.payment.amount.asset.code, one.payer.address) for one in going if _is_to_be_signed(one.payment)}
        if own:
            await ledger.lock(connection, (await hold.accounts(connection, asked)).values())
            await authorization.begin_nonces(connection, sorted(own))
        until = [_valid_before(settings, one.payer, now) if one.payment.authorization_id else None for one in going]
        results = await hold.accept(connection, self.name, going, now, until)
        if None in until and await wallet.have_moved(connection, [one.payer for one in asked]):
            raise Contended  # a held payment has no nonce yet, and so no check that the address is still the wallet's
        for one in results:
            if isinstance(one, Payment) and one.authorization_id:
                settings.contract(one.amount.asset)  # refused here rather than queued for a contract that is not there
        return results

    def captured(
        self, settings: RailSettings, payment: Payment, money: Money, now: datetime
    ) -> tuple[Payment, End] | None:
        return None

    async def capture(
        self, connection: Connection, settings: RailSettings, payment: Payment, money: Money, now: datetime
    ) -> Payment:
        """Hold the captured amount only, until the chain has settled it. Raises WithdrawalsFrozen if the payee is
        outside the gateway, and OwnKey if the payer has exported the key meanwhile: the gateway can no longer sign the
        payment.
        """
        payer = await wallet.by_handle(connection, payment.payer_handle)
        payee = await hold.payee_of(connection, payment)
        if payee.wallet is None:
            await withdrawal_freeze.check(connection, payment.amount.asset)
        transfer_id = payment.transfer_id
        if payment.amount > money:
            transfer_id = TransferId(new_id(now))
            smaller = await hold.hold_of(connection, replace(payment, amount=money, transfer_id=transfer_id), payee)
            ledger.all_done(
                await ledger.write(connection, [End(payment.transfer_id, transfer.Event.VOID), smaller], now)
            )
        if payer.signs_itself:
            raise OwnKey(payer.handle, hold.NO_HOLD)
        settings.contract(money.asset)  # refused here rather than queued for a contract that is not there
        order = Order(
            id=new_id(now),
            kind="transfer",
            asset=money.asset.code,
            from_address=payer.address,
            to_address=payee.address,
            value=money.units,
            valid_before=_valid_before(settings, payer, now),
        )
        await authorization.enqueue(connection, [order], now)
        return replace(
            payment,
            state=after(payment.id, payment.state, Event.QUEUE),
            transfer_id=transfer_id,
            authorization_id=order.id,
            expires_at=None,
            undo_until=None,
        )


def _queued(one: Proposed) -> Proposed:
    """The payment with the authorization that is queued or that its payer has to sign; without one, if it is only held
    or waits for an approval.
    """
    payment = one.payment
    if _is_to_be_signed(payment):
        return one.having(replace(payment, authorization_id=new_id(payment.created_at)))
    if payment.expires_at is None and payment.undo_until is None:
        state = after(payment.id, payment.state, Event.QUEUE)
        return one.having(replace(payment, state=state, authorization_id=payment.id))
    return one


def _is_to_be_signed(payment: Payment) -> bool:
    """Whether the payment waits for the signature of its payer's own key, and not for an approval."""
    return payment.state is State.REQUIRES_CONFIRMATION and payment.approval is None


def _valid_before(settings: RailSettings, payer: Wallet, now: datetime) -> int:
    """The `validBefore` of an authorization by the payer, in Unix seconds."""
    seconds = settings.authorization_seconds + (settings.signature_seconds if payer.signs_itself else 0)
    return int(now.timestamp()) + seconds


# ---- payments of plain API keys, and of keys with caps and sessions --------------------------------------------------


class TokenPayment(HeldFirst, frozen=True):
    """A payment of tokens by a payer whose key the gateway keeps."""


class Queued(Struct, frozen=True):
    """A request whose money is held and whose authorization is queued: the payer, the route, and the time. `payer` is
    the payer's wallet if the caller used a session.
    """

    asked: TokenPayment
    payer_handle: str
    route: Route
    at: datetime
    payer: WalletId | None = None


#: The outcome of a request.
Outcome = Queued | NotDone


def payee_of(settings: PaymentSettings, to: str, money: Money, capture: bool) -> str | None:
    """The payee's handle if this path can take the payment; None for fiat, holds, addresses, other spellings, and
    tokens that are not deployed.
    """
    return handle_of(to) if capture and money.asset.code in settings.contracts else None


async def pay_all(
    database: Database,
    settings: PaymentSettings,
    asked: Sequence[TokenPayment],
    now: datetime,
    left_out: Collection[str] = (),
) -> list[Outcome]:
    """Queue the payments, independently, in one PostgreSQL transaction that is committed when this returns. Payments in
    sessions of the wallets `left_out` (ids) are left to the checks.

    Raises DatabaseUnavailable: the outcome is unknown then; retry each payment with its idempotency key.
    """
    async with database.one_statement() as connection:
        return await pay_in(connection, settings, asked, now, left_out)


async def pay_in(
    connection: Connection,
    settings: PaymentSettings,
    asked: Sequence[TokenPayment],
    now: datetime,
    left_out: Collection[str] = (),
) -> list[Outcome]:
    """`pay_all` as a part of the caller's transaction."""
    ways = [settings.route(one.money, outside=None) for one in asked]
    routes = [stored(way, Money(0, one.money.asset), outside=False) for one, way in zip(asked, ways, strict=True)]
    valid_before = int(now.timestamp()) + settings.authorization_seconds
    outcomes = await hold.hold_all(
        *(connection, settings, ChainRail.name, asked, now, "queued", left_out),
        valid_before=valid_before,
        routes=routes,
    )
    return [
        Queued(one, outcome.handle, way, now, outcome.payer) if isinstance(outcome, Holder) else outcome
        for one, way, outcome in zip(asked, ways, outcomes, strict=True)
    ]

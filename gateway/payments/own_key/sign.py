"""Sign a payment with the payer's own key: it was accepted, its money set aside, and it waits for a signature.

What is to be signed is EIP-712 typed data (eth_signTypedData_v4), which any wallet shows and signs. With the signature
the payment is queued and goes on like any other. The owner does not depend on the gateway: anybody may relay the signed
authorization. Final logs decide (gateway/settlement/), also for a payment that still waits.
"""

from datetime import datetime
from typing import Any

from msgspec.structs import replace

from gateway.chain import signature
from gateway.chain.errors import NodeUnavailable
from gateway.chain.node import Node
from gateway.chain.token import authorization, eip3009
from gateway.chain.token.authorization import Tracked
from gateway.chain.token.eip3009 import Authorization
from gateway.errors import Forbidden, StateConflict
from gateway.events import log
from gateway.ids import PaymentId, WalletId, show
from gateway.payments.checks import wallet_freeze, withdrawal_freeze
from gateway.payments.model import payment_events
from gateway.payments.model.payment import Event, Payment, State, after
from gateway.payments.model.settings import PaymentSettings
from gateway.payments.records import records
from gateway.postgres.pool import Connection, Database


async def to_sign(connection: Connection, settings: PaymentSettings, payment: Payment) -> dict[str, Any] | None:
    """The EIP-712 data that the payer has to sign, as JSON; None if the payment does not wait for a signature."""
    if payment.state is not State.REQUIRES_CONFIRMATION or payment.authorization_id is None:
        return None
    tracked = await authorization.one(connection, payment.authorization_id)
    return eip3009.typed_data(settings.contract(payment.amount.asset), tracked.authorization)


async def sign(
    database: Database,
    node: Node | None,
    settings: PaymentSettings,
    caller: WalletId,
    id: PaymentId,
    signed: bytes,
    now: datetime,
) -> Payment:
    """Queue the caller's payment with its signature. The same signature again finds the payment as it is.

    A key's signature is checked here. For a contract wallet's signature the contract is called, before the transaction.
    `node` may be None for keys.

    Raises NotFound, Forbidden (the caller is the payee), InvalidSignature, StateConflict (it waits for no signature, or
    its time is over), WithdrawalsFrozen, WalletFrozen, NodeUnavailable (a contract cannot be called).
    """
    async with database.reading() as connection:
        payment, tracked = await _payment(connection, settings, caller, id)
    if _is_signed_by(payment, tracked, signed):
        return payment
    signed = await _checked(node, settings, payment, tracked.authorization, signed)
    async with database.transaction() as connection:
        # The authorization first, then the payment: as settling and expiry lock them.
        tracked = await authorization.one(connection, tracked.id, for_update=True)
        payment = await records.payment_for_update(connection, settings.assets, id, caller)
        if _is_signed_by(payment, tracked, signed):
            return payment
        if payment.expires_at is not None and payment.expires_at <= now:
            raise StateConflict(show("pay", id), State.EXPIRED.value, Event.SIGN.value)
        state = after(payment.id, payment.state, Event.SIGN)
        await wallet_freeze.check(connection, caller)
        if payment.payee is None:
            await withdrawal_freeze.check(connection, payment.amount.asset)
        queued = replace(payment, state=state, expires_at=None)
        await authorization.sign(connection, tracked.id, signed)
        await records.update(connection, [queued])
        await log.append(connection, payment_events.events(queued), now)
    return queued


def _is_signed_by(payment: Payment, tracked: Tracked, signed: bytes) -> bool:
    """Whether the payment was queued with exactly this signature."""
    gone_on = payment.state is not State.REQUIRES_CONFIRMATION
    return gone_on and signature.is_same(tracked.authorization.signature, signed)


async def _payment(
    connection: Connection, settings: PaymentSettings, caller: WalletId, id: PaymentId
) -> tuple[Payment, Tracked]:
    """The payment and its authorization, signed or not."""
    payment = await records.payment(connection, settings.assets, id, caller)
    if payment.payer != caller:
        raise Forbidden("only the payer of a payment can sign it")
    if payment.authorization_id is None:
        raise StateConflict(show("pay", id), payment.state.value, Event.SIGN.value)
    tracked = await authorization.one(connection, payment.authorization_id)
    if tracked.authorization.by == "gateway":
        raise StateConflict(show("pay", id), payment.state.value, Event.SIGN.value)
    return payment, tracked


async def _checked(
    node: Node | None, settings: PaymentSettings, payment: Payment, one: Authorization, signed: bytes
) -> bytes:
    """The signature in the form that the token takes. Calls the node if the payer is a contract."""
    digest = eip3009.digest(settings.contract(payment.amount.asset), one)
    if one.by == "owner":
        return signature.check(one.from_address, digest, signed)
    if node is None:
        raise NodeUnavailable("GATEWAY_RPC_URL is not set, and a contract has to be asked")
    _, taken = await signature.check_any(node, one.from_address, digest, signed)
    return taken

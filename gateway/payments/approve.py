"""Approve a payment by a passkey, over the payment's own details (PSD2, RTS on strong customer authentication,
article 5, dynamic linking), or refuse it.

What the passkey signs is a hash over the payment's id, its payee by name and by wallet or address, amount, asset and
rail, as they are in the payment's row. The hash is computed when the challenge is created, and again when the signature
comes. So an approval is valid for that payment only, once. The payment then continues in the same transaction as if no
approval had been needed: on the ledger rail it is settled, on the chain rail queued; it is held if the request said so
or if it has an undo window.

Lock order: the policy, the payment, as for every payment, and the request that it pays; then the challenge and the
passkey.
"""

from datetime import datetime, timedelta

from msgspec.structs import replace

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.errors import Forbidden, StateConflict
from gateway.events import log
from gateway.identity.sign_in import passkey
from gateway.identity.sign_in.challenge import PasskeyChallenge
from gateway.identity.sign_in.passkey_verification import Assertion, Party
from gateway.ids import PaymentId, WalletId, show
from gateway.ledger import ledger, transfer
from gateway.ledger.transfer import End
from gateway.payments.checks import checks, policy, wallet_freeze, withdrawal_freeze
from gateway.payments.model import payment_events
from gateway.payments.model.payment import Event, Payment, State, after
from gateway.payments.model.settings import PaymentSettings
from gateway.payments.records import records
from gateway.payments.requests import rows as requests
from gateway.postgres.pool import Connection

#: The purpose of the challenges made here.
PURPOSE = "payment.approve"


def details(payment: Payment) -> tuple[str, ...]:
    """The details that the approval signs, in order."""
    payee = show("wal", payment.payee) if payment.payee else str(payment.payee_address)
    money = payment.amount
    return (show("pay", payment.id), payment.payee_name, payee, money.amount, money.asset.code, payment.route.rail)


async def create_challenge(
    connection: Connection, settings: PaymentSettings, party: Party, caller: WalletId, id: PaymentId, now: datetime
) -> tuple[Payment, PasskeyChallenge, list[bytes]]:
    """Create a challenge for the caller's payment, which waits for approval; return it with the passkeys that can sign
    it.

    Raises NotFound, Forbidden (the caller is the payee), StateConflict.
    """
    payment = _own(await records.payment(connection, settings.assets, id, caller), caller)
    _check_waiting(payment, Event.CONFIRM, now)
    challenge = await passkey.create_challenge(connection, party, caller, PURPOSE, details(payment), now)
    return payment, challenge, await passkey.credentials(connection, caller)


async def approve(
    connection: Connection,
    settings: PaymentSettings,
    caller: WalletId,
    id: PaymentId,
    assertion: Assertion,
    now: datetime,
) -> Payment:
    """Approve the payment, and return it as it is afterwards. Raises what `create_challenge` raises, InvalidPasskey,
    ClonedPasskey, WalletFrozen and WithdrawalsFrozen.
    """
    policies = await policy.policies(connection, settings.assets, [caller], lock=True)
    payment = _own(await records.payment_for_update(connection, settings.assets, id, caller), caller)
    await requests.lock_paid_by(connection, [payment])
    _check_waiting(payment, Event.CONFIRM, now)
    await wallet_freeze.check(connection, caller)
    if payment.payee is None:
        await withdrawal_freeze.check(connection, payment.amount.asset)
    signed_by = await passkey.verify(connection, caller, PURPOSE, details(payment), assertion, now)

    confirmed = replace(payment, state=after(payment.id, payment.state, Event.CONFIRM), expires_at=None)
    (inputs,) = await policy.inputs(connection, [payment], [None], now)
    gone_on = await _continue(connection, settings, confirmed, policy.undo_seconds(policies[caller], inputs), now)
    await policy.known(connection, [gone_on], now)
    await records.update(connection, [gone_on])
    await log.append(connection, payment_events.events(gone_on), now)
    by = By("passkey", signed_by.shown_id)
    approved = {"amount": payment.amount.amount, "asset": payment.amount.asset.code, "reasons": payment.approval}
    await audit.append(connection, [AuditEvent("payment.approved", caller, by, payment.id, approved)], now)
    return gone_on


async def decline(
    connection: Connection, settings: PaymentSettings, caller: WalletId, id: PaymentId, by: By, now: datetime
) -> Payment:
    """Decline the payment: its money is available again. Raises NotFound, Forbidden, StateConflict."""
    await checks.lock(connection, settings, giving_back=[id])
    payment = _own(await records.payment_for_update(connection, settings.assets, id, caller), caller)
    _check_waiting(payment, Event.DECLINE, now)
    declined = replace(payment, state=after(payment.id, payment.state, Event.DECLINE))
    ledger.all_done(await ledger.write(connection, [End(payment.transfer_id, transfer.Event.VOID)], now))
    await records.update(connection, [declined])
    await log.append(connection, payment_events.events(declined), now)
    await audit.append(connection, [AuditEvent("payment.declined", caller, by, payment.id, {})], now)
    return declined


def _own(payment: Payment, caller: WalletId) -> Payment:
    if payment.payer != caller:
        raise Forbidden("only the payer of a payment approves or declines it")
    return payment


def _check_waiting(payment: Payment, event: Event, now: datetime) -> None:
    if not payment.needs_approval:
        raise StateConflict(show("pay", payment.id), payment.state.value, event.value)
    if payment.expires_at is not None and payment.expires_at <= now:
        raise StateConflict(show("pay", payment.id), State.EXPIRED.value, event.value)


async def _continue(
    connection: Connection, settings: PaymentSettings, payment: Payment, undo_seconds: int, now: datetime
) -> Payment:
    """Continue a payment that was just approved."""
    if not payment.capture:
        return replace(payment, expires_at=now + timedelta(seconds=settings.hold_seconds))
    held = checks.undoable(settings, payment, undo_seconds, now)
    return held if held.undo_until else await send(connection, settings, held, now)


async def send(connection: Connection, settings: PaymentSettings, payment: Payment, now: datetime) -> Payment:
    """Pay a held payment in full. Its row is locked; the caller updates it."""
    return await settings.rail(payment.route.rail).capture(connection, settings, payment, payment.amount, now)

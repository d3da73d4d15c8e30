"""Report a payment as unauthorized: its payer says that somebody else made it.

The wallet is frozen at once, in a transaction of its own: no payment, capture, signature, withdrawal or conversion is
accepted, and token payments that are in no chain transaction yet wait. Incoming payments continue. Then the reported
payment is ended if it still can be, and its money is available again; other pending payments wait for their owner.

A link in a notification reports it too, without signing in: 256 random bits, stored as their SHA-256, valid for thirty
days and for nothing else. Opening it only shows a question; a second request reports the payment.

The owner can unfreeze the wallet after a day, with a passkey that is at least a day old, so a thief with only a session
cannot. Two operators can do it together (operators/approvals.py); a freeze by operators can only be ended by operators.
"""

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from gateway.audit.log import By
from gateway.chain.token import authorization
from gateway.chain.token.failure import REPORTED_UNAUTHORIZED
from gateway.controls import wallet_freeze
from gateway.errors import Forbidden, NotFound
from gateway.events import log
from gateway.identity.sign_in import passkey
from gateway.identity.sign_in.challenge import PasskeyChallenge
from gateway.identity.sign_in.passkey_verification import Assertion, Party
from gateway.ids import PaymentId, WalletId
from gateway.ledger import ledger, transfer
from gateway.ledger.transfer import End
from gateway.payments.checks import checks, policy
from gateway.payments.model import payment_events
from gateway.payments.model.payment import Event, Payment, State, after
from gateway.payments.model.settings import PaymentSettings
from gateway.payments.records import records
from gateway.postgres.pool import Connection, Database
from gateway.secret import hash_of, new_secret
from gateway.settlement import block_settlement

#: The purpose of challenges to unfreeze a wallet.
PURPOSE: Final = "wallet.unfreeze"

#: How long a freeze lasts before its owner can end it.
DELAY: Final = timedelta(hours=24)

#: How long a link is valid.
LINK_GOOD_FOR: Final = timedelta(days=30)


async def report(
    database: Database, settings: PaymentSettings, caller: WalletId, id: PaymentId, by: By, now: datetime
) -> Payment:
    """Freeze the caller's wallet, and end the payment if possible; idempotent. Returns the payment as it is afterwards.

    Raises NotFound, and Forbidden (the caller is the payee).
    """
    async with database.transaction() as connection:
        payment = await records.payment(connection, settings.assets, id, caller)
        if payment.payer != caller:
            raise Forbidden("only the payer of a payment can say that it was somebody else's doing")
        await wallet_freeze.freeze_for_payment(connection, caller, id, by, now)
    async with database.transaction() as connection:
        return await _end(connection, settings, caller, id, now)


async def _end(
    connection: Connection, settings: PaymentSettings, caller: WalletId, id: PaymentId, now: datetime
) -> Payment:
    """Locks the authorization first, then the payment, like settlement."""
    seen = await records.payment(connection, settings.assets, id, caller)
    if seen.authorization_id is not None:
        tracked = await authorization.one(connection, seen.authorization_id, for_update=True)
        if tracked.state == "queued" and tracked.authorization.signature is None:
            refused = [(tracked.authorization, REPORTED_UNAUTHORIZED)]
            await block_settlement.refuse(connection, settings.assets, settings.settles, refused, now)
        return await records.payment(connection, settings.assets, id, caller)
    await checks.lock(connection, settings, giving_back=[id])
    payment = await records.payment_for_update(connection, settings.assets, id, caller)
    event = Event.DECLINE if payment.needs_approval else Event.VOID if payment.state is State.HELD else None
    if event is None or payment.authorization_id is not None:
        return payment
    ended = replace(payment, state=after(payment.id, payment.state, event))
    ledger.all_done(await ledger.write(connection, [End(payment.transfer_id, transfer.Event.VOID)], now))
    await records.update(connection, [ended])
    await log.append(connection, payment_events.events(ended), now)
    return ended


async def link(
    connection: Connection, settings: PaymentSettings, caller: WalletId, id: PaymentId, now: datetime
) -> str:
    """A token for a link that reports the caller's payment. Raises NotFound, Forbidden (the caller is the payee)."""
    payment = await records.payment(connection, settings.assets, id, caller)
    if payment.payer != caller:
        raise Forbidden("only the payer of a payment is sent such a link")
    token = new_secret("nm")
    await connection.execute(policy.sql.forget_links, now)
    await connection.execute(policy.sql.add_link, hash_of(token), id, caller, now + LINK_GOOD_FOR)
    return token


async def of_link(connection: Connection, settings: PaymentSettings, token: str, now: datetime) -> Payment:
    """The payment of a link. Raises NotFound where there is none, or the link has expired."""
    row = await connection.fetchrow(policy.sql.link, hash_of(token), now)
    if row is None:
        raise NotFound("such link")
    return await records.payment(connection, settings.assets, PaymentId(row["payment_id"]), WalletId(row["wallet_id"]))


async def create_challenge(
    connection: Connection, party: Party, caller: WalletId, now: datetime
) -> tuple[PasskeyChallenge, list[bytes]]:
    """A challenge to unfreeze the caller's wallet, and the passkeys that can sign it."""
    challenge = await passkey.create_challenge(connection, party, caller, PURPOSE, (), now)
    return challenge, await passkey.credentials(connection, caller)


async def unfreeze(connection: Connection, caller: WalletId, assertion: Assertion, now: datetime) -> None:
    """End the owner's own freeze. Raises InvalidPasskey, ClonedPasskey, and Forbidden (there is no freeze that old, or
    the passkey is too new).
    """
    signed_by = await passkey.verify(connection, caller, PURPOSE, (), assertion, now)
    if now - signed_by.created_at < DELAY:
        raise Forbidden("this passkey is less than 24 hours old: use an older one, or wait")
    if not await wallet_freeze.unfreeze_own(connection, caller, now - DELAY, By("passkey", signed_by.shown_id), now):
        raise Forbidden("no freeze of yours is 24 hours old: only operators unfreeze sooner, or end a freeze of theirs")

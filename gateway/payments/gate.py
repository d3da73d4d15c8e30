"""What a payment meets before its money is looked at: whether anything leaves its payer's wallet now, and what the
payer's policy says: that it goes on, that it waits for an approval, or that for a moment it can be undone.

Keys with caps and mandates are not asked about, so in a guarded wallet a passkey stands behind each: one from before
the wallet's first passkey pays nothing until its owner has approved it. The wallet's own state and policy are read in
the transaction that pays; that a grant was approved only becomes true.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeGuard

from gateway.access.credential import Credential
from gateway.clock import rfc3339
from gateway.errors import GatewayError, GrantNotApproved, WalletFrozen
from gateway.ids import WalletId
from gateway.money import Money
from gateway.payments import policy
from gateway.payments.payment import Payment, State
from gateway.payments.policy import Policy, Reason
from gateway.payments.terms import Terms
from gateway.postgres import Connection


async def frozen(connection: Connection, wallets: Sequence[WalletId]) -> dict[WalletId, WalletFrozen]:
    """Why nothing leaves these wallets; one that is not frozen is absent."""
    return {
        WalletId(row["id"]): WalletFrozen(row["handle"], rfc3339(row["frozen_at"]))
        for row in await connection.fetch(policy.sql.frozen_wallets, list(wallets))
    }


async def check(connection: Connection, wallet: WalletId) -> None:
    """Raises WalletFrozen while nothing leaves the wallet."""
    for refusal in (await frozen(connection, [wallet])).values():
        raise refusal


async def gate(
    connection: Connection, terms: Terms, asked: Sequence[tuple[Payment, Credential | None]], now: datetime
) -> list[Payment | GatewayError]:
    """The payments, each with who asks for it, as they go on: as they are, or to wait for an approval, or to be held
    for the undo window; or WalletFrozen or GrantNotApproved. Those of one payer are decided one after the other.
    """
    holding = sorted({one.payer for one, _ in asked if not one.capture})
    if holding:  # a hold is seen by whoever adds the first passkey, or sees the passkey
        await connection.execute(policy.sql.hold_guard, holding)
    policies = await policy.policies(connection, terms.assets, [one.payer for one, _ in asked], lock=True)
    stopped = await frozen(connection, [one.payer for one, _ in asked])  # read once the policies are ours
    judged = [(one, by) for one, by in asked if one.payer in policies and not _free(one, by)]
    sessions = [by.id if by and by.kind == "session" else None for _, by in judged]
    found = await policy.facts(connection, [one for one, _ in judged], sessions, now) if judged else []
    facts = {one.id: fact for (one, _), fact in zip(judged, found, strict=True)}
    spent: dict[tuple[WalletId, str], Money] = {}
    results: list[Payment | GatewayError] = []
    going: list[Payment] = []
    for payment, by in asked:
        if payment.payer in stopped:
            results.append(stopped[payment.payer])
            continue
        if refusal := _unapproved(policies, payment, by):
            results.append(refusal)
            continue
        if payment.id not in facts:
            results.append(payment)
            continue
        before = spent.get((payment.payer, payment.amount.asset.code), Money(0, payment.amount.asset))
        fact = replace(facts[payment.id], spent=facts[payment.id].spent + before)
        reasons = policy.decide(policies[payment.payer], fact)
        if reasons:
            results.append(waiting(terms, payment, reasons, now))
            continue
        spent[payment.payer, payment.amount.asset.code] = before + payment.amount
        going.append(payment)
        results.append(undoable(payment, policy.undo_seconds(policies[payment.payer], fact), now))
    await policy.known(connection, going, now)
    return results


async def asks(
    connection: Connection, terms: Terms, payment: Payment, by: Credential | None, now: datetime
) -> tuple[Reason, ...]:
    """Why the payment would have to be approved, were it asked for now; nothing where it would go on by itself. Raises
    GrantNotApproved.
    """
    policies = await policy.policies(connection, terms.assets, [payment.payer])
    if refusal := _unapproved(policies, payment, by):
        raise refusal
    if payment.payer not in policies or _free(payment, by):
        return ()
    sessions = [by.id if by and by.kind == "session" else None]
    (facts,) = await policy.facts(connection, [payment], sessions, now)
    return policy.decide(policies[payment.payer], facts)


def waiting(terms: Terms, payment: Payment, reasons: tuple[str, ...], now: datetime) -> Payment:
    """The payment, to wait for its payer's approval."""
    until = now + timedelta(seconds=terms.approval_seconds)
    return replace(payment, state=State.REQUIRES_CONFIRMATION, approval=reasons, expires_at=until)


def undoable(payment: Payment, seconds: int, now: datetime) -> Payment:
    """The payment, to be held for so long where it could not be undone afterwards."""
    if not seconds or payment.route.rail != "chain" or not payment.capture:
        return payment
    return replace(payment, undo_until=now + timedelta(seconds=seconds))


def _free(payment: Payment, by: Credential | None) -> bool:
    """What no policy asks about: refunds, what waits for the signature of the payer's own key, and what an API key pays
    within the caps, and a mandate draws, that its owner has granted.
    """
    return _granted(by) or payment.refund_of is not None or payment.state is State.REQUIRES_CONFIRMATION


def _unapproved(
    policies: Mapping[WalletId, Policy], payment: Payment, by: Credential | None
) -> GrantNotApproved | None:
    """Why the grant that the payment is made by pays nothing: the wallet is guarded, and no passkey has approved it."""
    if payment.payer in policies and _granted(by) and not by.approved:
        return GrantNotApproved(by.shown_id)
    return None


def _granted(by: Credential | None) -> TypeGuard[Credential]:
    """Whether it is a key with caps, or a mandate."""
    return by is not None and (by.capped_by is not None or by.kind == "mandate")

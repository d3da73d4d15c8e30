"""Approvals of proposals: another operator approves a proposal with a passkey over all its details, and it is carried
out once, in the transaction that approves it; otherwise it expires. The database refuses an approval by the proposer
(proposal_four_eyes). In an emergency one person at the machine can act alone (break glass), which both the event log
and the audit log record.

Lock order: the operators in id order, the challenge, the proposal, the wallet's API keys, the wallet, its
policy.
"""

import logging
from datetime import datetime
from typing import Literal
from uuid import UUID

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.controls import wallet_freeze
from gateway.errors import Forbidden, StateConflict
from gateway.events import log
from gateway.identity import wallet as wallets
from gateway.identity.sign_in.challenge import PasskeyChallenge
from gateway.identity.sign_in.passkey_verification import Assertion, Party
from gateway.ids import WalletId
from gateway.money import Assets, Money
from gateway.operators import repairs, roles, sign_in
from gateway.operators.operators import Operator
from gateway.operators.proposals import Proposal, proposal, read_reason
from gateway.operators.repairs import Correction
from gateway.postgres.pool import Connection, Statements

notes = logging.getLogger(__name__)

sql = Statements(__package__, "approvals.sql")

#: The operations that one person can carry out alone at the machine.
BreakGlassKind = Literal["wallet.freeze", "wallet.unfreeze"]


async def challenge_approval(
    connection: Connection, party: Party, operator: Operator, id: UUID, now: datetime
) -> PasskeyChallenge:
    """Create a challenge for another operator's passkey, over all details of the proposal. Raises NotFound,
    Forbidden.
    """
    found = await proposal(connection, id)
    _refuse_own(operator, found)
    roles.check_approve(operator.role, found.kind)
    return await sign_in.create_challenge(connection, party, operator.id, sign_in.APPROVE, found.details, now)


async def approve(
    connection: Connection, operator: Operator, id: UUID, assertion: Assertion, assets: Assets, now: datetime
) -> Proposal:
    """Approve a proposal and carry it out in this transaction, once.

    Raises NotFound, Forbidden (it is the operator's own proposal, or their role does not allow it), InvalidPasskey, and
    StateConflict if it was carried out or has expired, if its proposer was revoked or has another role, or if there is
    nothing left to do.
    """
    found = await proposal(connection, id)
    _refuse_own(operator, found)
    locked = await connection.fetch(sql.lock_operators, operator.id, found.proposed_by)
    role_of = {row["name"]: row["role"] for row in locked}
    roles.check_approve(role_of[operator.name], found.kind)
    if found.kind not in roles.RIGHTS[role_of[found.proposed_by]].proposes:
        raise StateConflict(f"proposal {found.shown_id}", f"of {found.proposed_by}, whose role has changed", "approved")
    await sign_in.verify(connection, operator.id, sign_in.APPROVE, found.details, assertion, now)
    if await connection.fetchval(sql.approve, id, operator.id, now) is None:
        raise StateConflict(
            f"proposal {found.shown_id}", "done or over, or its proposer is no operator now", "approved"
        )
    await audit.append(
        connection, [AuditEvent("operator.approved", found.wallet, operator.by, id, {"proposal": found.shown_id})], now
    )
    await _do(connection, found, operator, assets, now)
    return await proposal(connection, id)


async def _do(connection: Connection, found: Proposal, operator: Operator, assets: Assets, now: datetime) -> None:
    by = operator.by
    if found.kind == "recovery.confirm":
        assert found.recovery is not None
        await repairs.confirm(connection, found.recovery, by, now)
    elif found.kind == "handle.return":
        assert found.address is not None
        await repairs.give_back(connection, found.address, by, now)
    elif found.kind == "ledger.correct":
        row = await connection.fetchrow(sql.proposed_correction, found.id)
        assert row is not None
        correction = Correction(row["debit"], row["credit"], Money(int(row["amount"]), assets[row["asset"]]))
        await repairs.correct(connection, correction, found.reason, by, [found.proposed_by, operator.name], now)
    else:
        assert found.wallet is not None
        await _do_to_wallet(connection, found, found.wallet, by, now)


async def _do_to_wallet(connection: Connection, found: Proposal, wallet: WalletId, by: By, now: datetime) -> None:
    if found.kind == "wallet.limit":
        await _limit(connection, found, wallet, by, now)
    elif found.kind == "wallet.unfreeze":
        if not await wallet_freeze.unfreeze(connection, wallet, by, now):
            raise StateConflict(f"@{found.handle}", "not frozen", found.kind)
    else:
        assert found.freeze is not None
        if not await wallet_freeze.remove_expiry(connection, found.freeze, wallet, by, now):
            raise StateConflict(f"@{found.handle}", "not frozen", found.kind)


async def _limit(connection: Connection, found: Proposal, wallet: WalletId, by: By, now: datetime) -> None:
    """Set the wallet's limit as proposed. Locks the policy, so that each payment is decided before the change or
    after.
    """
    await connection.execute(sql.lock_policy, wallet)
    await connection.execute(sql.set_limit_as_proposed, found.id)
    details = {"limit": found.terms, "by": "two operators"}
    await log.append(connection, [log.Event("policy.changed", wallet, wallet, details)], now)
    await audit.append(connection, [AuditEvent("policy.changed", wallet, by, wallet, details)], now)


async def break_glass(
    connection: Connection, kind: BreakGlassKind, handle: str, reason: str, by: By, now: datetime
) -> WalletId:
    """Carry out alone, at the machine, an operation that needs two operators. Both logs record it. Raises as `propose`,
    and StateConflict.
    """
    said, of = read_reason(reason), await wallets.by_handle(connection, handle)
    details = {"what": kind, "handle": of.handle, "by": by.id, "reason": said}
    await audit.append(connection, [AuditEvent("operator.break_glass", of.id, by, of.id, details)], now)
    await log.append(connection, [log.Event("operator.break_glass", None, of.id, details)], now)
    if kind == "wallet.freeze":
        await wallet_freeze.freeze(connection, of.id, said, by, None, now)
    elif not await wallet_freeze.unfreeze(connection, of.id, by, now):
        raise StateConflict(f"@{of.handle}", "not frozen", kind)
    notes.warning("break-glass: %s of @%s by %s alone: %s", kind, of.handle, by.id, said)
    return of.id


def _refuse_own(operator: Operator, found: Proposal) -> None:
    if operator.name == found.proposed_by:
        raise Forbidden("another operator approves what you proposed")

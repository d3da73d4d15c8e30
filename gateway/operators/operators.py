"""Operators: people who run the gateway. They sign in with passkeys of their own, in sessions of their own, and act on
wallets that are not theirs, and on the gateway itself (repairs.py), two together: one proposes, another approves with a
passkey over what is proposed. Who may do which of it is for their role to say (roles.py).

The first operator is added at the machine, with a code that is shown once and registers their passkey. A proposal is
carried out once, in the transaction that approves it, or it expires. The database refuses an approval by the operator
who proposed (proposal_four_eyes).

A freeze does not wait for the second operator: it is in force as soon as one proposes it, and ends after an hour unless
another approves it. Waiting would let the money go; a freeze by mistake lasts an hour at most.

A limit is how much a guarded wallet pays in an asset without its owner's approval (payments/checks/policy.py).
Operators may lower or raise it. The owner gets the same event as for a change of their own, and may change it again.

Lock order: the operators in id order, the challenge, the proposal, the wallet, its policy.
"""

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.controls import wallet_freeze
from gateway.errors import Forbidden, InvalidRequest, NotFound, StateConflict
from gateway.events import log
from gateway.identity import wallet as wallets
from gateway.identity.errors import InvalidPasskey
from gateway.identity.label import label
from gateway.identity.sign_in import challenge as challenges
from gateway.identity.sign_in.ceremony import Assertion, Party, Registration, challenge_in, check, is_cloned, register
from gateway.identity.sign_in.challenge import Asked
from gateway.ids import WalletId, new_id, show
from gateway.money import Assets, Money
from gateway.operators import repairs, roles
from gateway.operators.errors import OperatorSignedOut
from gateway.operators.repairs import REPAIRS, Correction
from gateway.operators.roles import KINDS as KINDS  # the redundant names let others import these from here
from gateway.operators.roles import Kind as Kind
from gateway.operators.roles import Rights, Role, Task
from gateway.postgres.pool import Connection, Record, Statements
from gateway.secret import hash_of, new_secret

notes = logging.getLogger(__name__)

sql = Statements(__package__, "operators.sql")

#: What the ids of operators and proposals begin with.
PREFIX, PROPOSAL_PREFIX = "opr", "pro"

#: What one does alone at the machine, where two cannot be waited for.
Glass = Literal["wallet.freeze", "wallet.unfreeze"]

#: How long an enrolment code, a session and a proposal are good. A freeze not confirmed lapses with its proposal.
ENROLS_FOR, SESSION, PROPOSED_FOR = timedelta(days=1), timedelta(minutes=30), timedelta(hours=1)

_REASON_MAX: Final = 200

#: What becomes of a proposal. It is withdrawn when who proposed it is revoked.
ProposalState = Literal["open", "approved", "expired", "withdrawn"]

#: What an operator's passkey is asked for.
ENROL, SIGN_IN, APPROVE = "operator.enrol", "operator.sign_in", "operator.approve"


@dataclass(frozen=True, slots=True)
class Operator:
    """`until` is when their session ends; None: they have shown a passkey, and no session."""

    id: UUID
    name: str
    role: Role
    until: datetime | None = None

    @property
    def by(self) -> By:
        """As the audit log has it."""
        return By("operator", self.name)

    @property
    def rights(self) -> Rights:
        """What their role may do."""
        return roles.RIGHTS[self.role]


@dataclass(frozen=True, slots=True)
class Limit:
    """The largest payment, and the most in a day, that need no approval. Both are in one asset."""

    payment: Money
    day: Money

    @property
    def terms(self) -> str:
        """In words."""
        return f"{self.payment} a payment and {self.day} a day go without an approval"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one operator proposes, until it expires, and who has approved it, if anybody has. `settings` are of a limit
    and of repairs, in words, and empty of everything else; a repair is of no wallet.
    """

    id: UUID
    kind: Kind
    wallet: WalletId | None
    handle: str | None
    reason: str
    terms: str
    freeze: UUID | None
    recovery: UUID | None
    address: str | None
    proposed_by: str
    proposed_at: datetime
    expires_at: datetime
    approved_by: str | None
    done_at: datetime | None
    withdrawn: bool  #: Who proposed it is an operator no more.

    @property
    def shown_id(self) -> str:
        """`pro_…`."""
        return show(PROPOSAL_PREFIX, self.id)

    def state(self, now: datetime) -> ProposalState:
        """Whether it can still be approved, and if not, why."""
        if self.done_at is not None:
            return "approved"
        return "withdrawn" if self.withdrawn else "open" if now < self.expires_at else "expired"

    @property
    def details(self) -> list[str]:
        """What an approval is over, so that it fits nothing else."""
        what = [self.kind, *([self.terms] if self.terms else [])]
        whose = [f"@{self.handle}", show("wal", self.wallet)] if self.wallet is not None else []
        return [self.shown_id, *what, *whose, self.reason, self.proposed_by]


# ---- who they are ---------------------------------------------------------------------------------------------------


async def add(connection: Connection, name: str, role: str, by: By, now: datetime) -> str:
    """Add an operator, or make a new code for one who has no passkey yet. Returns the code, which is shown once and
    registers the passkey within a day. Raises InvalidRequest for an invalid name or role, and StateConflict for an
    operator who has a passkey or is revoked.
    """
    known = roles.read_role(role)
    if not (2 <= len(name) <= 30 and name.isascii() and name.replace("_", "a").isalnum() and name.islower()):
        raise InvalidRequest("name", "an operator's name has 2 to 30 of a-z, 0-9 and _")
    code = new_secret("go")
    id = await connection.fetchval(*(sql.add_operator, new_id(now), name, hash_of(code), now + ENROLS_FOR, now, known))
    if id is None:
        raise StateConflict(f"operator {name}", "enrolled or revoked", "added")
    await audit.append(connection, [AuditEvent("operator.added", None, by, id, {"operator": name, "role": known})], now)
    return code


async def set_role(connection: Connection, name: str, role: str, by: By, now: datetime) -> None:
    """Give an operator another role, from now on. Raises InvalidRequest for a role that is none, and NotFound."""
    known = roles.read_role(role)
    row = await connection.fetchrow(sql.operator_by_name, name)
    if row is None:
        raise NotFound(f"operator {name}, or they are revoked")
    await connection.execute(sql.set_operator_role, row["id"], known)
    details = {"operator": name, "from": row["role"], "to": known}
    await audit.append(connection, [AuditEvent("operator.role_changed", None, by, row["id"], details)], now)


async def revoke(connection: Connection, name: str, by: By, now: datetime) -> None:
    """Revoke an operator. Nothing that they proposed can be approved any more. Raises NotFound."""
    id = await connection.fetchval(sql.revoke_operator, name, now)
    if id is None:
        raise NotFound(f"operator {name}, or they are revoked already")
    await connection.execute(sql.end_operator_sessions, id, now)
    await audit.append(connection, [AuditEvent("operator.revoked", None, by, id, {"operator": name})], now)


async def operators(connection: Connection) -> list[Record]:
    """Every operator, revoked ones too: name, role, created_at, revoked_at, and whether they are enrolled."""
    return await connection.fetch(sql.operators)


async def ask(
    connection: Connection, party: Party, operator: UUID | None, purpose: str, details: Sequence[str], now: datetime
) -> Asked:
    """A new challenge for an operator's passkey. It is valid once, for a few minutes."""
    asked = challenges.fresh(party, _shown(operator), purpose, details, now)
    await connection.execute(sql.forget_operator_challenges, now - challenges.KEPT_FOR)
    await connection.execute(
        *(sql.ask_operator, asked.challenge, operator, purpose, asked.nonce),
        *(party.id, party.origin, asked.expires_at),
    )
    return asked


async def enrol(connection: Connection, name: str, code: str, registration: Registration, now: datetime) -> Operator:
    """Register the passkey of an operator, with their code and an answer to a challenge to `ENROL` for this name.

    Raises InvalidPasskey. A wrong code and an unknown name are refused in the same words.
    """
    challenge, party = await _use(connection, None, ENROL, [name], registration.client_data, now)
    key = register(registration, challenge, party)
    row = await connection.fetchrow(sql.operator_to_enrol, name, now)
    if not secrets.compare_digest(row["enrolment"] if row else bytes(32), hash_of(code)) or row is None:
        raise InvalidPasskey(
            "enrolment",
            "the code is not one for this name, was used, or is over a day old: 'gateway operators add' makes another",
        )
    enrolled = await connection.fetchval(
        sql.enrol_operator, row["id"], key.credential_id, key.public_key, key.sign_count
    )
    if enrolled is None:
        raise InvalidPasskey("taken", "another operator has this passkey")
    operator = Operator(row["id"], name, row["role"])
    await audit.append(connection, [AuditEvent("operator.enrolled", None, operator.by, operator.id, {})], now)
    return operator


async def sign_in(
    connection: Connection, assertion: Assertion, before: str | None, now: datetime
) -> tuple[Operator, str]:
    """The operator whose passkey has signed a challenge to `SIGN_IN`, and the token of their new session, shown once.
    The session that their browser had `before` ends.

    Raises InvalidPasskey.
    """
    operator = await _verify(connection, None, SIGN_IN, [], assertion, now)
    return operator, await begin_session(connection, operator, before, now)


async def begin_session(connection: Connection, operator: Operator, before: str | None, now: datetime) -> str:
    """A session of somebody who has shown who they are; its token."""
    if before is not None:
        await sign_out(connection, before, now)
    token = new_secret("gop")
    await connection.execute(sql.start_operator_session, hash_of(token), operator.id, now, now + SESSION)
    await audit.append(connection, [AuditEvent("operator.signed_in", None, operator.by, operator.id, {})], now)
    return token


async def open(connection: Connection, token: str, now: datetime) -> Operator:
    """The operator whose session it is. Raises OperatorSignedOut."""
    row = await connection.fetchrow(sql.operator_of_session, hash_of(token), now)
    if row is None:
        raise OperatorSignedOut
    return Operator(row["id"], row["name"], row["role"], row["expires_at"])


async def sign_out(connection: Connection, token: str, now: datetime) -> None:
    await connection.execute(sql.end_operator_session, hash_of(token), now)


# ---- what they do ---------------------------------------------------------------------------------------------------


async def propose(
    connection: Connection, operator: Operator, kind: str, handle: str, reason: str, limit: Limit | None, now: datetime
) -> Proposal:
    """Propose an operation on the wallet of a handle, which another operator has to approve. A freeze is in force at
    once, until the proposal expires.

    Raises InvalidRequest, Forbidden (their role does not), InvalidHandle, UnknownHandle, and StateConflict for the
    limit of a wallet without a policy.
    """
    known = next((one for one in KINDS if one == kind), None)
    if known is None:
        raise InvalidRequest("kind", f"{kind[:60]!r} is nothing that is proposed; there are: {', '.join(KINDS)}")
    if known in REPAIRS:
        raise InvalidRequest("kind", f"{known} concerns no wallet; leave the handle out")
    if (known == "wallet.limit") != (limit is not None):
        raise InvalidRequest("limit", "wallet.limit comes with a limit, and nothing else does")
    if limit is not None and limit.day < limit.payment:
        raise InvalidRequest("limit", "the limit of a day is no less than that of one payment")
    roles.check_propose(await still(connection, operator), known)
    said = read_reason(reason)
    of = await wallets.by_handle(connection, handle)
    if limit is not None and not of.guarded:
        raise StateConflict(f"@{of.handle}", "without a passkey, so nothing is approved", "limited: freeze it instead")
    ends = now + PROPOSED_FOR
    placed = (
        await wallet_freeze.freeze(connection, of.id, said, operator.by, ends, now) if kind == "wallet.freeze" else None
    )
    id = new_id(now)
    terms = limit.terms if limit is not None else ""
    asked = (limit.payment.asset.code, limit.payment.units, limit.day.units, terms) if limit is not None else [None] * 4
    await connection.execute(sql.propose, id, known, of.id, said, placed, operator.id, now, ends, *asked)
    details = {"proposal": show(PROPOSAL_PREFIX, id), "what": known, "reason": said} | (
        {"limit": terms} if terms else {}
    )
    await audit.append(connection, [AuditEvent("operator.proposed", of.id, operator.by, id, details)], now)
    return await proposal(connection, id)


async def proposals(connection: Connection, now: datetime) -> list[Proposal]:
    """The proposals that can still be approved, newest first."""
    return [_proposal(row) for row in await connection.fetch(sql.proposals, now)]


async def past_proposals(connection: Connection, before: UUID | None, limit: int, now: datetime) -> list[Proposal]:
    """Up to `limit` proposals older than `before` that cannot be approved any more, newest first."""
    return [_proposal(row) for row in await connection.fetch(sql.past_proposals, before, limit, now)]


async def proposal(connection: Connection, id: UUID) -> Proposal:
    """Raises NotFound."""
    found = await find(connection, id)
    if found is None:
        raise NotFound("such proposal")
    return found


async def find(connection: Connection, id: UUID) -> Proposal | None:
    """The proposal with this id, if there is one."""
    row = await connection.fetchrow(sql.proposal, id)
    return None if row is None else _proposal(row)


async def ask_approval(connection: Connection, party: Party, operator: Operator, id: UUID, now: datetime) -> Asked:
    """A challenge for another operator's passkey, over all details of the proposal. Raises NotFound, Forbidden."""
    found = await proposal(connection, id)
    _refuse_own(operator, found)
    roles.check_approve(operator.role, found.kind)
    return await ask(connection, party, operator.id, APPROVE, found.details, now)


async def approve(
    connection: Connection, operator: Operator, id: UUID, assertion: Assertion, assets: Assets, now: datetime
) -> Proposal:
    """Approve a proposal and carry it out in this transaction, once.

    Raises NotFound, Forbidden (it is the operator's own, or their role does not), InvalidPasskey, and StateConflict
    where it was carried out or has expired, where who proposed it was revoked or has another role, or where there is
    nothing left to do.
    """
    found = await proposal(connection, id)
    _refuse_own(operator, found)
    locked = await connection.fetch(sql.lock_operators, operator.id, found.proposed_by)
    role_of = {row["name"]: row["role"] for row in locked}
    roles.check_approve(role_of[operator.name], found.kind)
    if found.kind not in roles.RIGHTS[role_of[found.proposed_by]].proposes:
        raise StateConflict(f"proposal {found.shown_id}", f"of {found.proposed_by}, whose role has changed", "approved")
    await _verify(connection, operator.id, APPROVE, found.details, assertion, now)
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


async def break_glass(connection: Connection, kind: Glass, handle: str, reason: str, by: By, now: datetime) -> WalletId:
    """Carry out alone, at the machine, what needs two operators; both logs say so. Raises as `propose`, and
    StateConflict.
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


def read_reason(text: str) -> str:
    """The reason as it may be logged: no line breaks, no invisible characters. Raises InvalidRequest."""
    reason = label(text, _REASON_MAX)
    if reason is None:
        raise InvalidRequest("reason", f"say why, in 1 to {_REASON_MAX} letters that can be printed")
    return reason


def _refuse_own(operator: Operator, found: Proposal) -> None:
    if operator.name == found.proposed_by:
        raise Forbidden("another operator approves what you proposed")


async def still(connection: Connection, operator: Operator) -> Role:
    """Lock the operator, who must not have been revoked meanwhile. Returns their role, which stays as it is until the
    transaction ends. Raises OperatorSignedOut.
    """
    role: Role | None = await connection.fetchval(sql.still_operator, operator.id)
    if role is None:
        raise OperatorSignedOut
    return role


async def authorize(connection: Connection, operator: Operator, task: Task) -> None:
    """Call it in the transaction that does the task. Raises Forbidden, OperatorSignedOut."""
    roles.check_task(await still(connection, operator), task)


async def _verify(
    connection: Connection,
    operator: UUID | None,
    purpose: str,
    details: Sequence[str],
    assertion: Assertion,
    now: datetime,
) -> Operator:
    challenge, party = await _use(connection, operator, purpose, details, assertion.client_data, now)
    row = await connection.fetchrow(sql.operator_of_credential, assertion.credential_id)
    if row is None or operator not in (None, row["id"]):
        raise InvalidPasskey("unknown_passkey", "it is no passkey of this operator's")
    count, before = check(assertion, row["public_key"], challenge, party), row["sign_count"]
    if is_cloned(count, before):
        raise InvalidPasskey("cloned", "there are two of it, as its count of signatures says: have it revoked")
    await connection.execute(sql.used_operator_passkey, row["id"], count)
    return Operator(row["id"], row["name"], row["role"])


async def _use(
    connection: Connection,
    operator: UUID | None,
    purpose: str,
    details: Sequence[str],
    client_data: bytes,
    now: datetime,
) -> tuple[bytes, Party]:
    named = challenge_in(client_data)
    row = await connection.fetchrow(sql.use_operator_challenge, named, operator, purpose, now)
    return named, challenges.party_of_used(row, named, _shown(operator), purpose, details)


def _shown(operator: UUID | None) -> str:
    return "" if operator is None else show(PREFIX, operator)


def _proposal(row: Record) -> Proposal:
    return Proposal(
        *(row["id"], row["kind"], row["wallet_id"], row["handle"], row["reason"], row["terms"] or ""),
        *(row["freeze_id"], row["recovery_id"], row["address"]),
        *(row["proposed_by"], row["proposed_at"], row["expires_at"], row["approved_by"]),
        *(row["done_at"], row["revoked_at"] is not None),
    )

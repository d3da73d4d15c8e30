"""Proposals: an operation on a wallet that one operator proposes and another has to approve (approvals.py).

A freeze does not wait for the second operator: it is in force as soon as one proposes it, and ends after an hour unless
another approves it. If it waited, the money could be gone; a freeze by mistake lasts an hour at most.

A limit is how much a guarded wallet can pay in an asset without its owner's approval (payments/checks/policy.py).
Operators may lower or raise it. The owner gets the same event as for a change of their own, and may change it again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent
from gateway.controls import wallet_freeze
from gateway.errors import InvalidRequest, NotFound, StateConflict
from gateway.identity import wallet as wallets
from gateway.identity.label import label
from gateway.ids import WalletId, new_id, show
from gateway.money import Money
from gateway.operators import roles
from gateway.operators.operators import Operator, still
from gateway.operators.repairs import REPAIRS
from gateway.operators.roles import KINDS, Kind
from gateway.postgres.pool import Connection, Record, Statements

sql = Statements(__package__, "proposals.sql")

#: The prefix of proposal ids.
PREFIX: Final = "pro"

#: How long a proposal is valid. A freeze that is not approved expires with it.
PROPOSED_FOR: Final = timedelta(hours=1)

_REASON_MAX: Final = 200

#: The states of a proposal. It is withdrawn when its proposer is revoked.
ProposalState = Literal["open", "approved", "expired", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Limit:
    """The largest payment, and the most in a day, that need no approval. Both are in one asset."""

    payment: Money
    day: Money

    @property
    def terms(self) -> str:
        """The limit in words."""
        return f"{self.payment} a payment and {self.day} a day go without an approval"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposal by one operator, its expiry, and the operator who approved it, if any. `terms` describe a limit or a
    repair in words, and are empty for other kinds; a repair has no wallet.
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
    withdrawn: bool  #: Whether its proposer was revoked.

    @property
    def shown_id(self) -> str:
        """`pro_…`."""
        return show(PREFIX, self.id)

    def state(self, now: datetime) -> ProposalState:
        """Its state: whether it can still be approved, and if not, why."""
        if self.done_at is not None:
            return "approved"
        return "withdrawn" if self.withdrawn else "open" if now < self.expires_at else "expired"

    @property
    def details(self) -> list[str]:
        """The details that an approval signs, so that it is valid for this proposal only."""
        what = [self.kind, *([self.terms] if self.terms else [])]
        whose = [f"@{self.handle}", show("wal", self.wallet)] if self.wallet is not None else []
        return [self.shown_id, *what, *whose, self.reason, self.proposed_by]


async def propose(
    connection: Connection, operator: Operator, kind: str, handle: str, reason: str, limit: Limit | None, now: datetime
) -> Proposal:
    """Propose an operation on the wallet of a handle, which another operator has to approve. A freeze is in force at
    once, until the proposal expires.

    Raises InvalidRequest, Forbidden (their role does not allow it), InvalidHandle, UnknownHandle, and StateConflict for
    the limit of a wallet without a policy.
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
    details = {"proposal": show(PREFIX, id), "what": known, "reason": said} | ({"limit": terms} if terms else {})
    await audit.append(connection, [AuditEvent("operator.proposed", of.id, operator.by, id, details)], now)
    return await proposal(connection, id)


async def proposals(connection: Connection, now: datetime) -> list[Proposal]:
    """The proposals that can still be approved, newest first."""
    return [_proposal(row) for row in await connection.fetch(sql.proposals, now)]


async def past_proposals(connection: Connection, before: UUID | None, limit: int, now: datetime) -> list[Proposal]:
    """Up to `limit` proposals older than `before` that can no longer be approved, newest first."""
    return [_proposal(row) for row in await connection.fetch(sql.past_proposals, before, limit, now)]


async def proposal(connection: Connection, id: UUID) -> Proposal:
    """The proposal with this id. Raises NotFound."""
    found = await find(connection, id)
    if found is None:
        raise NotFound("such proposal")
    return found


async def find(connection: Connection, id: UUID) -> Proposal | None:
    """The proposal with this id, or None."""
    row = await connection.fetchrow(sql.proposal, id)
    return None if row is None else _proposal(row)


def read_reason(text: str) -> str:
    """The reason, made safe for logs: without line breaks and invisible characters. Raises InvalidRequest."""
    reason = label(text, _REASON_MAX)
    if reason is None:
        raise InvalidRequest("reason", f"say why, in 1 to {_REASON_MAX} letters that can be printed")
    return reason


def _proposal(row: Record) -> Proposal:
    return Proposal(
        *(row["id"], row["kind"], row["wallet_id"], row["handle"], row["reason"], row["terms"] or ""),
        *(row["freeze_id"], row["recovery_id"], row["address"]),
        *(row["proposed_by"], row["proposed_at"], row["expires_at"], row["approved_by"]),
        *(row["done_at"], row["revoked_at"] is not None),
    )

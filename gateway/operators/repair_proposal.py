"""Propose a repair (repairs.py), which another operator approves like any other proposal (approvals.py)."""

from dataclasses import dataclass
from datetime import datetime

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent
from gateway.ids import new_id, show
from gateway.operators import operators, proposals, repairs, roles
from gateway.operators.operators import Operator
from gateway.operators.proposals import Proposal
from gateway.operators.repairs import Correction
from gateway.operators.roles import Repair
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "repair_proposal.sql")


@dataclass(frozen=True, slots=True)
class LostHandle:
    """A handle that a restore has lost, and the address that it had; None: the address is unknown."""

    handle: str
    address: str | None


async def propose(
    connection: Connection, operator: Operator, repair: LostHandle | Correction | None, reason: str, now: datetime
) -> Proposal:
    """Propose a repair; None: to confirm the recovery. Raises InvalidRequest, Forbidden, UnknownHandle, and
    StateConflict if there is nothing to repair.
    """
    kind: Repair = "recovery.confirm"
    if isinstance(repair, Correction):
        kind = "ledger.correct"
    elif isinstance(repair, LostHandle):
        kind = "handle.return"
    roles.check_propose(await operators.still(connection, operator), kind)
    said = proposals.read_reason(reason)
    recovery, address = None, None
    correction: list[object] = [None] * 4
    if isinstance(repair, Correction):
        terms = repair.terms
        await repairs.check(connection, repair)
        correction = [repair.money.asset.code, repair.debit, repair.credit, repair.money.units]
    elif isinstance(repair, LostHandle):
        address = await repairs.lost(connection, repair.address, repair.handle)
        terms = f"@{repair.handle} at {address}"
    else:
        recovery, terms = await repairs.to_confirm(connection)
    id, until = new_id(now), now + proposals.PROPOSED_FOR
    await connection.execute(
        *(sql.propose_repair, id, kind, said, operator.id, now, until, terms, recovery, address),
        *correction,
    )
    details = {"proposal": show(proposals.PREFIX, id), "what": kind, "reason": said, "terms": terms}
    await audit.append(connection, [AuditEvent("operator.proposed", None, operator.by, id, details)], now)
    return await proposals.proposal(connection, id)

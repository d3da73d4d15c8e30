"""Operators: people who run the gateway. They sign in with passkeys, in sessions separate from those of wallets
(sign_in.py). They act on other people's wallets and on the gateway itself, always two together: one proposes
(proposals.py), another approves (approvals.py). Their roles decide what each of them may do (roles.py).

The first operator is added at the machine, with a code that is shown once and registers their passkey.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.errors import InvalidRequest, NotFound, StateConflict
from gateway.ids import new_id
from gateway.operators import roles
from gateway.operators.errors import OperatorSignedOut
from gateway.operators.roles import Rights, Role, Task
from gateway.postgres.pool import Connection, Record, Statements
from gateway.secret import hash_of, new_secret

sql = Statements(__package__, "operators.sql")

#: The prefix of operator ids.
PREFIX: Final = "opr"

#: How long an enrolment code is valid.
ENROLS_FOR: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Operator:
    """`until` is when their session ends; None: they authenticated with a passkey, without a session."""

    id: UUID
    name: str
    role: Role
    until: datetime | None = None

    @property
    def by(self) -> By:
        """The operator as the audit log records them."""
        return By("operator", self.name)

    @property
    def rights(self) -> Rights:
        """The rights of their role."""
        return roles.RIGHTS[self.role]


async def add(connection: Connection, name: str, role: str, by: By, now: datetime) -> str:
    """Add an operator, or create a new code for one who has no passkey yet. Returns the code, which is shown once and
    lets them register a passkey within a day. Raises InvalidRequest for an invalid name or role, and StateConflict for
    an operator who has a passkey or is revoked.
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
    """Change an operator's role, with immediate effect. Raises InvalidRequest for an unknown role, and NotFound."""
    known = roles.read_role(role)
    row = await connection.fetchrow(sql.operator_by_name, name)
    if row is None:
        raise NotFound(f"operator {name}, or they are revoked")
    await connection.execute(sql.set_operator_role, row["id"], known)
    details = {"operator": name, "from": row["role"], "to": known}
    await audit.append(connection, [AuditEvent("operator.role_changed", None, by, row["id"], details)], now)


async def revoke(connection: Connection, name: str, by: By, now: datetime) -> None:
    """Revoke an operator. Their proposals can no longer be approved. Raises NotFound."""
    id = await connection.fetchval(sql.revoke_operator, name, now)
    if id is None:
        raise NotFound(f"operator {name}, or they are revoked already")
    await connection.execute(sql.end_operator_sessions, id, now)
    await audit.append(connection, [AuditEvent("operator.revoked", None, by, id, {"operator": name})], now)


async def operators(connection: Connection) -> list[Record]:
    """Every operator, including revoked ones: name, role, created_at, revoked_at, and whether they are enrolled."""
    return await connection.fetch(sql.operators)


async def still(connection: Connection, operator: Operator) -> Role:
    """Lock the operator, who must not have been revoked meanwhile. Returns their role, which cannot change until the
    transaction ends. Raises OperatorSignedOut.
    """
    role: Role | None = await connection.fetchval(sql.still_operator, operator.id)
    if role is None:
        raise OperatorSignedOut
    return role


async def authorize(connection: Connection, operator: Operator, task: Task) -> None:
    """Check that the operator may do the task. Call it in the transaction that does the task. Raises Forbidden,
    OperatorSignedOut.
    """
    roles.check_task(await still(connection, operator), task)

"""operators: list and manage operators, and break-glass: one person at the machine instead of two operators."""

from typing import Any

from gateway import assembly
from gateway.clock import rfc3339
from gateway.config.config import Config
from gateway.ids import show
from gateway.operators import approvals
from gateway.operators import operators as people
from gateway.operators.approvals import BreakGlassKind


async def operators(config: Config) -> dict[str, Any]:
    """All operators, including revoked ones."""
    async with assembly.database(config, "operators") as database, database.reading() as connection:
        found = await people.operators(connection)
    states = {True: "enrolled", False: "not enrolled yet"}
    return {
        "items": [
            {
                "name": row["name"],
                "role": row["role"],
                "state": "revoked" if row["revoked_at"] else states[row["enrolled"]],
                "created_at": rfc3339(row["created_at"]),
            }
            for row in found
        ]
    }


async def add(config: Config, name: str, role: str) -> dict[str, Any]:
    """Add an operator. Returns them with the code to enrol their passkey. Raises InvalidRequest, StateConflict."""
    async with assembly.database(config, "operators") as database, database.transaction() as connection:
        code = await people.add(connection, name, role, assembly.at_machine(), database.clock())
    return {"name": name, "role": role, "code": code, "hours": int(people.ENROLS_FOR.total_seconds() // 3600)}


async def set_role(config: Config, name: str, role: str) -> dict[str, Any]:
    """Change an operator's role. Raises InvalidRequest, NotFound."""
    async with assembly.database(config, "operators") as database, database.transaction() as connection:
        await people.set_role(connection, name, role, assembly.at_machine(), database.clock())
    return {"name": name, "role": role}


async def revoke(config: Config, name: str) -> dict[str, Any]:
    """Revoke an operator. Raises NotFound."""
    async with assembly.database(config, "operators") as database, database.transaction() as connection:
        await people.revoke(connection, name, assembly.at_machine(), database.clock())
    return {"name": name}


async def break_glass(config: Config, kind: BreakGlassKind, handle: str, reason: str) -> dict[str, Any]:
    """Carry out alone an operation that needs two operators. Raises InvalidRequest, InvalidHandle, UnknownHandle,
    StateConflict.
    """
    by = assembly.at_machine()
    async with assembly.database(config, "operators") as database, database.transaction() as connection:
        wallet = await approvals.break_glass(connection, kind, handle, reason, by, database.clock())
    return {"kind": kind, "wallet": show("wal", wallet), "by": by.id}

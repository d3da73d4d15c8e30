"""What a payment's timeline is read by: statements that look rows up, however large the tables are."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest

from gateway.clock import system_clock
from gateway.payments.timeline import find, rows
from gateway.postgres.pool import Connection, Database, Statements

pytestmark = pytest.mark.anyio

#: What each statement is given. None of it is there: what counts is how it would be looked for.
GIVEN: dict[str, tuple[object, ...]] = {
    "transfers": (uuid4(),),
    "holds": (uuid4(),),
    "on_chain": (uuid4(),),
    "observed": (uuid4(),),
    "events": (uuid4(),),
    "limits": (uuid4(),),
    "request_key": (uuid4(), system_clock(), b"answer"),
    "staged_refunds": (uuid4(), uuid4(), 1_000),
    "ledger_refunds": (uuid4(), 17, 4, 1_000),
    "report": (uuid4(),),
    "webhooks": ([uuid4(), uuid4()], [1, 2]),
    "notifications": ([uuid4(), uuid4()], [1, 2]),
    "audit_events": (uuid4(),),
    "checkpoint_of_event": (4,),
}
FOUND: dict[str, tuple[object, ...]] = {
    "newest_ledger": (UUID(int=2**128 - 1), 50),
    "newest_staged": (UUID(int=2**128 - 1), 50),
}


async def plan(connection: Connection, statement: str, given: tuple[object, ...]) -> list[dict[str, Any]]:
    """Every node of the plan, where reading a table through counts as dear."""
    await connection.execute("SET LOCAL enable_seqscan = off")
    told = json.loads(await connection.fetchval(f"EXPLAIN (FORMAT JSON) {statement}", *given))
    nodes, left = [], [told[0]["Plan"]]
    while left:
        node = left.pop()
        nodes.append(node)
        left += node.get("Plans", [])
    return nodes


@pytest.mark.parametrize(
    ("statements", "name"),
    [*((rows.sql, name) for name in GIVEN), *((find.sql, name) for name in FOUND)],
    ids=[*GIVEN, *FOUND],
)
async def test_no_statement_reads_a_table_through(database: Database, statements: Statements, name: str) -> None:
    async with database.transaction() as connection:
        nodes = await plan(connection, getattr(statements, name), {**GIVEN, **FOUND}[name])
    assert [node.get("Relation Name") for node in nodes if node["Node Type"] == "Seq Scan"] == []


def test_every_statement_of_a_life_is_tried() -> None:
    assert vars(rows.sql)["_by_name"].keys() == GIVEN.keys()
    assert vars(find.sql)["_by_name"].keys() == FOUND.keys()

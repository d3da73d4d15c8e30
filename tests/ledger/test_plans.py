"""Statements that everybody needs are planned once per connection, and read by keys however large the ledger is."""

import pytest

from gateway.ledger import ledger as verbs
from gateway.ledger.ledger import sql
from gateway.ledger.transfer import End, Event
from gateway.postgres.pool import Connection
from tests.factory import NOW
from tests.ledger.conftest import Ledger

pytestmark = pytest.mark.anyio

ALICE, BOB = "wallet:alice:EUR", "wallet:bob:EUR"

#: What a large ledger tells the planner: two million deposits, all from one account, and ten million payments.
_LARGE = """
SELECT pg_restore_relation_stats(
    'schemaname', 'public', 'relname', relname, 'relpages', 1, 'reltuples', tuples::real
) FROM (VALUES ('transfer', 2e6), ('ledger_payment', 1e7), ('account', 2e6)) AS large (relname, tuples)
"""
_DEPOSITS = """
SELECT pg_restore_attribute_stats(
    'schemaname', 'public', 'relname', 'transfer', 'attname', 'debit_id', 'inherited', false,
    'null_frac', 0::real, 'avg_width', 8, 'n_distinct', 1::real
)
"""


async def test_the_statement_of_an_account_is_not_planned_at_each_call(ledger: Ledger) -> None:
    await ledger.deposit(ALICE, 100)
    async with ledger.database.reading() as connection:
        await connection.execute(_LARGE)
        await connection.execute(_DEPOSITS)
        prepared = await connection.prepare(sql.statement_page)
        for _ in range(20):
            assert len(await prepared.fetch(ALICE, 2**63 - 1, 50)) == 1
        planned = await connection.fetchval(
            "SELECT custom_plans FROM pg_prepared_statements WHERE statement = $1", sql.statement_page
        )
    assert planned == 5, "PostgreSQL plans the first five calls anew, and then compares"


async def holds_read(connection: Connection) -> int:
    """How many rows of holds this transaction has read by an index."""
    return int(
        await connection.fetchval("SELECT idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'hold'") or 0
    )


@pytest.mark.parametrize("together", [False, True], ids=["ends alone", "with a transfer"])
async def test_holds_end_by_their_keys_though_there_was_one_when_that_was_planned(
    ledger: Ledger, together: bool
) -> None:
    await ledger.deposit(ALICE, 1000)
    await ledger.deposit(BOB, 1)
    first = await ledger.hold(ALICE, BOB, 1)
    held = [await ledger.transfer((ALICE, BOB, 1), hold=True) for _ in range(60)]
    paid = [await ledger.transfer((ALICE, BOB, 1)) for _ in range(2)]
    async with ledger.database.transaction() as connection:
        await connection.execute("ANALYZE hold")
        await verbs.write(connection, [End(first, Event.VOID), *paid[:1] * together], NOW)
        await verbs.hold(connection, held, NOW)
        before = await holds_read(connection)
        await verbs.write(connection, [End(held[-1].id, Event.VOID), *paid[1:] * together], NOW)
        assert await holds_read(connection) - before < 10

"""A statement that everybody's page needs is planned once per connection, however large the ledger is."""

import pytest

from gateway.ledger.ledger import sql
from tests.ledger.conftest import Ledger

pytestmark = pytest.mark.anyio

ALICE = "wallet:alice:EUR"

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

"""Functions that PostgreSQL inlines into the statements that use them, which keep their plans."""

import pytest

from gateway.postgres.pool import Database

pytestmark = pytest.mark.anyio

#: Each is used as by the functions that call it (schema/): with arguments that are known when it runs.
USED = {
    "payment_parties": """
        FROM payment_parties($1, NULL, NULL, $2, $2, $2, $3, NULL, now()) AS found
        LEFT JOIN wallet ON wallet.id = found.payer""",
    "used_key": """
        FROM unnest($1, $2, $3) AS asked (idempotency_hash, key, amount),
            LATERAL used_key(NULL, asked.key, asked.idempotency_hash)""",
    "spent_since": """
        FROM unnest($1, $2, $3) AS asked (request, asset, amount),
            LATERAL spent_since('policy', NULL, 0, asked.asset, now(), now())""",
    "policy_input": """
        FROM unnest($1, $2, $3) AS asked (request, asset, amount),
            LATERAL policy_input(NULL, NULL, NULL, asked.asset, true, now(), NULL, now(), now(), now())""",
}


@pytest.mark.parametrize("function", USED)
async def test_it_is_inlined(database: Database, function: str) -> None:
    async with database.reading() as connection:
        await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE asked (bytea[], text[], numeric[]) AS SELECT *{USED[function]}")
        plan = await connection.fetch("EXPLAIN EXECUTE asked (NULL, NULL, NULL)")
        await connection.execute("DEALLOCATE asked")
    assert not [line for (line,) in plan if function in line]

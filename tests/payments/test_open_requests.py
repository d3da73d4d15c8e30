"""The open requests of a wallet: found among those that have not ended, however many have."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from gateway.ids import NEWEST, WalletId, first_id, new_id
from gateway.money import Assets
from gateway.payments.requests import rows
from gateway.payments.requests.request import OPEN_FOR_MAX
from gateway.payments.requests.rows import RequestFilter
from gateway.postgres.pool import Connection, Database
from tests.payments.test_ledger_rail import LedgerTown

pytestmark = pytest.mark.anyio

#: Requests that bob has made of alice: declined lately, and as old as none that is open, neither declined nor paid.
#: Beside them, open ones of others.
DECLINED, EXPIRED, OTHERS = 4_000, 2_000, 8_000


async def written(connection: Connection, by: WalletId, of: WalletId, at: list[datetime], declined: bool) -> list[UUID]:
    """Requests of these times, each open for a day."""
    ids = [new_id(one) for one in at]
    await connection.execute(
        """INSERT INTO payment_request (id, requester, payer, asset, amount, created_at, expires_at, declined_at)
        SELECT id, $3, $4, 'EUR', 100, at, at + interval '1 day', CASE WHEN $5 THEN at END
        FROM unnest($1::uuid[], $2::timestamptz[]) AS new (id, at)""",
        *(ids, at, by, of, declined),
    )
    return ids


async def nodes(connection: Connection, statement: str, *given: object) -> list[dict[str, Any]]:
    """Every node of the plan, with what it read."""
    told = json.loads(await connection.fetchval(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *given))
    found, left = [], [told[0]["Plan"]]
    while left:
        found.append(left.pop())
        left += found[-1].get("Plans", [])
    return found


@pytest.mark.parametrize("direction", ["in", "out"])
async def test_neither_ended_nor_expired_requests_are_walked(
    database: Database, assets: Assets, direction: Any
) -> None:
    town = LedgerTown(database, assets)
    alice, bob = await town.person("alice"), await town.person("bob")
    carol, dave = await town.person("carol"), await town.person("dave")
    now = town.clock()
    async with database.transaction() as connection:
        long_ago, minute = now - OPEN_FOR_MAX - timedelta(days=9), timedelta(minutes=1)
        await written(connection, bob.id, alice.id, [long_ago - n * minute for n in range(EXPIRED)], False)
        first, second = await written(connection, bob.id, alice.id, [now - 2 * minute, now - minute], False)
        await written(connection, bob.id, alice.id, [now - n * minute / 99 for n in range(DECLINED)], True)
        await written(connection, carol.id, dave.id, [now - n * minute / 99 for n in range(OTHERS)], False)
        await connection.execute("ANALYZE payment_request")
        me = alice.id if direction == "in" else bob.id
        page = await rows.page(connection, assets, me, RequestFilter(direction, "open"), None, 3, now)
        assert [one.id for one in page] == [second, first]
        given = (me, now, NEWEST, 3, direction, None, first_id(now - OPEN_FOR_MAX))
        read = [one for one in await nodes(connection, rows.sql.open_page, *given) if "Index Name" in one]
    walked = sum((one["Actual Rows"] + one.get("Rows Removed by Filter", 0)) * one["Actual Loops"] for one in read)
    assert walked < 20, read
    assert f"payment_request_unended_of_{'payer' if direction == 'in' else 'requester'}" in {
        one["Index Name"] for one in read
    }

"""What wallets are told of: as the events say, found by indexes, from whichever are fewer: wallets or events."""

import random
from collections import Counter
from collections.abc import Collection
from uuid import UUID

import pytest

from gateway.events import log
from gateway.events.log import Event
from gateway.ids import WalletId
from gateway.money import Assets
from gateway.postgres.pool import Connection, Database
from tests.factory import NOW
from tests.payments.test_ledger_rail import LedgerTown

pytestmark = pytest.mark.anyio

#: What a large ledger tells the planner.
_LARGE = """
SELECT pg_restore_relation_stats(
    'schemaname', 'public', 'relname', relname, 'relpages', (tuples / 50)::integer, 'reltuples', tuples::real
) FROM (VALUES ('logged_event', 1e6), ('ledger_payment', 1e6), ('account', 2e6)) AS large (relname, tuples)
"""

#: Rows that this connection has read of a table, by an index and by going through all of it.
_READ = """
SELECT coalesce(sum(pg_stat_get_xact_tuples_returned(indexrelid)), 0)::bigint AS by_index,
    pg_stat_get_xact_tuples_returned(max(indrelid::bigint)::oid) AS by_scan
FROM pg_index WHERE indrelid = $1::text::regclass
"""


async def town_of(database: Database, assets: Assets, handles: int, seed: int) -> list[WalletId]:
    """People who pay each other, and of whom other events are logged: of one wallet, of two, of nobody."""
    town, chance = LedgerTown(database, assets), random.Random(seed)
    people = [await town.person(f"person{n}", "100.00 EUR") for n in range(handles)]
    for _ in range(40):
        one, another = chance.sample(people, 2)
        if chance.random() < 0.6:
            await town.pay(one, f"@{another.handle}", "1.00 EUR")
        else:
            wallet, other = chance.choice([(one.id, another.id), (one.id, None), (None, None), (None, one.id)])
            async with database.transaction() as connection:
                await log.append(connection, [Event("test.happened", wallet, one.id, {"n": 1}, other)], NOW)
    return [one.id for one in people]


async def by_the_events(
    connection: Connection, wallets: Collection[UUID] | None, after: int, up_to: int
) -> list[tuple[UUID, int, str, UUID, object]]:
    rows = await connection.fetch("SELECT * FROM event WHERE id > $1 AND id <= $2", after, up_to)
    return sorted(
        (party, row["id"], row["kind"], row["subject"], row["at"])
        for row in rows
        for party in {row["wallet_id"], row["other_id"]} - {None}
        if wallets is None or party in wallets
    )


@pytest.mark.seeds(2)
async def test_wallets_are_told_of_what_the_events_say(database: Database, assets: Assets, seed: int) -> None:
    people = await town_of(database, assets, 6, seed)
    async with database.reading() as connection:
        last = await log.last(connection)
        for wallets in (None, [], people[:1], people[:3], people):
            for after, up_to in ((0, last), (last - 30, last - 5), (last - 2, last), (last - 1, last), (last, last)):
                rows = await connection.fetch("SELECT * FROM events_told($1, $2, $3)", wallets, after, up_to)
                told = sorted((row["told"], row["number"], row["kind"], row["subject"], row["at"]) for row in rows)
                assert told == await by_the_events(connection, wallets, after, up_to), (wallets, after, up_to)


async def test_the_tail_of_the_log_has_what_each_wallet_reads_of_it(database: Database, assets: Assets) -> None:
    people = await town_of(database, assets, 4, 1)
    async with database.reading() as connection:
        last = await log.last(connection)
        tail = await log.tail(connection, people, 0, last)
        for one in people:
            assert [event for wallet, event in tail if wallet == one] == (await log.read(connection, one)).events


async def rows_read(connection: Connection) -> dict[str, int]:
    """How many rows of each table the connection has read so far; those that no index found are below `all of`."""
    read: dict[str, int] = {}
    for table in ("account", "ledger_payment", "logged_event"):
        row = await connection.fetchrow(_READ, table)
        assert row is not None
        read |= {table: row["by_index"], f"all of {table}": row["by_scan"]}
    return read


async def test_few_wallets_are_found_by_their_accounts_and_few_events_by_theirs(
    database: Database, assets: Assets
) -> None:
    people = await town_of(database, assets, 12, 2)
    async with database.transaction() as connection:
        await connection.execute(_LARGE)
    async with database.reading() as connection:
        last = await log.last(connection)

    async def read(wallets: list[WalletId] | None, after: int) -> Counter[str]:
        async with database.transaction() as connection:
            before = await rows_read(connection)
            await connection.fetch("SELECT * FROM events_told($1, $2, $3)", wallets, after, last)
            return Counter(await rows_read(connection)) - Counter(before)

    few_wallets = await read(people[:1], 0)
    few_events = await read(people, last - 3)

    assert few_wallets.keys() == {"account", "ledger_payment", "logged_event"}, "by indexes"
    assert few_wallets["account"] < 20, "an account for each payment of the wallet, not for each payment"
    assert few_events.keys() <= few_wallets.keys(), "by indexes"
    assert few_events.total() <= 3 * 3, "three events, and the two accounts of each"
    assert await read(None, last - 3) == few_events

"""A database that tests have one after the other is as new for each of them, whatever the one before did to it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from typing import Any

import pytest

from gateway.clock import steady, system_clock
from gateway.errors import GatewayError
from gateway.postgres.pool import Connection, Database
from tests.databases import name_of
from tests.processes import HANG_SECONDS
from tests.reused import ReusedDatabases

pytestmark = pytest.mark.anyio

#: What tests do to rows, triggers and constraints notwithstanding: of a table that was empty, and of others.
ROWS = """
    SET LOCAL session_replication_role = replica;
    INSERT INTO audit_event (kind, by_kind, by_id, details, at) VALUES ('kind', 'anyone', '', '{}', now());
    DELETE FROM reserved_handle WHERE word = 'admin';
    UPDATE webhook_position SET reached = 7;
    INSERT INTO asset SELECT (jsonb_populate_record(asset, '{"code": "XXX"}')).* FROM asset LIMIT 1"""

ALL_ROWS = "SELECT coalesce(jsonb_agg(to_jsonb(row) ORDER BY row::text), '[]') FROM {} AS row"


@pytest.fixture
async def lending(databases: ReusedDatabases) -> AsyncIterator[ReusedDatabases]:
    """Lends databases that nobody had before."""
    lending = ReusedDatabases(databases.dsn)
    yield lending
    await lending.close()


async def content(connection: Connection) -> dict[str, Any]:
    """Every row and every sequence."""
    names = "SELECT relname FROM pg_class WHERE relkind = $1::text::\"char\" AND relnamespace = 'public'::regnamespace"
    rows = {name: await connection.fetchval(ALL_ROWS.format(name)) for (name,) in await connection.fetch(names, "r")}
    asked = "SELECT (last_value, is_called)::text FROM {}"
    return rows | {
        name: await connection.fetchval(asked.format(name)) for (name,) in await connection.fetch(names, "S")
    }


async def execute(database: Database, statement: str) -> None:
    async with database.transaction() as connection:
        await connection.execute(statement)


async def test_rows_and_sequences_are_those_of_the_template_again(lending: ReusedDatabases, template: str) -> None:
    async with lending.lent(template) as (first, database), database.reading() as connection:
        before = await content(connection)
        await execute(database, ROWS)
        changed = await content(connection)
        assert {name for name, rows in changed.items() if rows != before[name]} == {
            *("audit_event", "audit_event_id_seq", "reserved_handle", "webhook_position", "asset"),
        }

    for _ in range(2):
        async with lending.lent(template) as (again, database):
            async with database.reading() as connection:
                assert (again, await content(connection)) == (first, before)
            await execute(database, ROWS)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE left_behind ()",
        "DROP INDEX audit_event_of_wallet",
        "ALTER TABLE wallet DISABLE TRIGGER ALL",
        "CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
        "ALTER TABLE audit_event DROP CONSTRAINT audit_event_by_known",
        "GRANT SELECT ON wallet TO pg_monitor",
        "ALTER DATABASE {} SET work_mem = '5MB'",
        "ALTER DATABASE {} CONNECTION LIMIT 90",
        "ANALYZE asset",
        "INSERT INTO audit_event (kind, by_kind, by_id, details, at)"
        " SELECT repeat('much', 100), 'anyone', '', '{{}}', now() FROM generate_series(1, 9999)",
    ],
)
async def test_after_what_is_more_than_rows_the_next_has_a_new_one(
    lending: ReusedDatabases, template: str, statement: str
) -> None:
    async with lending.lent(template) as (first, database):
        await execute(database, statement.format(name_of(first)))

    async with lending.lent(template) as (second, _):
        assert second != first


async def test_a_connection_that_was_cut_makes_a_new_one(lending: ReusedDatabases, template: str) -> None:
    async with lending.lent(template) as (first, database):
        with suppress(GatewayError):
            await execute(database, "SELECT pg_terminate_backend(pg_backend_pid())")

    async with lending.lent(template) as (second, _):
        assert second != first


async def test_what_still_runs_has_the_old_one(lending: ReusedDatabases, template: str) -> None:
    async with lending.lent(template) as (first, _):
        running = asyncio.create_task(asyncio.sleep(HANG_SECONDS))

    async with lending.lent(template) as (second, _):
        assert second != first
    running.cancel()
    await asyncio.wait({running})


async def test_a_connection_that_was_not_given_back_makes_a_new_one(lending: ReusedDatabases, template: str) -> None:
    async with AsyncExitStack() as later:
        async with lending.lent(template) as (first, database):
            later.push(lambda *_: True)  # that the connection has ended by then
            await later.enter_async_context(database.reading())

        async with lending.lent(template) as (second, _):
            assert second != first


async def test_a_setting_of_a_session_is_of_one_test(lending: ReusedDatabases, template: str) -> None:
    async with lending.lent(template) as (first, database), database.reading() as connection:
        before = await connection.fetch("SELECT name, setting FROM pg_settings")
        await connection.execute("SET enable_seqscan = off; SET lock_timeout = 0")

    async with lending.lent(template) as (second, database), database.reading() as connection:
        assert (second, await connection.fetch("SELECT name, setting FROM pg_settings")) == (first, before)


async def test_two_at_once_have_two(lending: ReusedDatabases, template: str) -> None:
    async with lending.lent(template) as (first, _), lending.lent(template) as (second, _):
        assert first != second


async def test_one_that_nobody_has_does_nothing(lending: ReusedDatabases, template: str) -> None:
    before = asyncio.all_tasks()
    async with lending.lent(template):
        assert asyncio.all_tasks() > before

    assert asyncio.all_tasks() == before


async def test_the_time_that_a_test_has_read_is_gone(lending: ReusedDatabases, template: str) -> None:
    async with lending.lent(template) as (first, database):
        database.clock.set(system_clock() - timedelta(seconds=21), steady(), steady())
        assert database.clock.off_seconds() > 20
    async with lending.lent(template) as (second, database):
        assert (second, database.clock.off_seconds()) == (first, 0)

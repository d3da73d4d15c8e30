"""The database: numbers exact, transactions whole, migrations once."""

import asyncio
import sys
from collections import Counter
from datetime import timedelta
from importlib.resources import files
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.embedded.postgres import Postgres
from gateway.errors import GatewayError, Misconfigured
from gateway.postgres.errors import DatabaseUnavailable
from gateway.postgres.migration import check_migrated, migrate
from gateway.postgres.pool import Database, Statements, connect
from tests.databases import named

pytestmark = pytest.mark.anyio

NAMES = sorted(entry.name for entry in files("gateway").joinpath("migrations").iterdir() if entry.name.endswith(".sql"))


async def execute(database: Database, statement: str) -> None:
    async with database.transaction() as connection:
        await connection.execute(statement)


async def test_ten_who_migrate_at_once_migrate_once(empty: Database) -> None:
    applied = await asyncio.gather(*(migrate(empty) for _ in range(10)))
    assert sorted(applied) == [[]] * 9 + [NAMES]
    assert await migrate(empty) == []
    await check_migrated(empty)


async def test_a_migration_that_was_changed_afterwards_is_refused(database: Database) -> None:
    await execute(database, f"UPDATE migration SET sha256 = 'x' WHERE name = '{NAMES[0]}'")
    for check in (migrate, check_migrated):
        with pytest.raises(Misconfigured, match=NAMES[0]):
            await check(database)


async def test_a_database_that_is_newer_than_the_code_is_refused(database: Database) -> None:
    await execute(database, "INSERT INTO migration (name, sha256) VALUES ('9999_future.sql', 'x')")
    for check in (migrate, check_migrated):
        with pytest.raises(Misconfigured, match=r"9999_future\.sql"):
            await check(database)


async def test_a_database_that_is_older_is_not_served_but_migrated(empty: Database) -> None:
    with pytest.raises(Misconfigured, match="gateway migrate"):
        await check_migrated(empty)
    async with empty.reading() as connection:
        assert await connection.fetchval("SELECT to_regclass('migration')") is None


async def test_a_migration_that_fails_leaves_nothing(empty: Database) -> None:
    await execute(empty, "CREATE TABLE payment ()")  # in the way of a later file of the schema
    with pytest.raises(Exception, match="already exists"):
        await migrate(empty)
    async with empty.reading() as connection:
        assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 1


@given(value=st.integers(-(2**300), 2**300))
async def test_whole_numbers_of_any_size_go_in_and_out_exactly(server: Postgres, value: int) -> None:
    async with connect(server.dsn, 1) as database, database.reading() as connection:
        assert await connection.fetchval("SELECT $1::numeric", value) == value
        assert await connection.fetchval("SELECT $1::numeric[]", [value, 0]) == [value, 0]


async def test_what_postgresqls_own_arrays_are_is_asked_once_and_those_of_a_database_each_time(
    database: Database, database_url: str
) -> None:
    await execute(database, "CREATE TYPE mood AS ENUM ('good')")
    own, theirs = ["SELECT $1::interval[]", "SELECT $1::numeric[]"], "SELECT $1::mood[]"
    for asked_before in (False, True):
        said: list[str] = []
        async with connect(database_url, connections=1) as other, other.reading() as connection:
            connection.add_query_logger(lambda sent, said=said: said.append(sent.query))
            for statement, value in zip([*own, theirs], ([timedelta(1)], [10**30], ["good"]), strict=True):
                assert await connection.fetchval(statement, value) == value
        assert said[:2] == own or not asked_before
        assert [one for one in said if "pg_type" in one] != [], "of the database's own type"


async def test_no_python_function_is_called_for_the_elements_of_an_array(database: Database) -> None:
    called = Counter[str]()
    numbers, texts, ids = list(range(100)), ["one"] * 100, [uuid4() for _ in range(100)]
    async with database.reading() as connection:
        statement = await connection.prepare("SELECT cardinality($1::bigint[] || $2::bigint[]), $3::text[], $4::uuid[]")
        await statement.fetch(numbers, [], texts, ids)
        sys.setprofile(lambda frame, event, _: called.update([frame.f_code.co_name] if event == "call" else []))
        try:
            (row,) = await statement.fetch(numbers, {}.keys(), texts, ids)
        finally:
            sys.setprofile(None)

    assert tuple(row) == (100, texts, ids)
    assert called["__instancecheck__"] < 100


async def test_arrays_of_arrays_and_of_text_are_told_apart(database: Database) -> None:
    async with database.reading() as connection:
        for value in ([[1, 2], [3, 4]], [], range(3), {7}, frozenset([7]), {7: "x"}.keys()):
            found = await connection.fetchval("SELECT $1::bigint[]", value)
            assert found == list(value)
        for wrong in ("text", b"bytes", {1: 2}, 3):
            with pytest.raises(asyncpg.DataError, match="sized iterable"):
                await connection.fetchval("SELECT $1::text[]", wrong)


async def test_what_raises_in_a_transaction_is_rolled_back(database: Database) -> None:
    async def crash() -> None:
        async with database.transaction() as connection:
            await connection.execute("CREATE TABLE never ()")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await crash()
    async with database.reading() as connection:
        assert await connection.fetchval("SELECT to_regclass('never')") is None


async def test_a_snapshot_sees_one_moment_and_writes_nothing(database: Database) -> None:
    await execute(database, "CREATE TABLE thing ()")
    async with database.snapshot() as connection:
        assert await connection.fetchval("SELECT count(*) FROM thing") == 0
        await execute(database, "INSERT INTO thing DEFAULT VALUES")
        assert await connection.fetchval("SELECT count(*) FROM thing") == 0
        with pytest.raises(Exception, match="read-only"):
            await connection.execute("INSERT INTO thing DEFAULT VALUES")


async def test_a_server_that_is_not_there_is_unavailable(server: Postgres) -> None:
    with pytest.raises(DatabaseUnavailable, match="its server refuses connections"):
        async with connect("postgresql://nobody@127.0.0.1:1/x", 1):
            pass
    with pytest.raises(Misconfigured, match=r'"no_such_database" does not exist: create it'):
        async with connect(named(server.dsn, "no_such_database"), 1):
            pass


async def test_a_connection_that_the_server_ends_is_unavailable_and_the_next_is_fresh(database: Database) -> None:
    async def ended() -> None:
        async with database.transaction() as connection:
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(DatabaseUnavailable):
        await ended()
    async with database.reading() as connection:
        assert await connection.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("way", ["transaction", "reading", "snapshot", "one_statement"])
@pytest.mark.parametrize(
    ("statement", "values", "said"),
    [
        ("SELECT $1::int", (), "the server expects 1 argument"),
        ("SELECT $1::int", ("one",), "invalid input for query argument"),
        ("SELECT one", (), "does not exist"),
    ],
)
async def test_a_statement_that_is_wrong_is_a_mistake_and_no_database_that_is_away(
    server: Postgres, way: str, statement: str, values: tuple[str, ...], said: str
) -> None:
    async def wrong(database: Database) -> None:
        async with getattr(database, way)() as connection:
            await connection.fetch(statement, *values)

    async with connect(server.dsn, 1) as database:
        with pytest.raises(Exception, match=said) as raised:
            await wrong(database)
        assert not isinstance(raised.value, GatewayError)
        async with database.transaction() as connection:
            assert await connection.fetchval("SELECT 1") == 1


async def test_two_statements_at_once_on_a_connection_are_a_mistake_and_the_next_has_another(server: Postgres) -> None:
    async def at_once(database: Database) -> None:
        async with database.transaction() as connection:
            slow = asyncio.create_task(connection.execute("SELECT pg_sleep(0.2)"))
            try:
                await asyncio.sleep(0)  # a turn of the loop, in which the first statement is sent
                await connection.execute("SELECT 1")
            finally:
                await asyncio.wait({slow})

    async with connect(server.dsn, 1) as database:
        with pytest.raises(Exception, match="another operation is in progress") as raised:
            await at_once(database)
        assert not isinstance(raised.value, GatewayError)
        async with database.transaction() as connection:
            assert await connection.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("way", ["transaction", "reading", "snapshot", "one_statement"])
async def test_a_connection_that_has_ended_is_a_database_that_is_away(server: Postgres, way: str) -> None:
    async def ended(database: Database) -> None:
        async with getattr(database, way)() as connection:
            connection.terminate()
            await connection.execute("SELECT 1")

    async with connect(server.dsn, 1) as database:
        with pytest.raises(DatabaseUnavailable):
            await ended(database)
        async with database.transaction() as connection:
            assert await connection.fetchval("SELECT 1") == 1


async def test_one_connection_is_kept_for_single_statements_until_the_server_ends_it(server: Postgres) -> None:
    async def backend(database: Database) -> int:
        async with database.one_statement() as connection:
            return int(await connection.fetchval("SELECT pg_backend_pid()"))

    async with connect(server.dsn, 1) as database:
        first = await backend(database)
        assert await backend(database) == first
        async with database.one_statement() as one, database.one_statement() as other:
            assert await one.fetchval("SELECT pg_backend_pid()") == first
            assert await other.fetchval("SELECT pg_backend_pid()") != first

        first = await backend(database)
        async with database.reading() as other:
            assert await other.fetchval("SELECT pg_terminate_backend($1::integer, 60000)", first)
        assert database._kept is not None
        while not database._kept.is_closed():  # noqa: ASYNC110 - nobody says so
            await asyncio.sleep(0)  # a turn of the loop, which hears of it
        kept = await backend(database)
        assert await backend(database) == kept != first


async def test_a_statement_under_way_does_not_keep_the_database_from_closing(server: Postgres) -> None:
    started = asyncio.Event()

    async def statement(database: Database) -> int:
        async with database.one_statement() as connection:
            started.set()
            return int(await connection.fetchval("SELECT 1 FROM pg_sleep(0.2)"))

    async with connect(server.dsn, 1) as database:
        under_way = asyncio.create_task(statement(database))
        await started.wait()
    assert await under_way == 1


async def test_commits_are_durable(database: Database) -> None:
    async with database.reading() as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await connection.fetchval(f"SHOW {setting}") == "on"


def test_every_statement_has_a_name_and_a_line_that_says_what_for() -> None:
    sql = Statements("gateway", "idempotency.sql")
    assert sql.claim_keys.startswith("-- Those are ours")
    with pytest.raises(AttributeError, match="no_such"):
        _ = sql.no_such

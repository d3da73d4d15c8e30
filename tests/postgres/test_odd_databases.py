"""Databases that are not as ours is: what can be set is set, and what cannot is refused in a sentence that helps."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import pytest

import gateway
from gateway.embedded.postgres import Postgres
from gateway.errors import Misconfigured
from gateway.ledger import ledger
from gateway.money import Assets
from gateway.postgres import prerequisites
from gateway.postgres.migration import check_migrated, migrate
from gateway.postgres.pool import connect
from tests.api.conftest import opened
from tests.databases import execute, fresh_database, name_of

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def made(server: Postgres, how: str = "", *settings: str) -> AsyncIterator[str]:
    """The URL of a database made so, with these settings of its own."""
    async with fresh_database(server.dsn, how=how) as url:
        for setting in settings:
            await execute(server.dsn, f"ALTER DATABASE {name_of(url)} SET {setting}")
        yield url


async def refusal(url: str) -> str:
    with pytest.raises(Misconfigured) as refused:
        async with connect(url, 2) as database:
            await check_migrated(database)
    assert "\n" not in str(refused.value)
    return str(refused.value)


async def pays(url: str, assets: Assets) -> None:
    """The schema migrates, and a payment on it settles."""
    async with connect(url, 3) as database:
        await migrate(database)
        async with database.transaction() as connection:
            await ledger.declare(connection, assets)
        async with opened(database, assets) as api:
            alice, bob = await api.person("alice", "10.00 EUR"), await api.person("bob")
            paid = await alice.pay("@bob", "4.00 EUR", memo="İıß\\'")
            assert (paid.status_code, paid.json()["memo"]) == (201, "İıß\\'")
            assert (await alice.pay("@bob", "3.00 EUR", capture=False)).status_code == 201
            assert await bob.balance("EUR") == ("4.00", "0.00", "4.00")
            assert (await api.call("GET", "/health/ready")).status_code == 200
            assert await api.wrong() == []


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "EUC_JP"])
async def test_another_encoding_than_utf8_is_refused(server: Postgres, encoding: str) -> None:
    async with made(server, f"ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0") as url:
        assert f"has the encoding {encoding}: make one with CREATE DATABASE … ENCODING 'UTF8'" in await refusal(url)


@pytest.mark.parametrize(
    ("parameter", "says"),
    [
        ("pgbouncer=true", 'unrecognized configuration parameter "pgbouncer"'),
        ("schema=public", 'unrecognized configuration parameter "schema"'),
        ("statement_timeout=soon", "statement_timeout"),
        ("fsync=off", "fsync"),
        ("sslmode=no-verify", "`sslmode` parameter must be one of"),
        ("options=-c", "-c"),
        ("options=--nothing%3D1", "nothing"),
    ],
)
async def test_a_parameter_that_does_not_work_is_named(server: Postgres, parameter: str, says: str) -> None:
    said = await refusal(f"{server.dsn}&{parameter}")
    assert said.startswith("GATEWAY_DATABASE_URL has a parameter that does not work here, remove it: ")
    assert says in said


async def test_a_search_path_without_a_schema_is_refused_and_one_of_our_own_is_kept_to(
    server: Postgres, assets: Assets
) -> None:
    async with made(server, "", "search_path = nowhere") as url:
        assert "the search_path 'nowhere' of the role 'gateway' names no schema" in await refusal(url)
        await execute(url + "&search_path=public", "CREATE SCHEMA nowhere")
        await pays(url, assets)


async def test_a_session_that_leaves_out_foreign_keys_is_refused(server: Postgres) -> None:
    async with made(server, "", "session_replication_role = replica") as url:
        assert "session_replication_role is 'replica'" in await refusal(url)


async def test_what_a_database_sets_otherwise_is_set_right_on_our_connections(server: Postgres, assets: Assets) -> None:
    odd = {
        "default_transaction_isolation": ("serializable", "read committed"),
        "default_transaction_deferrable": ("on", "off"),
        "standard_conforming_strings": ("off", "on"),
        "transform_null_equals": ("on", "off"),
        "synchronous_commit": ("off", "on"),
        "bytea_output": ("escape", "hex"),
        "DateStyle": ("SQL, DMY", "ISO, MDY"),
        "IntervalStyle": ("sql_standard", "postgres"),
        "TimeZone": ("Asia/Bangkok", "UTC"),
        "statement_timeout": ("1s", "10s"),
        "idle_session_timeout": ("1s", "0"),
        "transaction_timeout": ("1s", "0"),
        "extra_float_digits": ("-15", "-15"),
    }
    settings = (f"{name} = '{value}'" for name, (value, _) in odd.items())
    async with made(
        server, "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'PG_UNICODE_FAST' LOCALE 'C' TEMPLATE template0", *settings
    ) as url:
        async with connect(url, 1) as database, database.reading() as connection:
            assert {name: await connection.fetchval(f"SHOW {name}") for name in odd} == {
                name: right for name, (_, right) in odd.items()
            }
        await pays(url, assets)


async def test_a_commit_that_waits_for_more_than_we_need_goes_on_waiting_for_it(server: Postgres) -> None:
    async with (
        made(server, "", "synchronous_commit = remote_apply") as url,
        connect(url, 1) as database,
        database.reading() as connection,
    ):
        assert await connection.fetchval("SHOW synchronous_commit") == "remote_apply"


async def test_missing_rights_are_named_before_anything_fails(server: Postgres, assets: Assets) -> None:
    role = f"poor_{uuid4().hex}"
    await execute(server.dsn, f"CREATE ROLE {role} LOGIN")
    async with made(server) as url:
        poor = url.replace("gateway@", f"{role}@", 1)
        assert f"the role '{role}' may not create tables in the schema 'public': GRANT CREATE" in await refusal(poor)
        await pays(url, assets)
        assert f"the role '{role}' may not read and write the table 'account'" in await refusal(poor)
        await execute(url, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
        async with connect(poor, 1) as database:
            await check_migrated(database)
            with pytest.raises(Misconfigured, match="the database refuses this to our role: must be owner of table"):
                async with database.transaction() as connection:
                    await connection.execute("ALTER TABLE staged_payment ADD COLUMN more int")
    await execute(server.dsn, f"DROP ROLE {role}")


async def test_a_user_that_the_server_does_not_know_is_refused(server: Postgres) -> None:
    said = await refusal(server.dsn.replace("gateway@", "nobody_here@", 1))
    assert said.startswith('the database server refuses us: role "nobody_here" does not exist')


class Old:
    """A connection to a server that is not to be had here any more."""

    async def fetchval(self, query: str, /) -> int:
        return 140_022

    async def fetchrow(self, query: str, /) -> None:
        raise AssertionError(query)

    def get_server_pid(self) -> int:
        return 0


def test_no_statement_names_old_rows_as_postgresql_18_alone_can() -> None:
    """Servers from 15 on are taken; nobody here runs one, so the one word that slipped in is looked for."""
    folder = Path(gateway.__file__).parent
    told = re.compile(r"\bRETURNING\b[^;]*\bold\.")
    assert [str(path) for path in folder.rglob("*.sql") if told.search(path.read_text())] == []


async def test_a_server_that_is_too_old_is_refused() -> None:
    with pytest.raises(Misconfigured, match="PostgreSQL 14 is too old: use 15 or newer"):
        await prerequisites.check(Old(), None)  # type: ignore[arg-type]

"""The schema's two ways into a database: new ones are made from gateway/schema/, existing ones are migrated."""

import asyncio
import re
import subprocess
import sys
from collections import Counter
from importlib.resources import files
from pathlib import Path

import pytest

from gateway.embedded.postgres import Postgres
from gateway.errors import Misconfigured
from gateway.postgres.migration import _read, _sha256, check_migrated, migrate
from gateway.postgres.pool import Database, connect
from tests.catalogue import catalogue
from tests.postgres.test_odd_databases import made
from tests.running import environ

pytestmark = pytest.mark.anyio

SCHEMA, MIGRATIONS = (_read(files("gateway"), folder) for folder in ("schema", "migrations"))
FIRST = "0001_first_release.sql"

#: What a gateway from before the first release left, so far as migrating looks at it.
BEFORE_FIRST_RELEASE = """
CREATE TABLE migration (name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
INSERT INTO migration (name, sha256) VALUES ('0001_ledger.sql', 'a'), ('0041_bound_at.sql', 'b');
CREATE TABLE asset (code text PRIMARY KEY);
INSERT INTO asset VALUES ('EUR');
"""


async def execute(database: Database, *statements: str) -> None:
    async with database.transaction() as connection:
        for statement in statements:
            await connection.execute(statement)


async def at_first_release(database: Database, text: str) -> None:
    """What the first release left: the tables that its one migration made, and its record."""
    await execute(
        database,
        "CREATE TABLE migration"
        " (name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())",
        f"INSERT INTO migration (name, sha256) VALUES ('{FIRST}', '{_sha256(text)}')",
        text,
    )


async def test_the_migrations_and_the_schema_make_the_same_database(empty: Database, other_empty: Database) -> None:
    await at_first_release(empty, MIGRATIONS[FIRST])

    assert await migrate(empty) == [name for name in MIGRATIONS if name != FIRST]
    assert await migrate(other_empty) == list(MIGRATIONS)

    migrated, made = await catalogue(empty), await catalogue(other_empty)
    for kind, things in made.items():
        assert migrated[kind] == things, (
            f"{kind}: see gateway/postgres/migration.py for what a change of the schema needs"
        )
    await check_migrated(empty)
    await check_migrated(other_empty)


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("tables", "ALTER TABLE staged_payment RESET (autovacuum_analyze_scale_factor)"),
        ("tables", "CREATE OR REPLACE VIEW counted_address AS SELECT address, id AS wallet_id FROM wallet"),
        ("columns", "ALTER TABLE wallet ALTER frozen_at SET DEFAULT now()"),
        ("columns", "ALTER TABLE wallet ALTER skeleton SET NOT NULL"),
        ("columns", "ALTER TABLE checkpoint ALTER audit_events SET STORAGE MAIN"),
        ("columns", "ALTER TABLE relayer DROP low; ALTER TABLE relayer ADD low boolean NOT NULL DEFAULT false"),
        ("constraints", "ALTER TABLE session RENAME CONSTRAINT session_wallet_id_fkey TO session_wallet_fkey"),
        ("constraints", "ALTER DOMAIN amount DROP CONSTRAINT amount_is_whole"),
        ("indexes", "DROP INDEX payment_due; CREATE INDEX payment_due ON staged_payment (expires_at)"),
        ("functions", "ALTER FUNCTION ledger_write RESET plan_cache_mode"),
        ("functions", "CREATE OR REPLACE FUNCTION append_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'"),
        ("triggers", "DROP TRIGGER wallet_is_kept ON wallet"),
        ("triggers", "ALTER TABLE transfer DISABLE TRIGGER transfer_checked"),
        ("types", "ALTER TYPE side ADD VALUE 'both'"),
        ("sequences", "ALTER SEQUENCE event_id_seq CACHE 10"),
        ("grants", "GRANT CREATE ON SCHEMA public TO public"),
        ("tables", "GRANT SELECT ON wallet TO public"),
        ("rows", "DELETE FROM reserved_handle WHERE word = 'admin'"),
    ],
)
async def test_a_difference_of_each_kind_is_seen(database: Database, kind: str, change: str) -> None:
    before = await catalogue(database)

    await execute(database, *change.split("; "))

    assert (await catalogue(database))[kind] != before[kind]


def release(folder: Path, schema: str, **migrations: str) -> Path:
    """The files of a release of a small schema."""
    for name, text in {"schema/01_things": schema, **{f"migrations/{n}": t for n, t in migrations.items()}}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.sql").write_text(text)
    return folder


async def test_a_later_migration_is_applied_to_what_is_there_and_not_to_what_is_new(
    empty: Database, other_empty: Database, tmp_path: Path
) -> None:
    first, second = "CREATE TABLE thing (a integer)", "ALTER TABLE thing ADD b integer DEFAULT 7"
    one = release(tmp_path / "one", first, _1=first)
    two = release(tmp_path / "two", "CREATE TABLE thing (a integer, b integer DEFAULT 7)", _1=first, _2=second)
    await migrate(empty, one)
    await execute(empty, "INSERT INTO thing VALUES (1)")
    with pytest.raises(Misconfigured, match="run 'gateway migrate'"):
        await check_migrated(empty, two)

    assert await migrate(empty, two) == ["_2.sql"]
    assert await migrate(other_empty, two) == ["_1.sql", "_2.sql"]

    for database in (empty, other_empty):
        await check_migrated(database, two)
        assert await migrate(database, two) == []
    async with empty.reading() as connection:
        assert tuple(await connection.fetchrow("SELECT * FROM thing")) == (1, 7)
    await execute(empty, "DELETE FROM thing")
    assert await catalogue(empty) == await catalogue(other_empty)


async def test_a_database_from_before_the_first_release_is_refused_and_stays_as_it_is(empty: Database) -> None:
    await execute(empty, BEFORE_FIRST_RELEASE)
    before = await catalogue(empty)

    for look in (migrate, check_migrated):
        with pytest.raises(Misconfigured, match=r"older than the first release .* use a new, empty database") as told:
            await look(empty)
        assert "\n" not in str(told.value)

    assert await catalogue(empty) == before


@pytest.mark.parametrize("command", ["migrate", "up", "serve", "work"])
async def test_a_command_on_such_a_database_says_so_in_one_sentence(
    server: Postgres, tmp_path: Path, command: str
) -> None:
    async with made(server) as url:
        async with connect(url, 1) as database:
            await execute(database, BEFORE_FIRST_RELEASE)
        settings = {"GATEWAY_DATABASE_URL": url, "GATEWAY_RPC_URL": "http://127.0.0.1:1", "GATEWAY_PORT": "0"}
        argv = [sys.executable, "-P", "-m", "gateway", command]
        ran = await asyncio.to_thread(
            subprocess.run, argv, cwd=tmp_path, env=environ() | settings, capture_output=True, text=True, timeout=60
        )

    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1] == (
        "gateway: the database is older than the first release of the gateway and cannot be migrated: use a new, empty "
        "database, and keep this one with the gateway that made it"
    )


@pytest.mark.parametrize(("folder", "files"), [("schema", SCHEMA), ("migrations", MIGRATIONS)])
def test_no_text_in_the_database_is_patched(folder: str, files: dict[str, str]) -> None:
    patching = re.compile(r"pg_get_\w+|pg_proc|prosrc|\bDO\s+\$|\bEXECUTE\s+(?!FUNCTION\b)", re.IGNORECASE)

    for name, text in files.items():
        assert patching.findall(re.sub(r"--.*", "", text)) == [], f"{folder}/{name}"


def test_the_schema_defines_each_function_once() -> None:
    defined = Counter(re.findall(r"^CREATE (?:OR REPLACE )?FUNCTION (\w+)", "\n".join(SCHEMA.values()), re.MULTILINE))

    assert set(defined.values()) == {1}

"""The schema: `gateway/schema/` makes a new database, `gateway/migrations/` updates an existing one.

The files of `schema/` are the schema as it is now, in the order of their names. A new database is made from them alone,
and has every migration recorded as applied. Migrations are applied in order, each once, forward only; a test holds what
they all make equal to what `schema/` makes.

To change the schema, edit `schema/` and add a migration that does the same to an existing database. Before the first
release no such database exists, and the first migration is made again instead:

    cat gateway/schema/*.sql > gateway/migrations/0001_first_release.sql
"""

import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from gateway.errors import Misconfigured
from gateway.postgres.pool import Connection, Database

#: The advisory lock that one migration run at a time holds; any number that nobody else uses.
_MIGRATION_LOCK: Final = 7_302_518_001

#: The first migration of databases that are older than the first release.
_BEFORE_FIRST_RELEASE: Final = "0001_ledger.sql"

#: Where `schema/` and `migrations/` are.
_HERE: Final = files("gateway")


async def migrate(database: Database, source: Traversable = _HERE) -> list[str]:
    """Bring the schema up to date, forward only. Returns the names of the migrations that were applied now.

    Any number of gateways may call it at once: one does it, the others wait and find it done. Raises Misconfigured and
    changes nothing if a migration was changed after it was applied, if the database is newer than this code, or if it
    is older than the first release.
    """
    known = _read(source, "migrations")
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL lock_timeout = 0")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _MIGRATION_LOCK)
        applied = await _applied(connection)
        _check_applied(applied, known)
        fresh = [name for name in known if name not in applied]
        if not applied:
            await connection.execute(
                "CREATE TABLE IF NOT EXISTS migration ("
                " name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
            )
        for text in [known[name] for name in fresh] if applied else _read(source, "schema").values():
            await connection.execute(text)
        for name in fresh:
            await connection.execute("INSERT INTO migration (name, sha256) VALUES ($1, $2)", name, _sha256(known[name]))
    return fresh


async def check_migrated(database: Database, source: Traversable = _HERE) -> None:
    """Raise Misconfigured unless the schema is exactly what this code expects."""
    known = _read(source, "migrations")
    async with database.reading() as connection:
        applied = await _applied(connection)
    _check_applied(applied, known)
    if applied.keys() != known.keys():
        raise Misconfigured("the database's schema is not up to date: run 'gateway migrate'")


def _read(source: Traversable, folder: str) -> dict[str, str]:
    """Return the SQL files of a folder by name, in order."""
    found = sorted(
        (one for one in source.joinpath(folder).iterdir() if one.name.endswith(".sql")), key=lambda one: one.name
    )
    return {one.name: one.read_text(encoding="utf-8") for one in found}


async def _applied(connection: Connection) -> dict[str, str]:
    """Return the migrations that the database has, each with its digest; none if it is new."""
    if not await connection.fetchval("SELECT to_regclass('migration') IS NOT NULL"):
        return {}
    return {row["name"]: row["sha256"] for row in await connection.fetch("SELECT name, sha256 FROM migration")}


def _check_applied(applied: dict[str, str], known: dict[str, str]) -> None:
    if _BEFORE_FIRST_RELEASE in applied:
        raise Misconfigured(
            "the database is older than the first release of the gateway and cannot be migrated: use a new, empty "
            "database, and keep this one with the gateway that made it"
        )
    for name, digest in applied.items():
        if name not in known:
            raise Misconfigured(f"the database has migration {name}, which this gateway does not know: use a newer one")
        if digest != _sha256(known[name]):
            raise Misconfigured(f"migration {name} was changed after it was applied; put it back and add a new one")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

"""Migrations: the files of `gateway/migrations/`, applied in order, each once, forward only."""

import hashlib
from importlib.resources import files

from gateway.errors import Misconfigured
from gateway.postgres import Database

#: The advisory lock that one migration run at a time holds; any number that nobody else uses.
_MIGRATION_LOCK = 7_302_518_001


async def migrate(database: Database) -> list[str]:
    """Bring the schema up to date, forward only, and return the names of the migrations applied now.

    Any number of gateways may call it at once: one does it, the others wait and find it done. A migration that was
    changed after it was applied, or a database newer than this code, raises Misconfigured and changes nothing.
    """
    known = _migrations()
    async with database.transaction() as connection:
        await connection.execute("SET LOCAL lock_timeout = 0")
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _MIGRATION_LOCK)
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migration ("
            " name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
        )
        applied = {row["name"]: row["sha256"] for row in await connection.fetch("SELECT name, sha256 FROM migration")}
        _check_applied(applied, known)
        fresh = [name for name in known if name not in applied]
        for name in fresh:
            await connection.execute(known[name])
            await connection.execute("INSERT INTO migration (name, sha256) VALUES ($1, $2)", name, _sha256(known[name]))
    return fresh


async def check_migrated(database: Database) -> None:
    """Raises Misconfigured unless the schema is just what this code expects."""
    known = _migrations()
    async with database.reading() as connection:
        there = await connection.fetchval("SELECT to_regclass('migration') IS NOT NULL")
        rows = await connection.fetch("SELECT name, sha256 FROM migration") if there else []
    applied = {row["name"]: row["sha256"] for row in rows}
    _check_applied(applied, known)
    if applied.keys() != known.keys():
        raise Misconfigured("the database's schema is not up to date: run 'gateway migrate'")


def _migrations() -> dict[str, str]:
    folder = files("gateway").joinpath("migrations")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return {name: folder.joinpath(name).read_text(encoding="utf-8") for name in names}


def _check_applied(applied: dict[str, str], known: dict[str, str]) -> None:
    for name, digest in applied.items():
        if name not in known:
            raise Misconfigured(f"the database has migration {name}, which this gateway does not know: use a newer one")
        if digest != _sha256(known[name]):
            raise Misconfigured(f"migration {name} was changed after it was applied; put it back and add a new one")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

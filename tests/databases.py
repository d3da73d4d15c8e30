"""Databases of the server that the tests of a process share. Each is of one test, or of one file of tests, alone."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg


@asynccontextmanager
async def fresh_database(dsn: str, template: str | None = None, how: str = "") -> AsyncIterator[str]:
    """The URL of a new database on the server of `dsn`, which is dropped at the end: a copy of the template, or made
    `how` CREATE DATABASE is told to.
    """
    name = f"test_{uuid4().hex}"
    if template is not None:
        how = f"TEMPLATE {template} STRATEGY wal_log {how}"  # file_copy needs two checkpoints
    await execute(dsn, f"CREATE DATABASE {name} {how}")
    try:
        yield named(dsn, name)
    finally:
        await execute(dsn, f"DROP DATABASE {name} WITH (FORCE)")


async def execute(dsn: str, statement: str) -> None:
    """Run one statement by the driver alone: what the gateway's own connections check and set takes longer than it."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def named(dsn: str, database: str) -> str:
    """The same server's other database."""
    before, _, query = dsn.partition("?")
    return f"{before.rpartition('/')[0]}/{database}?{query}"


def name_of(dsn: str) -> str:
    """The database of a URL."""
    return urlsplit(dsn).path.removeprefix("/")

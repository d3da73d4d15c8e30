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
        # Two checkpoints of a server with little in its memory, and half the processor time of copying by the log.
        how = f"TEMPLATE {template} STRATEGY file_copy {how}"
    await execute(dsn, f"CREATE DATABASE {name} {how}")
    try:
        yield named(dsn, name)
    finally:
        await execute(dsn, f"DROP DATABASE {name} WITH (FORCE)")


async def execute(dsn: str, statement: str) -> None:
    """Run one statement by the driver alone: what the gateway's own connections check and set takes longer than it."""
    if kept := _kept.get(dsn):
        await kept.execute(statement)
        return
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@asynccontextmanager
async def keeping_connections(dsn: str) -> AsyncIterator[None]:
    """Meanwhile `execute` keeps its connections: to open one takes as long as half a DROP DATABASE."""
    async with asyncpg.create_pool(dsn, min_size=0, reset=_as_it_is) as _kept[dsn]:
        yield
    del _kept[dsn]


async def _as_it_is(_: object) -> None:
    """Nothing is to be reset: one statement leaves nothing behind."""


_kept: dict[str, "asyncpg.Pool[asyncpg.Record]"] = {}


def named(dsn: str, database: str) -> str:
    """The same server's other database."""
    before, _, query = dsn.partition("?")
    return f"{before.rpartition('/')[0]}/{database}?{query}"


def name_of(dsn: str) -> str:
    """The database of a URL."""
    return urlsplit(dsn).path.removeprefix("/")

"""Databases of the server that the tests of a process share, and what is sent to them and waits in them. Each is of one
test, or of one file of tests, alone.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg

from gateway.postgres.pool import Connection
from tests.processes import HANG_SECONDS


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


#: How long others may take until they wait for a lock; they give up waiting after 3 s themselves.
_WAITING_SECONDS = HANG_SECONDS

_WAITING = """
    SELECT count(*) FROM pg_locks WHERE NOT granted AND pid IN (
        SELECT pid FROM pg_locks JOIN pg_database ON pg_database.oid = database WHERE datname = current_database())
"""


@contextmanager
def statements(connection: Connection) -> Iterator[list[str]]:
    """The statements of ours that are sent over the connection meanwhile; the driver's own questions are left out."""
    said: list[str] = []
    with connection.query_logger(lambda sent: said.append(sent.query) if sent.query.startswith("-- ") else None):
        yield said


async def waiting_now(connection: Connection) -> int:
    """How many others wait for a lock, in this database: each of them has locked something of it before.

    Asked of pg_locks alone, which says what is now; pg_stat_activity says the same again until a transaction ends.
    """
    return int(await connection.fetchval(_WAITING))


async def until_waiting(connection: Connection, count: int, *tasks: asyncio.Future[Any]) -> None:
    """Return when so many others wait for a lock. None of the tasks may end before: they are those that are to wait."""
    until = time.monotonic() + _WAITING_SECONDS
    while (waiting := await waiting_now(connection)) < count:
        assert not any(task.done() for task in tasks), tasks
        assert time.monotonic() < until, f"{waiting} wait for a lock after {_WAITING_SECONDS} s, and not {count}"
    assert not any(task.done() for task in tasks), tasks

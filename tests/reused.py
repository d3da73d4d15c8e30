"""Databases that tests have one after the other: each test finds its own as if it were a new copy of the template.

A copy, and what the server finds out anew over each new connection to it (tables, functions, plans), take 90 ms of
processor time, several times as much as most tests. So a database and its connections are kept, and its rows become
those of the template again: what has changed is deleted, what the template has is put in, and sequences begin again.

That is so only where a test left nothing but rows. After any other change (of the schema, a setting, statistics), where
a connection failed or something still runs, and once the tables have grown, the database is dropped and the next test
has a new copy.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final

import asyncpg

from gateway.errors import GatewayError
from gateway.events.wake import Wake
from gateway.metrics.histogram import SECONDS, Histogram
from gateway.postgres import database_url
from gateway.postgres.connection import DEADLINES
from gateway.postgres.pool import Database
from tests.databases import fresh_database
from tests.processes import HANG_SECONDS

#: As many as fifty races need.
CONNECTIONS: Final = 50

#: How many connections stay open: most tests need no more.
_STAY_OPEN: Final = 4

#: The most that changed tables may have on disk, their indexes and dead rows included.
_BYTES_MAX: Final = 2 * 2**20

#: What is known of a database besides rows. A change adds a row of the changing transaction's, or takes one away.
_CATALOGS: Final = (
    *("pg_attrdef", "pg_attribute", "pg_cast", "pg_class", "pg_collation", "pg_constraint", "pg_default_acl"),
    *("pg_depend", "pg_description", "pg_enum", "pg_event_trigger", "pg_extension", "pg_index", "pg_inherits"),
    *("pg_largeobject_metadata", "pg_namespace", "pg_opclass", "pg_operator", "pg_policy", "pg_proc"),
    *("pg_publication", "pg_range", "pg_rewrite", "pg_sequence", "pg_statistic", "pg_statistic_ext", "pg_trigger"),
    "pg_type",
)

_KNOWN: Final = " UNION ALL ".join(
    f"SELECT count(*), count(*) FILTER (WHERE age(xmin) < age($1::text::xid)) FROM {name}" for name in _CATALOGS
)

_NAMES: Final = """
    SELECT quote_ident(relname) FROM pg_class
    WHERE relkind = $1::text::"char" AND relnamespace = 'public'::regnamespace ORDER BY relname"""

#: Whoever else is connected; a test that has closed its connections does not wait until the server has.
_OTHERS: Final = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> ALL ($1::int[]) AND backend_type <> 'autovacuum worker'"""

#: Whether anything outside the database says something of it.
_OUTSIDE: Final = """
    SELECT EXISTS (SELECT FROM pg_db_role_setting WHERE setdatabase = mine.oid)
        OR EXISTS (SELECT FROM pg_replication_slots WHERE database = current_database())
        OR age(mine.xmin) < age($1::text::xid)
    FROM pg_database AS mine WHERE datname = current_database()"""

_SETTINGS: Final = """
    SELECT string_agg(format('SELECT set_config(%L, %L, false);', name, setting), '') FROM pg_settings
    WHERE source = 'session'"""

_NOW: Final = "SELECT pg_current_xact_id()::xid::text"


@dataclass(frozen=True)
class _Content:
    """A template's rows by table, as COPY writes them, and how many; and what sets its sequences."""

    rows: dict[str, tuple[int, bytes]]
    sequences: str

    @property
    def changed(self) -> str:
        """Asks for the tables that have other rows, given the transaction since which that is asked."""
        return " UNION ALL ".join(
            f"SELECT '{table}' WHERE "
            + (
                f"EXISTS (SELECT FROM {table} WHERE age(xmin) < age($1::text::xid))"
                f" OR (SELECT count(*) FROM {table}) <> {count}"
                if count
                else f"EXISTS (SELECT FROM {table}) AND $1::text IS NOT NULL"
            )
            for table, (count, _) in self.rows.items()
        )


async def _content(connection: Any) -> _Content:
    rows = {}
    for (table,) in await connection.fetch(_NAMES, "r"):
        count, copied = await connection.fetchval(f"SELECT count(*) FROM {table}"), BytesIO()
        if count:
            await connection.copy_from_table(table.strip('"'), output=copied, format="binary")
        rows[table] = count, copied.getvalue()
    sequences = ""
    for (name,) in await connection.fetch(_NAMES, "S"):
        last, called = await connection.fetchrow(f"SELECT last_value, is_called FROM {name}")
        sequences += f"SELECT setval('{name}', {last}, {called});"
    return _Content(rows, sequences)


@dataclass
class _Reused:
    """A database between two tests, with the connections to it, which `stack` closes and drops."""

    url: str
    database: Database
    stack: AsyncExitStack
    content: _Content
    since: str  #: The transaction since which nothing has changed but by a test.
    catalogs: list[Any]
    settings: str  #: Makes those of a session what they are when it begins.
    committed: Any
    running: set[Any] = field(default_factory=set)  #: Tasks, when the test began.

    async def reset(self) -> bool:
        """Be as the template again. False where that takes more than rows."""
        database = self.database
        await _end_wake(database)
        failed = database._generation or database._full_until or database.timeouts
        if failed or _running() - self.running or any(one.in_use for one in database._open):
            return False
        database.committed, database.waits = self.committed, Histogram(SECONDS)
        database.clock._ahead = None  # as of a new one: what was read of the time may be old when it is lent again
        for connection in list(database._open)[_STAY_OPEN:]:
            connection.terminate()
        ours = []
        for connection in [one for one in database._open if not one.is_closed()]:
            await connection.execute(self.settings)
            ours.append(connection.get_server_pid())
        async with database.reading() as connection:
            async with asyncio.timeout(HANG_SECONDS):
                while await connection.fetch(_OTHERS, ours):
                    pass
            if await connection.fetchval(_OUTSIDE, self.since):
                return False
            if await connection.fetch(_KNOWN, self.since) != self.catalogs:
                return False
            changed = [table for (table,) in await connection.fetch(self.content.changed, self.since)]
            sizes = " + ".join(f"pg_total_relation_size('{table}')" for table in changed) or "0"
            if await connection.fetchval(f"SELECT {sizes}") > _BYTES_MAX:
                return False
            async with connection.transaction():
                # As a replica: no trigger forbids it, and no constraint asks for an order.
                deletes = "".join(f"DELETE FROM {table};" for table in changed)
                await connection.execute(f"SET LOCAL session_replication_role = replica; {deletes}")
                for table in changed:
                    count, rows = self.content.rows[table]
                    if count:
                        await connection.copy_to_table(table.strip('"'), source=BytesIO(rows), format="binary")
                await connection.execute(self.content.sequences)
                self.since = await connection.fetchval(_NOW)
        return True


def _running() -> set[Any]:
    """All tasks but anyio's own, which run the tests and their fixtures."""
    return {task for task in asyncio.all_tasks() if "TestRunner." not in repr(task.get_coro())}


async def _end_wake(database: Database) -> None:
    """End what tells others of commits, a moment after them."""
    wake = getattr(database.committed, "__self__", None)
    if isinstance(wake, Wake) and wake._sending is not None:
        wake._sending.cancel()
        await asyncio.wait({wake._sending})


@asynccontextmanager
async def _at_rest(url: str) -> AsyncIterator[Database]:
    """As `connect`, but for what watches the server meanwhile: it does so while somebody has the database."""
    database = Database(database_url.read(url), CONNECTIONS, "gateway", DEADLINES)
    await database._pool
    try:
        await database._check()
        database._outages.stop()
        yield database
    finally:
        await database.close()


@dataclass
class ReusedDatabases:
    """Those of one server."""

    dsn: str
    _contents: dict[str, _Content] = field(default_factory=dict)
    _free: dict[str, list[_Reused]] = field(default_factory=dict)

    @asynccontextmanager
    async def lent(self, template: str) -> AsyncIterator[tuple[str, Database]]:
        """A database that is as the template: its URL, and connections to it. It is nobody else's until this ends."""
        free = self._free.setdefault(template, [])
        one = free.pop() if free else await self._made(template)
        one.running = _running()
        one.database._outages.start()
        monitoring = asyncio.create_task(one.database._monitor.run())
        try:
            yield one.url, one.database
        finally:
            monitoring.cancel()
            await asyncio.wait({monitoring})
            one.database._outages.stop()
            if await self._is_reset(one):
                free.append(one)
            else:
                await one.stack.aclose()

    async def close(self) -> None:
        """Drop those that are left."""
        for free in self._free.values():
            while free:
                await free.pop().stack.aclose()

    async def _made(self, template: str) -> _Reused:
        stack = AsyncExitStack()
        url = await stack.enter_async_context(fresh_database(self.dsn, template))
        database = await stack.enter_async_context(_at_rest(url))
        async with database.reading() as connection:
            if template not in self._contents:
                self._contents[template] = await _content(connection)
            since = await connection.fetchval(_NOW)
            catalogs = await connection.fetch(_KNOWN, since)
            settings = "RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all();" + await connection.fetchval(_SETTINGS)
        return _Reused(url, database, stack, self._contents[template], since, catalogs, settings, database.committed)

    async def _is_reset(self, one: _Reused) -> bool:
        try:
            return await one.reset()
        except (GatewayError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            return False  # a test had the connections cut

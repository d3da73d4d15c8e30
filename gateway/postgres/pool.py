"""PostgreSQL: the pool of connections, and the one way to open a transaction.

Amounts are `numeric` in SQL and exact `int` in Python: the codec set on every connection refuses anything else.
Commits are durable as PostgreSQL ships: nothing here turns `fsync` or `synchronous_commit` off.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from time import monotonic
from typing import Final, TypeAlias, TypeVar, cast

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from gateway.clock import DatabaseClock, steady
from gateway.metrics.histogram import SECONDS, Histogram
from gateway.postgres import database_url, prerequisites
from gateway.postgres.connection import DEADLINES, SERVER_ERRORS, DatabaseConnection, Deadlines, why_away
from gateway.postgres.driver_errors import (
    ABANDONS,
    GONE,
    NOT_WRITABLE,
    REFUSED,
    SPOILS_ALL,
    TRANSLATED,
    at_start,
    first_line,
)
from gateway.postgres.errors import DatabaseNotWritable, DatabaseUnavailable
from gateway.postgres.outage_log import OutageLog
from gateway.postgres.primary import Primary
from gateway.postgres.primary_monitor import PrimaryMonitor
from gateway.postgres.statements import Statements as Statements
from gateway.postgres.transaction import check_not_cut_short, has_ended, refusals_confirmed, transaction
from gateway.tracing import steps

Record = asyncpg.Record
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

Value = TypeVar("Value")

#: How long work in progress may take when the pool is closed, in seconds.
_CLOSE_SECONDS: Final = 10.0

#: How long a disk that was full is assumed to be full, in seconds.
_FULL_SECONDS: Final = 15.0

#: Attributes of the database's spans (OpenTelemetry's semantic conventions).
DB_SYSTEM: Final = {"db.system.name": "postgresql"}

#: The time between two attempts to listen, in seconds.
_LISTEN_AGAIN_SECONDS: Final = 1.0

#: One statement, which is a transaction of its own.
_NOTIFY: Final = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, '')"


def _nothing() -> None:
    """Does nothing: the default callback after a commit."""


class Database:
    """A pool of connections to one database. Created once, by `connect`.

    Anything that makes it doubtful that the connections lead to the right server (a statement that was given up, a
    server that takes no writes, a connection that was cut) closes all of them, see `start_over`. New ones are opened on
    demand, all to one server (primary.py).

    Reads may be answered to callers: if commits wait for a synchronous standby, `transaction`, `reading` and `snapshot`
    end only when it has everything that they have seen (`DatabaseConnection.confirm`), also if they raise an error.
    `one_statement` does so if it has written or locked a row. If `answers` is False, callers use `confirm` themselves.
    """

    def __init__(
        self,
        url: database_url.DatabaseUrl,
        connections: int,
        name: str,
        deadlines: Deadlines,
        answers: bool = True,
    ) -> None:
        self._primary, self._deadlines, self._answers = Primary(url, name, deadlines), deadlines, answers
        self._open = set[DatabaseConnection]()
        self._generation = 0
        self._kept: DatabaseConnection | None = None
        self._closing = False
        self._outages = OutageLog()
        self._full_until = 0.0  # by the event loop's clock
        self.clock = DatabaseClock()
        self.committed: Callable[[], None] = _nothing  #: Called after every commit.
        self.waits, self.timeouts = Histogram(SECONDS), 0  # How long each waited for a connection; how many timed out.
        self.connections_max = connections + 1  # One of them is for `one_statement`, which keeps it.
        self._monitor = PrimaryMonitor(self._connect, self._set_clock, deadlines)
        self._pool: asyncpg.Pool[asyncpg.Record] = asyncpg.create_pool(
            min_size=0,  # the driver would keep a minimum on its own, and log a traceback at each attempt
            max_size=self.connections_max,
            connect=self._connect,
            reset=_keep,
        )

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """One PostgreSQL transaction: committed when the body ends, rolled back when it raises.

        Raises Contended if another transaction held a lock for too long or PostgreSQL ended this one to break a
        deadlock, and DatabaseUnavailable if the server cannot be reached, went away, accepts no writes or did not
        answer in time. If that happens during the commit, the outcome is unknown: the caller retries with the same
        idempotency key.
        """
        with TRANSLATED:
            self._monitor.check()
            async with (
                self._connection("transaction") as connection,
                refusals_confirmed(connection, self._answers),
                transaction(connection),
            ):
                yield connection
                if self._answers:
                    await connection.confirm()
            self._has_written()

    @asynccontextmanager
    async def reading(self, *, answers: bool = True) -> AsyncIterator[Connection]:
        """A connection for statements that read; each sees its own moment. With `answers` False only errors are
        confirmed: what was read is for a decision that a later transaction makes.
        """
        with TRANSLATED:
            async with self._connection("reading") as connection, refusals_confirmed(connection, self._answers):
                yield connection
                if self._answers and answers:
                    await connection.confirm()

    @asynccontextmanager
    async def one_statement(self) -> AsyncIterator[Connection]:
        """For one statement that writes: PostgreSQL makes it a transaction of its own, which saves two round trips.

        One connection is kept between such statements: releasing and acquiring it would let the event loop run other
        ready tasks in between, while PostgreSQL waits for the next group.
        """
        with TRANSLATED:
            self._monitor.check()
            traced, began = steps.under_way(), monotonic()
            connection, self._kept = self._kept, None
            if connection is None or has_ended(connection):
                connection = await self._acquire()
            else:
                connection.use(True)
            try:
                yield connection
                check_not_cut_short(connection)
            except BaseException as error:
                try:
                    self._close_if_spoiled(connection, error)
                finally:
                    await self._release(connection)
                raise
            if traced is not None:
                traced.add("PostgreSQL statement", began, **DB_SYSTEM)
            self._has_written()
            if self._kept is None and not self._closing and not self._is_stale(connection):
                self._kept = connection
                connection.use(False)
            else:
                await self._release(connection)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """A read-only transaction in which all statements see one moment."""
        with TRANSLATED:
            async with self._connection("snapshot") as connection, refusals_confirmed(connection, self._answers):
                async with transaction(connection, isolation="repeatable_read", readonly=True):
                    yield connection
                if self._answers:
                    await connection.confirm()

    async def prove_writable(self) -> None:
        """Commit a message to the WAL, and nothing else. Raises DatabaseUnavailable if that fails. A full disk shows
        only when a table has to grow, so it is remembered for a while after it was seen.
        """
        if asyncio.get_running_loop().time() < self._full_until:
            raise DatabaseNotWritable(NOT_WRITABLE[asyncpg.DiskFullError])
        async with self.transaction() as connection:
            if await connection.fetchval("SELECT current_setting('transaction_read_only')::boolean"):
                raise DatabaseNotWritable(NOT_WRITABLE[asyncpg.ReadOnlySQLTransactionError])
            await connection.execute("SELECT pg_logical_emit_message(true, 'gateway', 'writable')")

    async def _check(self) -> None:
        """Open the first connection. Raises what `connect` does."""
        try:
            async with self.reading(answers=False) as connection:
                await prerequisites.check(connection, self.reading(answers=False))
        except (DatabaseUnavailable, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise at_start(error) from error
        self._outages.start()

    def start_over(self, why: str, generation: int | None = None) -> None:
        """Close every connection: unused ones at once, the others when they are released. A finding over a connection
        of an older generation is ignored: it is known already, and says nothing about the newer ones.
        """
        if generation is not None and generation != self._generation:
            return
        self._generation += 1
        self._monitor.doubt()
        self._primary.forget()
        self._outages.warn("the connections to the database are made anew", why)
        for connection in list(self._open):
            if not connection.in_use:
                connection.terminate()

    async def close(self) -> None:
        """Wait a while for work that is under way, and close all connections."""
        self._closing = True  # a connection that a statement still has is then released, not kept
        if self._kept is not None:
            await self._release(self._kept)
        with suppress(
            *GONE, asyncpg.InterfaceError
        ):  # including TimeoutError: the pool then closes its connections itself
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._pool.close()

    def connections(self) -> dict[str, int]:
        """How many connections are open, by whether they are in `use` or `idle`."""
        in_use = sum(one.in_use for one in self._open)
        return {"use": in_use, "idle": len(self._open) - in_use}

    # ---- connections --------------------------------------------------------------------------------------------

    async def _connect(self, *_: object, **__: object) -> DatabaseConnection:
        """The pool calls this for a new connection."""
        generation = self._generation
        try:
            connection = await self._primary.connect()
            try:
                await self._set_clock(connection)
            except BaseException:
                connection.terminate()
                raise
        except (*GONE, *REFUSED, asyncpg.InterfaceError, DatabaseUnavailable) as error:
            self._outages.warn("no connection to the database", first_line(error))
            raise
        if self._leave_replaced(connection.timeline, generation):
            generation = self._generation
        connection.generation, connection.check = generation, self._monitor.check
        connection.gave_up = lambda why: self.start_over(why, generation)
        self._open.add(connection)
        connection.add_termination_listener(lambda _: self._open.discard(connection))
        return connection

    def _leave_replaced(self, timeline: int, generation: int) -> bool:
        """Close the connections to servers of an older timeline, whatever is under way there: none of it will survive.
        A slow statement on a server that is still the primary is not touched.
        """
        replaced = [one for one in self._open if 0 < one.timeline < timeline]
        if replaced:
            self.start_over("another server is the primary now", generation)
        for connection in replaced:
            connection.terminate()
        return bool(replaced)

    async def _set_clock(self, connection: Connection) -> None:
        """Read the database's clock."""
        asked = steady()
        self.clock.set(await connection.fetchval("SELECT clock_timestamp()"), asked, steady())

    @asynccontextmanager
    async def _connection(self, use: str) -> AsyncIterator[DatabaseConnection]:
        traced, began = steps.under_way(), monotonic()
        connection = await self._acquire()
        try:
            yield connection
            check_not_cut_short(connection)
        except BaseException as error:
            self._close_if_spoiled(connection, error)
            raise
        finally:
            if traced is not None:
                traced.add(f"PostgreSQL {use}", began, **DB_SYSTEM)
            await self._release(connection)

    async def _acquire(self) -> DatabaseConnection:
        """Return a connection of the newest generation. Raises DatabaseUnavailable if none is free in time."""
        began = steady()
        try:
            async with asyncio.timeout(self._deadlines.acquire):
                while True:
                    # Without the pool's proxy, which does not notice that a connection has ended.
                    proxy = await self._pool.acquire()
                    connection: DatabaseConnection = proxy._con  # type: ignore[attr-defined] # the stubs leave it out
                    if not self._is_stale(connection):
                        connection.use(True)
                        self.waits.observe(steady() - began)
                        return connection
                    connection.terminate()
        except TimeoutError as late:
            self.timeouts += 1
            raise DatabaseUnavailable(f"no connection was free within {self._deadlines.acquire:g} s") from late
        except (*REFUSED, asyncpg.InterfaceError) as refused:  # InterfaceError: of the pool, or instead of a login
            raise DatabaseUnavailable(why_away(refused)) from refused

    async def _release(self, connection: DatabaseConnection) -> None:
        if not has_ended(connection):
            connection.use(False)
            if self._is_stale(connection):
                connection.terminate()
        proxy = connection._proxy  # type: ignore[attr-defined] # the stubs leave it out
        if proxy is not None:  # otherwise the pool has it back already
            with suppress(*GONE, asyncpg.InterfaceError):  # then the pool has closed it
                await self._pool.release(proxy)

    def _is_stale(self, connection: DatabaseConnection) -> bool:
        return has_ended(connection) or bool(connection.generation != self._generation)

    def _close_if_spoiled(self, connection: DatabaseConnection, error: BaseException) -> None:
        """Close the connection after `error` if it may not be used again, and all others with it if they are affected
        too.

        The driver raises InterfaceError both for wrong use and if the connection has ended in the meantime; the
        connection says which it is. Raises DatabaseUnavailable for the second.
        """
        if isinstance(error, asyncpg.DiskFullError):
            self._full_until = asyncio.get_running_loop().time() + _FULL_SECONDS
        if has_ended(connection):
            self.start_over(first_line(error), connection.generation)
            if isinstance(error, asyncpg.InterfaceError):
                raise DatabaseUnavailable(why_away(error)) from error
        elif isinstance(error, SPOILS_ALL):
            connection.terminate()
            self.start_over(first_line(error), connection.generation)
        elif isinstance(error, (*ABANDONS, asyncpg.InterfaceError)):
            connection.terminate()  # it may be in the middle of something

    async def notify(self, channel: str) -> None:
        """Notify all listeners of the channel. This does not wait for the disk: it need not survive a crash."""
        with TRANSLATED:
            async with self._connection("notify") as connection:
                await connection.fetch(_NOTIFY, channel)

    async def listen(self, channel: str, heard: Callable[[], None]) -> None:
        """Call `heard` whenever a process notifies the channel, over a connection of its own; until cancelled. Also
        once when it starts to listen, because it has missed earlier notifications.
        """
        while True:
            with suppress(*SERVER_ERRORS):
                await self._listen(channel, heard)
            await asyncio.sleep(_LISTEN_AGAIN_SECONDS)

    async def _listen(self, channel: str, heard: Callable[[], None]) -> None:
        """As `listen`, until the connection has ended."""
        connection, ended = await self._connect(), asyncio.Event()
        try:
            connection.add_termination_listener(lambda _: ended.set())
            await connection.add_listener(channel, lambda *_: heard())
            heard()
            await ended.wait()
        finally:
            connection.terminate()

    def _has_written(self) -> None:
        self.committed()
        self._outages.end()


def if_any(column: Sequence[Value]) -> Sequence[Value] | None:
    """Return a column as unnest() takes it beside full columns. One that has only nulls can be null itself, which is
    cheaper: encoding a null costs as much as a value.
    """
    return column if any(value is not None for value in column) else None


async def confirm(connection: Connection) -> None:
    """Wait until a synchronous standby has everything that the connection has seen, if commits wait for one."""
    await cast(DatabaseConnection, connection).confirm()


@asynccontextmanager
async def connect(
    url: str, connections: int = 10, name: str = "gateway", deadlines: Deadlines = DEADLINES, answers: bool = True
) -> AsyncIterator[Database]:
    """A database pool, closed at the end. The URL's own `connect_timeout` takes precedence over the deadlines'.
    `answers` is False for a process that shows its reads to nobody.

    Raises DatabaseUnavailable if nobody answers at `url`, and Misconfigured, with what to do, if it is not the URL of a
    database, or the database does not meet the prerequisites.
    """
    where = database_url.read(url)
    if where.connect_seconds is not None:
        deadlines = replace(deadlines, connect=where.connect_seconds)
    database = Database(where, connections, name, deadlines, answers)
    await database._pool
    try:
        await database._check()
        monitoring = asyncio.create_task(database._monitor.run())
        try:
            yield database
        finally:
            database._closing = True
            database._outages.stop()
            monitoring.cancel()
            await asyncio.wait({monitoring})
    finally:
        await database.close()


async def _keep(connection: Connection) -> None:
    """The pool calls this when a connection is released; it does nothing. The gateway sets no session state, so a reset
    would cost a round trip for nothing; `SET LOCAL` ends with its transaction.
    """

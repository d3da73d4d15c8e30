"""PostgreSQL: the pool, one way to open a transaction, named statements, migrations. The only file with the driver.

Amounts are `numeric` in SQL and exact `int` in Python: the codec set on every connection refuses anything else.
Commits are durable as PostgreSQL ships: nothing here turns `fsync` or `synchronous_commit` off.
"""

import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from typing import Any, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from gateway.errors import Contended, DatabaseUnavailable, Misconfigured

Record = asyncpg.Record
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

#: What the driver says when a lock was not to be had within `lock_timeout`.
LockNotAvailable = asyncpg.LockNotAvailableError
#: What the driver says when a UNIQUE constraint refused; its `constraint_name` says which.
UniqueViolation = asyncpg.UniqueViolationError

#: The advisory lock that one migration run at a time holds; any number that nobody else uses.
_MIGRATION_LOCK = 7_302_518_001

#: Nobody waits longer for a lock than this; our transactions hold theirs for milliseconds.
_LOCK_TIMEOUT = "3s"


class Database:
    """A pool of connections to one database. Made once, in `__main__`, and handed on."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self._pool = pool
        self._kept: PoolConnectionProxy[asyncpg.Record] | None = None
        self._closing = False

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """One PostgreSQL transaction: committed when the body ends, rolled back when it raises.

        Raises Contended when it had to give way to another, and DatabaseUnavailable when the server cannot be reached
        or went away. If that happens while committing, nobody knows whether it was committed: the caller repeats with
        the same idempotency key.
        """
        with _OUR_ERRORS:
            async with self._pool.acquire() as connection, connection.transaction():
                yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        """A connection for statements that read; each sees its own moment."""
        with _OUR_ERRORS:
            async with self._pool.acquire() as connection:
                yield connection

    @asynccontextmanager
    async def one_statement(self) -> AsyncIterator[Connection]:
        """For one statement that writes: PostgreSQL makes it a transaction of its own, and saves two round trips.

        One connection is kept between such statements: giving it back and taking it again lets the event loop run
        whatever else is ready in between, while PostgreSQL waits for the next group.
        """
        with _OUR_ERRORS:
            connection, self._kept = self._kept, None
            if connection is None or _ended(connection):
                connection = await self._pool.acquire()
            try:
                yield connection
            except BaseException:
                await self._pool.release(connection)
                raise
            if self._kept is None and not self._closing:
                self._kept = connection
            else:
                await self._pool.release(connection)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[Connection]:
        """A read-only transaction in which all statements see one moment."""
        with _OUR_ERRORS:
            async with (
                self._pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                yield connection

    async def close(self) -> None:
        self._closing = True  # what a statement still has then is given back, and not kept
        if self._kept is not None:
            await self._pool.release(self._kept)
        with suppress(*_GONE):  # a server that went away before has nothing to say goodbye to
            await self._pool.close()


def _ended(connection: "PoolConnectionProxy[asyncpg.Record]") -> bool:
    """Whether the connection was closed behind our back: the server went away, and may be there again."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # the pool knows already, and has its place back
        return True


#: Nothing was decided, or nobody knows: the server is away, or is going away.
_GONE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what a connection says that was cut in the middle of an answer
    asyncpg.OperatorInterventionError,
    asyncpg.TooManyConnectionsError,
)

#: Nothing was committed: the same may be tried again at once.
_CONTENDED = (asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError, asyncpg.SerializationError)


class _OurErrors:
    """Says in our errors what the driver says in its own, and takes from what it says of a row that a constraint has
    refused the row itself: people's words are in it, which is nothing for a log. Stateless, so one is enough.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, _CONTENDED):
            raise Contended from error
        if isinstance(error, _GONE):
            raise DatabaseUnavailable(type(error).__name__) from error
        if isinstance(error, asyncpg.PostgresError):
            error.detail = None


_OUR_ERRORS = _OurErrors()


@asynccontextmanager
async def connect(
    url: str, connections: int = 10, name: str = "gateway", statement_seconds_max: float = 60
) -> AsyncIterator[Database]:
    """A database pool, closed at the end. A statement that takes longer than `statement_seconds_max` is given up.

    Raises DatabaseUnavailable when nobody answers at `url`.
    """
    try:
        pool = await asyncpg.create_pool(
            url,
            min_size=1,
            max_size=connections + 1,  # one for `one_statement`, which keeps it
            init=_prepare,
            reset=_keep,
            command_timeout=statement_seconds_max,
            server_settings={"application_name": name, "timezone": "UTC", "lock_timeout": _LOCK_TIMEOUT},
        )
    except (*_GONE, asyncpg.InvalidCatalogNameError, asyncpg.InvalidAuthorizationSpecificationError) as gone:
        raise DatabaseUnavailable(str(gone) or type(gone).__name__) from gone
    database = Database(pool)
    try:
        yield database
    finally:
        await database.close()


async def _prepare(connection: Connection) -> None:
    """Teach a new connection that our numerics are whole numbers, exact to any size."""
    await connection.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=int, format="text")


async def _keep(connection: Connection) -> None:
    """What a connection does when it goes back to the pool: nothing. We set no session state, so a reset costs a
    round trip for nothing; `SET LOCAL` ends with its transaction.
    """


# ---- statements -----------------------------------------------------------------------------------------------------


class Statements:
    """The statements of one `.sql` file, by name: `sql.statement_page`. A statement begins at its line `-- name`."""

    def __init__(self, package: str, file: str) -> None:
        text = files(package).joinpath(file).read_text(encoding="utf-8")
        parts = re.split(r"^-- ([a-z][a-z0-9_]*)$", text, flags=re.MULTILINE)
        self._by_name = dict(zip(parts[1::2], (part.strip().rstrip(";") for part in parts[2::2]), strict=True))

    def __getattr__(self, name: str) -> str:
        try:
            statement: str = self._by_name[name]
        except KeyError:
            raise AttributeError(f"no statement -- {name}") from None
        return statement


# ---- migrations -----------------------------------------------------------------------------------------------------


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


def constraint_of(error: Exception) -> str | None:
    """The name of the constraint that refused, when `error` came from one."""
    name: Any = getattr(error, "constraint_name", None)
    return name if isinstance(name, str) else None

"""One connection to PostgreSQL: open it, its settings, and abandon it.

Every wait has a limit. Opening takes at most `connect` seconds, a statement `statement` seconds: the server ends it
first (`statement_timeout`). If the server does not, because it is stopped or cut off, the connection is closed from
this side a second later. The outcome of a statement on a closed connection is unknown: the caller looks it up by its
key.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Final

import asyncpg
from asyncpg.protocol import protocol

from gateway.postgres.database_url import DatabaseUrl, Host, Tcp
from gateway.postgres.errors import DatabaseUnavailable

if TYPE_CHECKING:
    _Driver = asyncpg.Connection[asyncpg.Record]
else:
    _Driver = asyncpg.Connection  # it is generic for type checkers only

#: The longest wait for a lock; the gateway's transactions hold theirs for milliseconds.
_LOCK_TIMEOUT: Final = "3s"

#: How much longer than the server this side waits for a statement, and for the end of a connection, in seconds.
_GRACE_SECONDS: Final = 1.0

#: A server whose commits wait for no standby is asked again after this many seconds: it may have one by then.
_ASK_AGAIN_SECONDS: Final = 1.0

#: Errors of a connection, or of opening one, if the server or the network fails.
SERVER_ERRORS: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that was cut in the middle of an answer
    DatabaseUnavailable,
)

#: Returns whether commits wait for a standby; if so, and this transaction has written nothing yet, it writes a message.
_CONFIRM: Final = """
    SELECT waits, CASE WHEN waits AND pg_current_xact_id_if_assigned() IS NULL
        THEN pg_logical_emit_message(true, 'gateway', '') END
    FROM (SELECT current_setting('synchronous_standby_names') <> '' AND NOT pg_is_in_recovery() AS waits) AS server
"""

#: Below this, a type is PostgreSQL's own and has the same number on every server (FirstGenbkiObjectId, transam.h).
_FIRST_GENERATED_OID: Final = 10_000

#: Replaces the driver's statement that looks up types.
_NOT_ASKED: Final = SimpleNamespace(name="not asked")

#: How long a transaction may be idle, in seconds. A longer idle time means that the process has stopped, and the
#: transaction would keep its locks.
_IDLE_SECONDS_MIN: Final = 60.0

#: The types that may be passed as arrays: Python's own containers. The driver asks of every element of an array whether
#: it is one itself, by `isinstance` with an abstract class (asyncpg's codecs/array.pyx). That calls a Python function:
#: a row of nine columns took 4.7 µs to encode, and takes 1.8.
protocol.IterableABC = (  # type: ignore[attr-defined] # the driver's stubs leave it out
    *(list, tuple, set, frozenset, deque, range),
    *(type({}.keys()), type({}.values())),
)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Time limits in seconds: until a connection is open, and for one statement or commit."""

    connect: float = 5.0
    statement: float = 10.0

    @property
    def acquire(self) -> float:
        """For a free connection: by then its user has given it up, and another is open."""
        return self.connect + min(self.statement + _GRACE_SECONDS, 60.0)


#: The default limits.
DEADLINES: Final = Deadlines()


def why_away(error: BaseException) -> str:
    """Return why a server did not answer, in words for the caller: without the server's own text and class names."""
    return next((words for kinds, words in _WHY if isinstance(error, kinds)), "the connection to it broke off")


#: The first match counts: QueryCanceledError is an OperatorInterventionError, TimeoutError an OSError.
_WHY: Final[tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...]] = (
    ((TimeoutError, asyncpg.QueryCanceledError), "a statement was not done in time"),
    (asyncpg.TooManyConnectionsError, "its server takes no more connections"),
    (asyncpg.InsufficientResourcesError, "its server is short of memory, locks or space"),
    (asyncpg.PostgresSystemError, "its server cannot read or write its own files"),
    (asyncpg.OperatorInterventionError, "its server is stopping or starting"),
    (asyncpg.InvalidAuthorizationSpecificationError, "its server does not let this gateway in"),
    (asyncpg.InvalidCatalogNameError, "its server has no database of that name"),
    (asyncpg.TargetServerAttributeNotMatched, "none of its servers takes writes"),
    (socket.gaierror, "the name of its server cannot be resolved"),
    (ConnectionRefusedError, "its server refuses connections: it may not be running"),
    (FileNotFoundError, "its server is not running: there is no socket"),
)


class DatabaseConnection(_Driver):
    """A connection that is closed, instead of cancelling its statement, when it is abandoned.

    If a statement takes too long or its task is cancelled, asyncpg asks the server to cancel it and waits for the
    answer: without end if the server is stopped. And a COMMIT that waits for a standby is cut short by such a request,
    and is then visible although no standby has it. So the connection is closed instead. The server notices
    (`client_connection_check_interval`) and rolls back; a commit keeps waiting for its standby.
    """

    cut_short = False  # A commit on it stopped waiting for its standby: it is unknown whether the standby has it.
    generation = 0  # The generation of `Database`'s pool that it belongs to: older ones are closed.
    timeline = 0  # The server's timeline when it was opened; 0 if it cannot be asked.
    in_use = False
    gave_up: Callable[[str], None]
    check: Callable[[], None]  # Raises DatabaseUnavailable if a commit would only wait.

    def use(self, in_use: bool) -> None:
        """Record whether the connection is in use."""
        self.in_use = in_use

    def _cancel_current_command(self, *_waiters: Any) -> None:
        """The driver calls this to give up a statement. Closing the connection wakes the tasks that wait for the
        cancellation. It is closed a little later, because the driver continues with the statement when this returns.
        """
        asyncio.get_running_loop().call_soon(self.terminate)
        self.use(True)
        self.gave_up("a statement was given up")

    #: The types of arrays of PostgreSQL's own types: the element and the array, by the array's number.
    _arrays: ClassVar[dict[int, tuple[asyncpg.Record, asyncpg.Record]]] = {}

    async def _introspect_types(
        self,
        typeoids: set[int],
        timeout: float | None,  # noqa: ASYNC109 - as the driver calls it
    ) -> tuple[list[asyncpg.Record], Any]:
        """The driver calls this for types that this connection meets for the first time: mostly arrays, one at a time.
        Its query takes the server longer than a payment, and every server answers the same, so a process asks once.
        """
        if typeoids <= self._arrays.keys():
            return [row for oid in typeoids for row in self._arrays[oid]], _NOT_ASKED
        rows, statement = await super()._introspect_types(typeoids, timeout)  # type: ignore[misc] # the driver's stubs leave it out
        there = {row["oid"]: row for row in rows}
        for oid in typeoids & there.keys():
            element = there.get(there[oid]["elemtype"])
            if oid < _FIRST_GENERATED_OID and element and not element["elemtype"] and element["kind"] == b"b":
                self._arrays[oid] = element, there[oid]
        return rows, statement

    async def confirm(self, seconds: float | None = None) -> None:
        """Wait until a synchronous standby has everything that this connection has seen. If this server turns out not
        to be the one whose commits such a standby takes, this does not return before its deadline, `seconds` or a
        statement's. If that is known already (`check`), it raises DatabaseUnavailable at once.

        A commit becomes visible when its wait for the standby ends, also if the wait was cut short by a cancellation or
        a restart of the server. If the standby then takes over, what was seen has never happened. So reading a row does
        not prove that it is durable. A transaction that writes waits for its own place in the WAL, and so for
        everything before it: a message in the WAL is enough. If commits wait for no standby, this asks the server once
        a second.
        """
        now = asyncio.get_running_loop().time()
        if now < self._asked_at + _ASK_AGAIN_SECONDS:
            return
        self.check()
        if not await self.fetchval(_CONFIRM, timeout=seconds):
            self._asked_at = now

    _asked_at = float("-inf")

    def _process_log_message(self, fields: dict[str, str], last_query: str) -> None:
        """The driver calls this for a notice or a warning. The one that matters is recognized by the C function that
        reports it ("R", protocol-error-fields): its text is in the server's language, and its code is used for many.
        """
        if fields.get("R") == "SyncRepWaitForLSN":
            self.cut_short = True
            self.gave_up("a commit did not wait for its standby")
        super()._process_log_message(fields, last_query)  # type: ignore[misc] # the driver's stubs leave it out

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - as the driver calls it
        """Close the connection without waiting for an answer."""
        with suppress(OSError, asyncpg.InterfaceError):  # TimeoutError is an OSError
            await super().close(timeout=_GRACE_SECONDS)


async def open_connection(
    url: DatabaseUrl, name: str, deadlines: Deadlines, host: Host | None = None
) -> DatabaseConnection:
    """Open a connection with the gateway's settings to one of the URL's hosts, named `name` unless the URL names it.
    Raises DatabaseUnavailable if it takes too long, and what the driver raises.
    """
    try:
        async with asyncio.timeout(deadlines.connect):
            connection = await asyncpg.connect(
                url.url,
                host=host.name if host else None,
                port=host.port if host else None,
                connection_class=DatabaseConnection,
                command_timeout=deadlines.statement + _GRACE_SECONDS,
                server_settings={"application_name": url.application_name or name, "timezone": "UTC"},
            )
            connection.gave_up, connection.check = (lambda _why: None), lambda: None
            try:
                _keep_alive(connection, url.tcp, deadlines)
                await _prepare(connection, _settings(deadlines))
            except BaseException:
                connection.terminate()
                raise
            return connection
    except TimeoutError as late:
        raise DatabaseUnavailable(f"no connection within {deadlines.connect:g} s") from late


async def _prepare(connection: DatabaseConnection, settings: dict[str, str]) -> None:
    """Set the codec, which reads numerics as whole numbers of any size, and the session's settings. They are not set by
    the start-up message, because PgBouncer refuses to pass it on. Settings that an older server does not know are left
    out.
    """
    await connection.execute(
        "SELECT set_config(name, value, false) FROM unnest($1::text[], $2::text[]) AS wanted (name, value)"
        " WHERE current_setting(name, true) IS NOT NULL"
        " UNION ALL SELECT set_config('synchronous_commit', 'on', false)"  # remote_apply is stronger, and is kept
        " WHERE current_setting('synchronous_commit') <> 'remote_apply'",
        *(list(settings), list(settings.values())),
    )
    await connection.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=int, format="text")


def _settings(deadlines: Deadlines) -> dict[str, str]:
    """The settings of every session of the gateway, whatever the server, the database or the role has."""
    return {
        "lock_timeout": _LOCK_TIMEOUT,
        "statement_timeout": _milliseconds(deadlines.statement),
        "idle_in_transaction_session_timeout": _milliseconds(max(deadlines.statement, _IDLE_SECONDS_MIN)),
        "idle_session_timeout": "0",
        "transaction_timeout": "0",
        "client_connection_check_interval": "2s",
        "client_min_messages": "warning",  # otherwise a commit that was cut short would report nothing
        "default_transaction_isolation": "read committed",
        "default_transaction_deferrable": "off",
        "standard_conforming_strings": "on",
        "transform_null_equals": "off",
        "bytea_output": "hex",
        "DateStyle": "ISO, MDY",
        "IntervalStyle": "postgres",
    }


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


def _keep_alive(connection: DatabaseConnection, tcp: Tcp, deadlines: Deadlines) -> None:
    """Set up keepalives, to notice a peer that has disappeared, on a TCP connection."""
    transport = connection._transport  # type: ignore[attr-defined] # the only way to the socket
    peer = transport.get_extra_info("socket")
    if peer is None or peer.family not in (socket.AF_INET, socket.AF_INET6):
        return
    unacknowledged = tcp.tcp_user_timeout
    if unacknowledged is None:
        unacknowledged = round(min(deadlines.statement + _GRACE_SECONDS, 86_400) * 1000)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, tcp.keepalives)
    for option, value in (
        (socket.TCP_KEEPIDLE, tcp.keepalives_idle),
        (socket.TCP_KEEPINTVL, tcp.keepalives_interval),
        (socket.TCP_KEEPCNT, tcp.keepalives_count),
        (socket.TCP_USER_TIMEOUT, unacknowledged),
    ):
        if value:  # 0 is the system's default
            peer.setsockopt(socket.IPPROTO_TCP, option, value)

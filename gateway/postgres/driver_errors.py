"""Translate the driver's errors into the gateway's.

The driver's errors fall into a few kinds: the server is unavailable, refuses the gateway, takes no writes, or another
transaction holds a lock. The rest are the errors of statements: a constraint violation, or an error that an SQL
function raises (errors.py). Outside this package only `LockNotAvailable`, `UniqueViolation` and `constraint_of` are
used.
"""

import asyncio
from typing import Any

import asyncpg

from gateway.errors import Misconfigured, of_sqlstate
from gateway.postgres import prerequisites
from gateway.postgres.connection import why_away
from gateway.postgres.errors import Contended, DatabaseNotWritable, DatabaseUnavailable, LockTimeout

#: The driver's error if a lock was not available within `lock_timeout`.
LockNotAvailable = asyncpg.LockNotAvailableError
#: The driver's error if a UNIQUE constraint was violated; its `constraint_name` says which.
UniqueViolation = asyncpg.UniqueViolationError

#: Nothing was decided, or the outcome is unknown: the server is unavailable or shutting down.
GONE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InternalClientError,  # a connection that was cut in the middle of an answer
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,  # connections, memory, locks, temporary files
    asyncpg.PostgresSystemError,  # the server's own reads and writes fail
)

#: The server is available, but refuses the gateway.
REFUSED = (
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.TargetServerAttributeNotMatched,
)

#: The server answers, but accepts no writes: a standby, or a full disk. Each with its description.
NOT_WRITABLE = {
    asyncpg.ReadOnlySQLTransactionError: "it is read-only",
    asyncpg.DiskFullError: "its disk is full",
}

#: After these no connection can be trusted to lead to a working server.
SPOILS_ALL = (TimeoutError, asyncpg.QueryCanceledError, asyncpg.PostgresSystemError, *NOT_WRITABLE)

#: The task that used the connection has stopped in the middle.
ABANDONS = (asyncio.CancelledError, GeneratorExit)

#: Nothing was committed: the caller may retry at once.
CONTENDED = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


class _Translation:
    """Raises the gateway's errors for the driver's. It removes the row from the error of a constraint: rows contain
    people's words, which do not belong in a log. It has no state, so one instance is enough.
    """

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, LockNotAvailable):
            raise LockTimeout from error
        if isinstance(error, CONTENDED):
            raise Contended from error
        for kind, reason in NOT_WRITABLE.items():
            if isinstance(error, kind):
                raise DatabaseNotWritable(reason) from error
        if isinstance(error, GONE):
            raise DatabaseUnavailable(why_away(error)) from error
        if isinstance(error, asyncpg.InsufficientPrivilegeError):
            raise Misconfigured(f"the database refuses this to our role: {first_line(error)}") from error
        if isinstance(error, asyncpg.PostgresError):
            if (refusal := of_sqlstate(error.sqlstate)) is not None:
                raise refusal.of_detail(*(error.detail or "").split()) from None
            error.detail = None


TRANSLATED = _Translation()


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, with its notes, for the log. Some errors have no text."""
    if isinstance(error, OSError):
        said = why_away(error)
    else:
        words = error.reason if isinstance(error, DatabaseUnavailable) else str(error)
        said = (words.splitlines() or [why_away(error)])[0]
    notes = "; ".join(getattr(error, "__notes__", ()))
    return f"{said} ({notes})" if notes else said


def at_start(error: BaseException) -> BaseException:
    """Return the error for a failed first connection: Misconfigured if waiting would not help."""
    cause = error.__cause__ if isinstance(error, DatabaseUnavailable) and error.__cause__ else error
    said = first_line(cause)
    if isinstance(cause, asyncpg.InvalidCatalogNameError):
        return Misconfigured(f"{said}: create it (ENCODING 'UTF8'), or correct GATEWAY_DATABASE_URL")
    if isinstance(cause, (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InsufficientPrivilegeError)):
        return Misconfigured(f"the database server refuses us: {said}; correct GATEWAY_DATABASE_URL or its rights")
    if isinstance(cause, (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError)):
        return prerequisites.shared_sessions()  # a statement that one session has prepared is unknown to another
    if isinstance(cause, asyncpg.ProtocolViolationError) and not said.startswith("unsupported startup parameter"):
        return DatabaseUnavailable(said)  # from a pooler that has no server, or does not say so in its own words
    if isinstance(cause, (*_WRONG_PARAMETER, asyncpg.ProtocolViolationError)):
        return Misconfigured(f"GATEWAY_DATABASE_URL has a parameter that does not work here, remove it: {said}")
    return DatabaseUnavailable(said) if isinstance(error, DatabaseUnavailable) and str(cause) else error


#: Errors of a server, or of the driver, about a parameter in the URL.
_WRONG_PARAMETER = (
    asyncpg.ClientConfigurationError,
    asyncpg.UndefinedObjectError,
    asyncpg.InvalidParameterValueError,
    asyncpg.CantChangeRuntimeParamError,
    asyncpg.PostgresSyntaxError,
)


def constraint_of(error: Exception) -> str | None:
    """Return the name of the violated constraint; None if `error` is of another kind."""
    name: Any = getattr(error, "constraint_name", None)
    return name if isinstance(name, str) else None

"""What the driver raises, and what the gateway raises instead.

The driver's errors fall into a few kinds: the server is away, refuses the gateway, takes no writes, or something else
holds a lock. The rest are the errors of statements: a constraint that refused, or an error that an SQL function raises
(errors.py). Beyond this package only `LockNotAvailable`, `UniqueViolation` and `constraint_of` are used.
"""

import asyncio
from typing import Any

import asyncpg

from gateway.errors import Misconfigured, of_sqlstate
from gateway.postgres import prerequisites
from gateway.postgres.connection import why_away
from gateway.postgres.errors import Contended, DatabaseNotWritable, DatabaseUnavailable, LockTimeout

#: What the driver says when a lock was not to be had within `lock_timeout`.
LockNotAvailable = asyncpg.LockNotAvailableError
#: What the driver says when a UNIQUE constraint refused; its `constraint_name` says which.
UniqueViolation = asyncpg.UniqueViolationError

#: Nothing was decided, or nobody knows: the server is away, or is going away.
GONE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InternalClientError,  # what a connection says that was cut in the middle of an answer
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,  # connections, memory, locks, temporary files
    asyncpg.PostgresSystemError,  # the server's own reads and writes fail
)

#: The server is there, but does not let the gateway in.
REFUSED = (
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.TargetServerAttributeNotMatched,
)

#: The server answers, but nothing can be written there: a standby, or a full disk. Each with what is said of it.
NOT_WRITABLE = {
    asyncpg.ReadOnlySQLTransactionError: "it is read-only",
    asyncpg.DiskFullError: "its disk is full",
}

#: After these no connection can be trusted to lead to a server that works.
SPOILS_ALL = (TimeoutError, asyncpg.QueryCanceledError, asyncpg.PostgresSystemError, *NOT_WRITABLE)

#: Whoever used the connection has stopped in the middle.
ABANDONS = (asyncio.CancelledError, GeneratorExit)

#: Nothing was committed: the same may be tried again at once.
CONTENDED = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


class _Translation:
    """Raises the gateway's errors for the driver's. From an error that a constraint raised it takes the row out: a row
    has people's words in it, which do not belong in a log. Stateless, so one is enough.
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
    """The first line of what it says, for the log, and what is noted there; some say nothing."""
    if isinstance(error, OSError):
        said = why_away(error)
    else:
        words = error.reason if isinstance(error, DatabaseUnavailable) else str(error)
        said = (words.splitlines() or [why_away(error)])[0]
    notes = "; ".join(getattr(error, "__notes__", ()))
    return f"{said} ({notes})" if notes else said


def at_start(error: BaseException) -> BaseException:
    """Why the first connection is none: Misconfigured where waiting would change nothing."""
    cause = error.__cause__ if isinstance(error, DatabaseUnavailable) and error.__cause__ else error
    said = first_line(cause)
    if isinstance(cause, asyncpg.InvalidCatalogNameError):
        return Misconfigured(f"{said}: create it (ENCODING 'UTF8'), or correct GATEWAY_DATABASE_URL")
    if isinstance(cause, (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InsufficientPrivilegeError)):
        return Misconfigured(f"the database server refuses us: {said}; correct GATEWAY_DATABASE_URL or its rights")
    if isinstance(cause, (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError)):
        return prerequisites.shared_sessions()  # what one session has prepared, another has not
    if isinstance(cause, asyncpg.ProtocolViolationError) and not said.startswith("unsupported startup parameter"):
        return DatabaseUnavailable(said)  # a pooler that has no server, or does not say so in words of its own
    if isinstance(cause, (*_WRONG_PARAMETER, asyncpg.ProtocolViolationError)):
        return Misconfigured(f"GATEWAY_DATABASE_URL has a parameter that does not work here, remove it: {said}")
    return DatabaseUnavailable(said) if isinstance(error, DatabaseUnavailable) and str(cause) else error


#: What a server, or the driver, says of a parameter in the URL.
_WRONG_PARAMETER = (
    asyncpg.ClientConfigurationError,
    asyncpg.UndefinedObjectError,
    asyncpg.InvalidParameterValueError,
    asyncpg.CantChangeRuntimeParamError,
    asyncpg.PostgresSyntaxError,
)


def constraint_of(error: Exception) -> str | None:
    """The name of the constraint that refused, when `error` came from one."""
    name: Any = getattr(error, "constraint_name", None)
    return name if isinstance(name, str) else None

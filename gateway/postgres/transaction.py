"""A transaction on one connection, and confirming before an error is answered."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from gateway.postgres.connection import DatabaseConnection
from gateway.postgres.driver_errors import ABANDONS, GONE, SPOILS_ALL
from gateway.postgres.errors import DatabaseUnavailable


@asynccontextmanager
async def transaction(connection: DatabaseConnection, **how: Any) -> AsyncIterator[None]:
    """The driver's transaction, without a rollback if the server failed: then the connection is closed."""
    started = connection.transaction(**how)
    await started.start()
    try:
        yield
    except BaseException as error:
        if not (has_ended(connection) or isinstance(error, (*SPOILS_ALL, *ABANDONS))):
            await started.rollback()
        raise
    await started.commit()


@asynccontextmanager
async def refusals_confirmed(connection: DatabaseConnection, answers: bool) -> AsyncIterator[None]:
    """Before an error is raised, confirm what it is based on, such as that a payment does not exist."""
    try:
        yield
    except Exception as error:
        driver = isinstance(error, (asyncpg.PostgresError, asyncpg.InterfaceError, DatabaseUnavailable, *GONE))
        if answers and not driver and not has_ended(connection):
            await connection.confirm()
        raise


def check_not_cut_short(connection: DatabaseConnection) -> None:
    """Raise DatabaseUnavailable after a commit that may be on this server alone."""
    if has_ended(connection) or connection.cut_short:
        raise DatabaseUnavailable("a commit did not wait for its standby, which may not have it")


def has_ended(connection: DatabaseConnection) -> bool:
    """Return whether the connection was closed by the other side: the server went away, and may be back."""
    return connection.is_closed()

"""The prerequisites that a server and a database must meet for the ledger to be correct; checked once, at the start.
What can be set per connection is set there (connection.py) and not checked here.
"""

import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Final, NoReturn, Protocol

from gateway.errors import Misconfigured
from gateway.postgres.statements import Statements

log = logging.getLogger(__name__)

sql = Statements(__package__, "prerequisites.sql")

#: The oldest version that is tested: older ones lack features that the migrations use, and have other rights in
#: `public`.
_VERSION_MIN: Final = 15


class _Session(Protocol):
    """The part of a connection's interface that is used here."""

    async def fetchval(self, query: str, /) -> Any: ...

    async def fetchrow(self, query: str, /) -> Any: ...

    def get_server_pid(self) -> int: ...


async def check(connection: _Session, another: AbstractAsyncContextManager[_Session]) -> None:
    """Check the prerequisites. Raises Misconfigured with what is wrong and what to do. `another` is a second
    connection, opened if needed.
    """
    version: int = await connection.fetchval(sql.version)
    if version // 10_000 < _VERSION_MIN:
        _refuse(f"PostgreSQL {version // 10_000} is too old: use {_VERSION_MIN} or newer")
    found: Mapping[str, Any] = await connection.fetchrow(sql.session)
    _check_database(found)
    _check_rights(found)
    if found["process"] != connection.get_server_pid():  # a pooler in between has invented the process id
        await _check_pooler(connection, another)


def _check_database(found: Mapping[str, Any]) -> None:
    if found["encoding"] != "UTF8":
        _refuse(
            f"the database {found['database']!r} has the encoding {found['encoding']}: make one with "
            "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
        )
    if found["schema"] is None:
        _refuse(
            f"the search_path {found['search_path']!r} of the role {found['role']!r} names no schema that is there: "
            "CREATE SCHEMA, or correct it with ALTER ROLE … SET search_path"
        )
    if found["replication_role"] != "origin":
        _refuse(
            f"session_replication_role is {found['replication_role']!r}, which leaves out the checks of foreign keys: "
            "ALTER ROLE … RESET session_replication_role"
        )
    for setting in ("fsync", "full_page_writes"):
        if found[setting] == "off":
            log.warning("the server has %s=off: a crash of its machine may lose acknowledged payments", setting)


def _check_rights(found: Mapping[str, Any]) -> None:
    role, schema = found["role"], found["schema"]
    if not found["may_migrate"]:
        _refuse(
            f"the role {role!r} may not create tables in the schema {schema!r}: GRANT CREATE ON SCHEMA … TO it, or "
            "connect as the database's owner"
        )
    if found["forbidden"] is not None:
        _refuse(
            f"the role {role!r} may not read and write the table {found['forbidden']!r}: GRANT ALL ON ALL TABLES IN "
            f"SCHEMA {schema} TO it, or connect as the tables' owner"
        )


async def _check_pooler(connection: _Session, another: AbstractAsyncContextManager[_Session]) -> None:
    """In a pooler's session mode a connection keeps its server process for itself. In transaction mode it does not: an
    idle one's process is given to another connection, or they rotate.
    """
    async with AsyncExitStack() as stack:
        process = await connection.fetchval("SELECT pg_backend_pid()")
        other = await (await stack.enter_async_context(another)).fetchval("SELECT pg_backend_pid()")
        again = await connection.fetchval("SELECT pg_backend_pid()")
    if process == other or process != again:
        raise shared_sessions()


def shared_sessions() -> Misconfigured:
    """Return the error for a pooler that gives a server session to several connections."""
    return Misconfigured(
        "the database cannot be used: the pooler in front of the server (PgBouncer) gives a session to several "
        "connections; set pool_mode = session for this database, or connect past it"
    )


def _refuse(why: str) -> NoReturn:
    raise Misconfigured(f"the database cannot be used: {why}")

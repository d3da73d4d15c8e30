"""A server that was replaced is left soon, also by what waits there; one that is slow, or has no standby, is not. What
no standby confirms waits in the server in small numbers.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.postgres import primary_monitor
from gateway.postgres.connection import Deadlines
from gateway.postgres.errors import DatabaseUnavailable
from gateway.postgres.pool import Database, connect
from tests.processes import HANG_SECONDS
from tests.replicas import Replicated, replicated
from tests.servers import by_tcp

pytestmark = pytest.mark.anyio

#: Nothing here ends by them.
PATIENT = Deadlines(connect=5.0, statement=10 * HANG_SECONDS)

SHORT = Deadlines(connect=5.0, statement=0.3)

_CONNECTIONS = 2

#: That of the WAL that the server writes.
_TIMELINE = "SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::integer"


@pytest.fixture
async def servers() -> AsyncIterator[Replicated]:
    """Of one test alone: some promote the standby."""
    async with replicated() as servers:
        yield servers


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_LOOK_SECONDS", "_CONFIRM_SECONDS", "_AGAIN_SECONDS"):
        monkeypatch.setattr(primary_monitor, name, 0.2)


@asynccontextmanager
async def reached(servers: Replicated, how: str, primary: list[Path]) -> AsyncIterator[str]:
    """A URL that names both servers, or a proxy that leads new connections to the primary."""
    if how == "hosts":
        yield servers.at(servers.socket, servers.standby_socket)
    else:
        async with by_tcp(servers.url, lambda: primary[0]) as url:
            yield url


async def write(database: Database, together: asyncio.Barrier | None = None) -> int:
    """A commit, when all who do so may go on; the server's timeline."""
    async with database.transaction() as connection:
        await connection.execute("SELECT pg_logical_emit_message(true, 'test', '')")
        timeline = int(await connection.fetchval(_TIMELINE))
        if together is not None:
            await together.wait()
            await together.wait()
        return timeline


async def waits(servers: Replicated) -> int:
    """How many backends wait for the standby."""
    return int(str(await servers.ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")))


@pytest.mark.parametrize("how", ["hosts", "proxy"])
async def test_what_waits_on_a_primary_that_was_replaced_ends_once_another_is_found(
    servers: Replicated, how: str
) -> None:
    primary = [servers.socket]
    async with (
        asyncio.timeout(HANG_SECONDS),
        reached(servers, how, primary) as url,
        connect(url, _CONNECTIONS, deadlines=PATIENT) as database,
    ):
        # As many as there are connections, so that none is left to find out by.
        together = asyncio.Barrier(_CONNECTIONS + 2)
        waiting = [asyncio.create_task(write(database, together)) for _ in range(_CONNECTIONS + 1)]
        await together.wait()
        await servers.ask("SELECT pg_promote()", standby=True)
        primary[0] = servers.standby_socket
        await together.wait()
        async with asyncio.timeout(30):  # it takes some two; where they are left to wait, it takes for ever
            ended = await asyncio.gather(*waiting, return_exceptions=True)

        assert [type(one) for one in ended] == [DatabaseUnavailable] * (_CONNECTIONS + 1)
        assert await write(database) == 2


async def test_what_is_slow_goes_on_while_no_standby_confirms_anything(servers: Replicated) -> None:
    async with (
        asyncio.timeout(HANG_SECONDS),
        connect(servers.at(servers.socket, servers.standby_socket), _CONNECTIONS, deadlines=PATIENT) as database,
        database.reading(answers=False) as slow,
    ):
        backend = await slow.fetchval("SELECT pg_backend_pid()")
        with servers.cut_off():
            while not database._monitor.unconfirmed:
                assert await slow.fetchval("SELECT pg_backend_pid() FROM pg_sleep(0.5)") == backend
            waiting = asyncio.create_task(write(database))
            with pytest.raises(DatabaseUnavailable, match="no standby confirms what is committed"):
                await waiting
        while database._monitor.unconfirmed:
            assert await slow.fetchval("SELECT pg_backend_pid() FROM pg_sleep(0.1)") == backend
        assert await write(database) == 1


async def test_what_no_standby_confirms_waits_in_the_server_in_small_numbers(servers: Replicated) -> None:
    """A commit that is given up goes on waiting in the server, and takes the place of a connection there."""
    async with (
        asyncio.timeout(HANG_SECONDS),
        connect(servers.at(servers.socket, servers.standby_socket), _CONNECTIONS, deadlines=SHORT) as database,
    ):
        with servers.cut_off():
            while not database._monitor.unconfirmed:
                with pytest.raises(DatabaseUnavailable):
                    await write(database)
            before = await waits(servers)
            for _ in range(20):
                with pytest.raises(DatabaseUnavailable, match="no standby confirms what is committed"):
                    await write(database)
                await servers.ask("SELECT pg_sleep(0.1)")  # the monitor looks again meanwhile
            assert await waits(servers) == before
        while database._monitor.unconfirmed:
            await servers.ask("SELECT pg_sleep(0.1)")
        assert await write(database) == 1

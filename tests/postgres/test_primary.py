"""Of several hosts the one that takes writes, whichever is named first, and however silent another is."""

import asyncio
import socket
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.postgres.connection import Deadlines
from gateway.postgres.errors import DatabaseUnavailable
from gateway.postgres.pool import Database, connect
from tests.replicas import Replicated, replicated

pytestmark = pytest.mark.anyio

#: What is asserted to take less than opening a connection may.
PATIENT = Deadlines(connect=30.0, statement=30.0)


@pytest.fixture
async def servers() -> AsyncIterator[Replicated]:
    """Of this test alone: it is promoted."""
    async with replicated() as servers:
        yield servers


@pytest.fixture
def silent() -> Iterator[Path]:
    """A host that takes connections and never says a word, as one that is stopped does."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(f"{folder}/.s.PGSQL.5432")
        deaf.listen(100)
        yield Path(folder)


async def timeline(database: Database) -> int:
    """Of the server that takes this write."""
    async with database.transaction() as connection:
        await connection.execute("CREATE TABLE IF NOT EXISTS written (n int)")
        return int(
            await connection.fetchval(
                "SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int"
            )
        )


async def test_where_no_host_takes_writes_each_is_named_with_what_it_does(silent: Path, tmp_path: Path) -> None:
    with pytest.raises(DatabaseUnavailable) as refused:
        async with connect(f"postgresql:///x?host={silent},{tmp_path}", 4, deadlines=Deadlines(connect=1.0)):
            pass

    assert str(refused.value) == (
        f"the database does not answer: no host takes writes ({silent}:5432: is silent; {tmp_path}:5432: its server is "
        "not running: there is no socket)"
    )


async def test_the_host_that_takes_writes_is_found_and_followed(
    servers: Replicated, silent: Path, caplog: pytest.LogCaptureFixture
) -> None:
    started = time.monotonic()
    async with (
        connect(servers.at(silent, servers.standby_socket, servers.socket), 4, deadlines=PATIENT) as one,
        connect(servers.at(servers.socket, servers.standby_socket, silent), 4, deadlines=PATIENT) as other,
        connect(servers.at(servers.socket), 4, deadlines=PATIENT) as alone,
    ):
        assert [await timeline(one), await timeline(other), await timeline(alone)] == [1, 1, 1]

        # The standby takes over while somebody waits for it. The old primary takes writes yet: nobody has told it.
        await servers.ask("ALTER SYSTEM SET synchronous_standby_names = ''")
        await servers.ask("SELECT pg_reload_conf()")
        waiting = asyncio.create_task(_write(servers.at(silent, servers.standby_socket)))
        await servers.ask("SELECT pg_promote()", standby=True)
        for database in (one, other):
            database.start_over("the test has it so")

        assert [await timeline(one), await timeline(other), await waiting] == [2, 2, 2]
        assert await timeline(alone) == 1  # it was told of one host only
        assert time.monotonic() - started < PATIENT.connect

        # Nor does anybody go back who has seen the new one, also where that one is silent.
        with servers.cut_off():
            one._primary._deadlines = Deadlines(connect=1.0)
            one.start_over("the test has it so")
            with pytest.raises(DatabaseUnavailable) as refused:
                await timeline(one)
        assert str(refused.value) == "the database does not answer: no host takes writes"  # callers are told so
        said = next(record.message for record in reversed(caplog.records) if "no connection" in record.message)
        assert f"{servers.socket}:5432: is on timeline 1, and 2 was seen" in said


async def _write(where: str) -> int:
    async with connect(where, 4, deadlines=PATIENT) as database:
        return await timeline(database)

"""Every wait for the database has an end, also where it is there and does not answer; nothing is cut short by that."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from gateway.embedded.postgres import Postgres
from gateway.postgres.connection import Deadlines
from gateway.postgres.errors import DatabaseUnavailable
from gateway.postgres.pool import Database, connect
from tests.servers import by_tcp, stopped, without_its_standby

pytestmark = pytest.mark.anyio

#: Short, so that a test is; and what no machine is so slow as to reach.
SHORT, HANGS_SECONDS = Deadlines(connect=0.5, statement=0.5), 30.0


async def pid(database: Database) -> int:
    async with database.reading() as connection:
        return int(await connection.fetchval("SELECT pg_backend_pid()"))


async def write(database: Database, number: int) -> None:
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO thing VALUES ($1)", number)


async def things(database: Database) -> list[int]:
    """What the server shows, whether a standby has it or not."""
    async with database.reading(answers=False) as connection:
        return [row["n"] for row in await connection.fetch("SELECT n FROM thing ORDER BY n")]


@pytest.fixture
async def thing(empty: Database, server: Postgres) -> AsyncIterator[Database]:
    """A database with a table, its deadlines short."""
    async with empty.transaction() as connection:
        await connection.execute("CREATE TABLE thing (n int)")
        name = await connection.fetchval("SELECT current_database()")
    before, _, query = server.dsn.partition("?")
    url = f"{before.rpartition('/')[0]}/{name}?{query}"
    async with asyncio.timeout(HANGS_SECONDS), connect(url, 3, deadlines=SHORT) as database:
        yield database


async def test_a_server_that_is_stopped_is_given_up_in_time_and_used_again_when_it_goes_on(
    server: Postgres, thing: Database
) -> None:
    before = await pid(thing)
    with stopped(server):
        for attempt in (write(thing, 1), things(thing), pid(thing)):
            with pytest.raises(DatabaseUnavailable):
                await attempt
    await write(thing, 2)
    assert await things(thing) == [2]
    assert await pid(thing) != before


async def test_fifty_who_ask_a_stopped_server_are_all_answered_in_time(server: Postgres, thing: Database) -> None:
    await pid(thing)
    with stopped(server):
        answers = await asyncio.gather(*(pid(thing) for _ in range(50)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {DatabaseUnavailable}
    assert len(set(await asyncio.gather(*(pid(thing) for _ in range(50))))) <= 4


async def test_a_transaction_of_a_stopped_server_ends_in_time_wherever_it_is(server: Postgres, thing: Database) -> None:
    async def stopped_before_commit() -> None:
        async with thing.transaction() as connection:
            await connection.execute("INSERT INTO thing VALUES (1)")
            stop.__enter__()

    async def stopped_before_rollback() -> None:
        async with thing.transaction():
            stop.__enter__()
            raise KeyError

    for cut, error in ((stopped_before_commit, DatabaseUnavailable), (stopped_before_rollback, DatabaseUnavailable)):
        stop = stopped(server)
        try:
            with pytest.raises(error):
                await cut()
        finally:
            stop.__exit__(None, None, None)
    await write(thing, 2)


async def test_a_pool_is_closed_though_the_server_is_stopped(server: Postgres, thing: Database) -> None:
    async with connect(server.dsn, 2, deadlines=Deadlines(statement=60)) as other:
        await pid(other)
        async with other.one_statement() as connection:
            await connection.fetchval("SELECT 1")
        stop = stopped(server)
        stop.__enter__()
        started = asyncio.get_running_loop().time()
    stop.__exit__(None, None, None)
    assert asyncio.get_running_loop().time() - started < 9  # by itself the pool would wait for ten


async def test_a_task_that_is_cancelled_in_a_statement_ends_at_once_as_cancelled(
    server: Postgres, thing: Database
) -> None:
    async with thing.reading() as connection:
        before = await connection.fetchval("SELECT pg_backend_pid()")

    async def sleeps() -> None:
        async with thing.transaction() as connection:
            asleep.set()
            await connection.execute("SELECT pg_sleep(0.4)")

    asleep = asyncio.Event()
    task = asyncio.create_task(sleeps())
    await asleep.wait()
    with stopped(server):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await pid(thing) != before


async def test_the_server_ends_what_nobody_waits_for_any_more(server: Postgres) -> None:
    async with connect(server.dsn, 2, deadlines=Deadlines(statement=60)) as database:

        async def sleeps() -> None:
            async with database.transaction() as connection:
                asleep.set_result(await connection.fetchval("SELECT pg_backend_pid()"))
                await connection.execute("SELECT pg_sleep(60)")

        asleep: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(sleeps())
        backend = await asleep
        task.cancel()
        async with asyncio.timeout(HANGS_SECONDS), database.reading() as connection:
            while await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", backend):
                await connection.fetchval("SELECT pg_sleep(0.1)")


async def test_a_statement_that_takes_too_long_ends_all_connections_but_those_in_use(thing: Database) -> None:
    idle = set(await asyncio.gather(*(pid(thing) for _ in range(3))))
    async with thing.reading() as used:
        mine = await used.fetchval("SELECT pg_backend_pid()")
        with pytest.raises(DatabaseUnavailable):
            async with thing.transaction() as connection:
                await connection.execute("SELECT pg_sleep(20)")
        assert await used.fetchval("SELECT pg_backend_pid()") == mine
    after = set(await asyncio.gather(*(pid(thing) for _ in range(3))))
    assert after.isdisjoint(idle | {mine})


async def test_who_waits_for_a_free_connection_is_told_so_in_time(thing: Database) -> None:
    taken = [thing.reading() for _ in range(4)]
    for one in taken:
        await one.__aenter__()
    with pytest.raises(DatabaseUnavailable, match="no connection was free within 2 s"):
        await pid(thing)
    for one in taken:
        await one.__aexit__(None, None, None)
    await pid(thing)


async def test_a_commit_that_waits_for_a_standby_is_given_up_but_not_cut_short(
    server: Postgres, thing: Database
) -> None:
    """Were it cancelled, everybody would see it at once, though no standby has it: then it is lost with the primary."""
    async with without_its_standby(server):
        with pytest.raises(DatabaseUnavailable):
            async with thing.one_statement() as connection:
                await connection.execute("INSERT INTO thing VALUES (1)")
        for _ in range(10):
            assert await things(thing) == []
        with pytest.raises(DatabaseUnavailable):
            await write(thing, 2)
        assert await things(thing) == []
    while await things(thing) != [1, 2]:
        pass


async def test_a_host_that_takes_connections_and_says_nothing_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql://x@127.0.0.1:{silent.getsockname()[1]}/x?connect_timeout=2"
        started = asyncio.get_running_loop().time()
        with pytest.raises(DatabaseUnavailable, match="no connection within 2 s"):
            async with asyncio.timeout(HANGS_SECONDS), connect(url, 1, deadlines=Deadlines(connect=HANGS_SECONDS)):
                pass
        assert asyncio.get_running_loop().time() - started >= 2


async def test_a_peer_that_is_gone_without_a_word_is_noticed_by_tcp(server: Postgres) -> None:
    async with (
        by_tcp(server.dsn) as url,
        connect(url + "&keepalives_idle=7", 1, deadlines=SHORT) as database,
        database.reading() as connection,
    ):
        peer = connection._transport.get_extra_info("socket")
        options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
        tcp = [peer.getsockopt(socket.IPPROTO_TCP, option) for option in options]
        assert (peer.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), tcp) == (1, [7, 5, 3, 1500])


async def test_what_the_database_says_of_timeouts_does_not_hold_for_us(server: Postgres, thing: Database) -> None:
    async with thing.transaction() as connection:
        name = await connection.fetchval("SELECT current_database()")
        for setting in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            await connection.execute(f"ALTER DATABASE {name} SET {setting} = '200ms'")
    thing.start_over("it was set anew")
    async with thing.reading() as connection:
        said = {
            setting: await connection.fetchval(f"SHOW {setting}")
            for setting in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        }
    assert said == {
        "statement_timeout": "500ms",
        "lock_timeout": "3s",
        "idle_in_transaction_session_timeout": "1min",
    }

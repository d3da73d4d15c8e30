"""The embedded PostgreSQL: what it keeps, and where it runs."""

import asyncio
import os
import signal
from pathlib import Path

import asyncpg
import pytest

from gateway.embedded.postgres import SETTINGS
from gateway.errors import Misconfigured

from .conftest import ask, only_postgres, until


def test_a_killed_postgres_keeps_what_was_committed(home):
    async def killed() -> None:
        async with only_postgres(home) as parts:
            connection = await asyncpg.connect(parts.dsn)
            await connection.execute("CREATE TABLE kept (n int)")
            acknowledged = 0

            async def write() -> None:
                nonlocal acknowledged
                while True:
                    await connection.execute("INSERT INTO kept VALUES ($1)", acknowledged + 1)
                    acknowledged += 1
                    if acknowledged == 50:
                        os.kill(parts.postgres.pid, signal.SIGKILL)

            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)):
                await write()

            kept = await until(lambda: ask(parts.dsn, "SELECT max(n) FROM kept"))
            assert kept in (acknowledged, acknowledged + 1)  # the last one's answer may not have reached us

    asyncio.run(killed())


def test_its_settings_are_those_that_keep_what_is_committed(home):
    async def settings() -> None:
        async with only_postgres(home) as parts:
            for name in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums"):
                assert await ask(parts.dsn, f"SHOW {name}") == "on"
            for name in ("listen_addresses", "shared_buffers", "max_connections"):
                assert await ask(parts.dsn, f"SHOW {name}") == SETTINGS[name]

    asyncio.run(settings())


def test_a_home_too_deep_for_a_socket_has_it_elsewhere_and_finds_it_again(run, home):
    deep = home / ("x" * 60) / ("y" * 60)
    first = run(deep)
    dsn = first.wait_for("ready").split()[1]
    first.kill()

    second = run(deep)

    assert second.wait_for("ready").split()[1] == dsn
    assert second.end() == 0
    assert not Path(dsn.partition("host=")[2]).exists()


def test_a_dead_servers_lock_that_names_somebody_else_does_not_keep_it_from_starting(home):
    async def again() -> None:
        async with only_postgres(home) as parts:
            lock = (home / "postgres" / "postmaster.pid").read_text()
            assert parts.postgres.pid
        (home / "postgres" / "postmaster.pid").write_text(lock.replace(lock.split()[0], str(os.getpid()), 1))
        async with only_postgres(home) as parts:
            assert await ask(parts.dsn, "SELECT 1") == 1

    asyncio.run(again())


def test_data_of_another_major_version_is_refused_in_one_sentence(home):
    (home / "postgres").mkdir(parents=True)
    (home / "postgres" / "PG_VERSION").write_text("15\n")

    async def older() -> None:
        with pytest.raises(Misconfigured, match="made by PostgreSQL 15 and this is 18"):
            async with only_postgres(home):
                pass

    asyncio.run(older())


def test_an_initdb_that_was_killed_is_started_over(home):
    (home / "postgres.new" / "base").mkdir(parents=True)
    (home / "postgres.new" / "PG_VERSION").write_text("18\n")

    async def over() -> None:
        async with only_postgres(home) as parts:
            assert await ask(parts.dsn, "SELECT 1") == 1

    asyncio.run(over())

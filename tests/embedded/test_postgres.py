"""The embedded PostgreSQL: what it keeps, and where it runs."""

import asyncio
import os
import shutil
import signal
from pathlib import Path

import asyncpg
import pytest

from gateway.embedded.postgres import SETTINGS
from gateway.embedded.supervise import embedded
from gateway.errors import Misconfigured

from .conftest import NODE_MODULES, until

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


def only_postgres(home: Path):
    return embedded(home, NODE_MODULES, chain=False)


async def ask(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def status(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


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


@as_root
def test_under_root_it_runs_as_a_user_of_its_own_without_rights(home):
    async def rights() -> None:
        async with only_postgres(home) as parts:
            found = status(parts.postgres.pid)
            assert found["Uid"].split() == ["61042"] * 4
            assert found["CapEff"] == found["CapBnd"] == "0" * 16

    asyncio.run(rights())


@as_root
def test_below_a_folder_that_is_closed_to_others_it_may_read_and_pass_no_more(home):
    async def rights() -> None:
        home.parent.chmod(0o700)
        async with only_postgres(home) as parts:
            assert await ask(parts.dsn, "SELECT 1") == 1
            found = status(parts.postgres.pid)
            assert found["Uid"].split() == ["61042"] * 4
            assert int(found["CapEff"], 16) == 1 << 2  # CAP_DAC_READ_SEARCH, capabilities(7)

    asyncio.run(rights())


@as_root
def test_it_starts_where_only_a_user_namespace_is_left(home, monkeypatch):
    which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, **options: None if name == "setpriv" else which(name, **options))

    async def namespace() -> None:
        async with only_postgres(home) as parts:
            assert await ask(parts.dsn, "SELECT 1") == 1

    asyncio.run(namespace())


@as_root
def test_where_it_cannot_run_one_sentence_says_what_to_do(home, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name, **options: None)

    async def nowhere() -> None:
        with pytest.raises(Misconfigured, match="start as an ordinary user"):
            async with only_postgres(home):
                pass

    asyncio.run(nowhere())


@as_root
@pytest.mark.parametrize("uid", [65_534, 61_043], ids=["with a name", "without a name"])
def test_an_ordinary_user_runs_it_directly(run, home, uid):
    home.mkdir()
    os.chown(home, uid, uid)
    # The right to read is for this interpreter alone, which may lie in root's home.
    read = "-all,+dac_read_search"
    ordinary = (f"--reuid={uid}", f"--regid={uid}", "--clear-groups", f"--inh-caps={read}", f"--ambient-caps={read}")

    one = run(home, prefix=("setpriv", *ordinary))
    one.wait_for("ready")

    assert status(one.children()["postgres"].pid)["Uid"].split() == [str(uid)] * 4
    assert one.end() == 0


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

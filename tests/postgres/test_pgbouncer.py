"""PgBouncer in front of the server: its session mode works, and the others are refused at the start."""

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from gateway.embedded.postgres import Postgres
from gateway.errors import Misconfigured
from gateway.money import Assets
from gateway.postgres.connection import Deadlines
from gateway.postgres.errors import DatabaseUnavailable
from gateway.postgres.pool import connect
from tests.postgres.test_odd_databases import made, pays
from tests.processes import HANG_SECONDS
from tests.servers import by_tcp, stopped

pytestmark = pytest.mark.anyio

_PATH = f"{os.environ['PATH']}:/usr/sbin"  # where Debian has it, which is not on everybody's path


#: Nobody's number: it refuses to run as root.
_NOBODY = 65_534


@asynccontextmanager
async def pooled(url: str, mode: str, **more: str) -> AsyncIterator[str]:
    """The URL of the same database behind a PgBouncer in this mode."""
    pgbouncer, root = shutil.which("pgbouncer", path=_PATH), os.geteuid() == 0
    assert pgbouncer is not None, "PgBouncer is not installed (Debian: apt-get install pgbouncer)"
    become = ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups"] if root else []
    folder = Path(tempfile.mkdtemp(prefix="gateway-pgbouncer-"))
    async with by_tcp(url) as reached:
        server = urlsplit(reached)
        config = {
            "listen_addr": "",
            "unix_socket_dir": str(folder),
            "listen_port": "6432",
            "pool_mode": mode,
            "auth_type": "trust",
            "auth_file": str(folder / "users"),
            "logfile": str(folder / "log"),
            **more,
        }
        (folder / "users").write_text('"gateway" ""\n')
        (folder / "ini").write_text(
            f"[databases]\n* = host={server.hostname} port={server.port}\n"
            "[pgbouncer]\n" + "".join(f"{name} = {value}\n" for name, value in config.items())
        )
        if root:
            for one in (folder, folder / "users", folder / "ini"):
                os.chown(one, _NOBODY, _NOBODY)
        process = await asyncio.create_subprocess_exec(*become, pgbouncer, "-q", str(folder / "ini"))
        try:
            async with asyncio.timeout(HANG_SECONDS):
                while not answers(folder / ".s.PGSQL.6432"):
                    assert process.returncode is None, (folder / "log").read_text()
                    await asyncio.sleep(0.01)  # another process comes up, and tells nobody
            yield f"postgresql://gateway@{server.path}?host={folder}&port=6432"
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
            shutil.rmtree(folder)


def answers(path: Path) -> bool:
    """Whether connections are taken here: the file is there a moment before they are."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


async def test_its_session_mode_works_though_it_passes_on_no_setting_at_the_start(
    server: Postgres, assets: Assets
) -> None:
    async with made(server, "", "statement_timeout = '3s'") as url, pooled(url, "session") as by_pool:
        await pays(by_pool, assets)
        async with connect(by_pool, 1) as database, database.reading() as connection:
            assert await connection.fetchval("SHOW statement_timeout") == "10s"


@pytest.mark.parametrize("round_robin", ["0", "1"])
@pytest.mark.parametrize("mode", ["transaction", "statement"])
async def test_a_mode_that_shares_sessions_is_refused_at_the_start(
    server: Postgres, mode: str, round_robin: str
) -> None:
    async with (
        made(server) as url,
        pooled(url, mode, server_round_robin=round_robin) as by_pool,
    ):
        await others(by_pool)
        with pytest.raises(Misconfigured, match="set pool_mode = session for this database, or connect past it"):
            async with connect(by_pool, 2):
                pass


async def others(url: str) -> None:
    """Others have used the pool before at once, so that several sessions of the server are idle in it."""
    connections = [await asyncpg.connect(url, statement_cache_size=0) for _ in range(3)]
    await asyncio.gather(*(one.execute("SELECT pg_sleep(0.1)") for one in connections))
    for one in connections:
        await one.close()


async def test_a_pooler_without_a_server_is_waited_for(server: Postgres) -> None:
    async with pooled(server.dsn, "session", server_login_retry="1") as by_pool:
        with stopped(server), pytest.raises(DatabaseUnavailable):
            async with connect(by_pool, 1, deadlines=Deadlines(connect=1)):
                pass
        async with connect(by_pool, 1):
            pass

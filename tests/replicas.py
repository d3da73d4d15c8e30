"""A primary whose commits wait for a standby, and that standby, which a test may stop: both the embedded PostgreSQL."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import asyncpg

from gateway.embedded import postgres as embedded
from gateway.embedded.children import Child, Children
from gateway.embedded.postgres import Postgres
from tests.conftest import make_template
from tests.processes import HANG_SECONDS
from tests.servers import stopped

_CUT_SHORT = "SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


@dataclass
class Replicated:
    """The two servers. `socket` and `standby_socket` are their folders, as a URL names hosts."""

    primary: Postgres
    standby: Child
    standby_socket: Path
    database: str  #: A migrated one.

    @property
    def url(self) -> str:
        """The database on the primary."""
        return self.at(self.socket)

    def at(self, *folders: Path) -> str:
        """The database on whichever of these hosts takes writes."""
        return f"postgresql://gateway@/{self.database}?host={','.join(map(str, folders))}"

    @property
    def socket(self) -> Path:
        return Path(parse_qs(urlsplit(self.primary.dsn).query)["host"][0])

    async def ask(self, statement: str, standby: bool = False) -> object:
        """What the server answers past the gateway."""
        folder = self.standby_socket if standby else self.socket
        connection = await asyncpg.connect(host=str(folder), user="gateway", database=self.database)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    async def until_synchronous(self) -> None:
        """Wait until the standby keeps up, so that commits wait for it alone and not for its start."""
        await self.until("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'")

    async def until(self, statement: str, standby: bool = False) -> object:
        """The first answer that is something."""
        give_up = time.monotonic() + HANG_SECONDS
        while not (answer := await self.ask(statement, standby)):
            assert time.monotonic() < give_up, f"never: {statement}"
            await asyncio.sleep(0.01)  # a server of another process gets on, and tells nobody
        return answer

    async def cut_short(self, until: str = "true") -> None:
        """Have commits that wait for the standby wait no longer, as a cancellation does, or a server that stops, until
        this is so: they are then seen by everybody, and the standby does not have them.
        """
        await self.until(f"SELECT {until} FROM ({_CUT_SHORT}) AS waiting")

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """The standby sleeps: what commits on the primary has nobody else."""
        with stopped(self.standby):
            yield


@asynccontextmanager
async def replicated() -> AsyncIterator[Replicated]:
    """Both, started and in step."""
    folder = _folder()
    children = await Children.claim(folder / "home")
    primary = Postgres(folder / "home", children)
    try:
        await primary.start()
        name = await make_template(primary.dsn)
        standby = await _standby(primary, children, folder / "standby")
        servers = Replicated(primary, standby, folder / "standby", name)
        await servers.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
        await servers.ask("SELECT pg_reload_conf()")
        await servers.until_synchronous()
        yield servers
    finally:
        if primary._child is not None:
            await children.end(primary._child, signal.SIGQUIT)  # asked to stop, it would wait for the standby
        await children.release()
        shutil.rmtree(folder)


def _folder() -> Path:
    """For the sockets a short name, and PostgreSQL's user must be able to pass."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-test-"))
    folder.chmod(0o755)
    return folder


async def _standby(primary: Postgres, children: Children, folder: Path) -> Child:
    """A copy of the primary that follows it, listening on a socket in the folder."""
    way = primary._way
    assert way is not None
    os.mkdir(folder)
    os.chown(folder, way.uid, way.gid)
    where = f"host={parse_qs(urlsplit(primary.dsn).query)['host'][0]} user=gateway"
    argv = ["pg_basebackup", "-d", where, "-D", str(folder / "data"), "-R", "-X", "stream", "-c", "fast", "--no-sync"]
    await asyncio.to_thread(_run, way, argv)
    options = (
        *("-c", "listen_addresses="),
        *("-c", f"unix_socket_directories={folder}"),
        *("-c", "shared_buffers=32MB"),
    )
    return await children.start(
        "standby",
        [str(embedded.binaries() / "postgres"), "-D", str(folder / "data"), *options],
        prefix=way.prefix,
        if_we_die=signal.SIGQUIT,
        folder=Path("/"),
    )


def _run(way: embedded.Way, argv: list[str]) -> None:
    argv = [*way.prefix, str(embedded.binaries() / argv[0]), *argv[1:]]
    done = subprocess.run(argv, cwd="/", capture_output=True, text=True, timeout=HANG_SECONDS, check=False)
    assert done.returncode == 0, done.stderr

"""What befalls a PostgreSQL server in tests: it sleeps, takes no writes, or has no room left."""

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psutil

from gateway.embedded.children import Child
from gateway.embedded.postgres import Postgres
from gateway.postgres.pool import Database, connect


@contextmanager
def stopped(server: Postgres | Child) -> Iterator[None]:
    """The server and all its processes sleep: connections stay open, and nothing answers."""
    assert server.pid is not None
    postmaster = psutil.Process(server.pid)
    everybody = [postmaster, *postmaster.children(recursive=True)]
    for one in everybody:
        with suppress(ProcessLookupError):
            os.kill(one.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for one in everybody:
            with suppress(ProcessLookupError):
                os.kill(one.pid, signal.SIGCONT)


@asynccontextmanager
async def by_tcp(dsn: str, where: Callable[[], Path] | None = None) -> AsyncIterator[str]:
    """A URL of the same database by TCP, which the embedded server does not speak. `where` says for each connection
    which server it leads to (the folder of its socket), as a proxy does.
    """
    parts = urlsplit(dsn)
    (folder,) = parse_qs(parts.query)["host"]

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_unix_connection(
            f"{where() if where is not None else folder}/.s.PGSQL.5432"
        )
        await asyncio.gather(pump(reader, to_server), pump(from_server, writer))

    relay = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = relay.sockets[0].getsockname()[1]
    yield f"postgresql://{parts.username}@127.0.0.1:{port}{parts.path}?sslmode=disable"
    relay.close()


async def setting(server: Postgres, name: str, value: str) -> None:
    """Set it for the whole server, and wait until that is so: what is connected already has it as well."""
    async with connect(server.dsn, 1, answers=False) as database, database.reading() as connection:
        await connection.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        await connection.execute("SELECT pg_reload_conf()")
        while await connection.fetchval(f"SHOW {name}") != value:
            pass


@asynccontextmanager
async def without_its_standby(server: Postgres) -> AsyncIterator[None]:
    """No commit is acknowledged until this ends: it waits for a standby that is not there. This begins once one is seen
    to wait, since the server's processes read a setting one after the other.
    """

    async def commit() -> None:
        async with connect(server.dsn, 1, answers=False) as database, database.one_statement() as connection:
            while True:
                await connection.execute("SELECT pg_logical_emit_message(true, '', '')")

    held = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    await setting(server, "synchronous_standby_names", "nobody_there")
    try:
        async with asyncio.TaskGroup() as group:
            waits = group.create_task(commit())
            async with connect(server.dsn, 1, answers=False) as database, database.reading() as connection:
                while not await connection.fetchval(held):
                    pass
            waits.cancel()
        yield
    finally:
        await setting(server, "synchronous_standby_names", "")


@asynccontextmanager
async def read_only(server: Postgres) -> AsyncIterator[None]:
    """The server takes no writes, as one that was demoted or is held still for maintenance."""
    await setting(server, "default_transaction_read_only", "on")
    try:
        yield
    finally:
        await setting(server, "default_transaction_read_only", "off")


@contextmanager
def small_disk(server: Postgres, mebibytes: int) -> Iterator[Path | None]:
    """A folder of the server's on a disk of this size (tmpfs); None where only others have the right to mount it."""
    assert server.pid is not None
    owner = psutil.Process(server.pid).uids().real
    folder = Path(tempfile.mkdtemp(prefix="gateway-small-"))
    options = f"size={mebibytes}m,uid={owner},gid={owner},mode=700"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder]
    mounted = subprocess.run(mount, check=False, stderr=subprocess.DEVNULL).returncode == 0
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", folder], check=True)
        shutil.rmtree(folder)


def fill(folder: Path) -> Path:
    """Leave no byte free on the disk that the folder is on; what fills it is returned."""
    filler = folder / "filler"
    with filler.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return filler


async def fail_for_want_of_room(database: Database, table: str) -> None:
    """For whoever cannot mount a disk: the server says that it is full when this table would grow."""
    async with database.transaction() as connection:
        await connection.execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE 'could not extend file' USING ERRCODE = 'disk_full'; END $$;"
            f"CREATE TRIGGER full_disk BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION full_disk()"
        )

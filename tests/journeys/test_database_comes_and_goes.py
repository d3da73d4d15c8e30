"""`gateway serve` and `gateway work` beside a database that is not there yet, goes away, and comes back."""

import asyncio
import os
import secrets
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest

from gateway.cli.operate import operations
from gateway.cli.processes.ports import free_port
from gateway.config.environment import from_environment
from gateway.embedded.postgres import Postgres
from tests.anvils import Chain
from tests.databases import execute
from tests.processes import HANG_SECONDS
from tests.running import environ

pytestmark = pytest.mark.anyio


class Door:
    """Where the processes look for the database: a folder that the server's socket is in, or is not."""

    def __init__(self, folder: Path, dsn: str) -> None:
        parts = urlsplit(dsn)
        self._folder, self._socket = folder, Path(parse_qs(parts.query)["host"][0]) / ".s.PGSQL.5432"
        self._dsn, self._name = dsn, f"comes_{uuid4().hex}"
        self.url = f"postgresql://{parts.username}@/{self._name}?host={folder}"

    async def create(self) -> None:
        await execute(self._dsn, f"CREATE DATABASE {self._name}")

    async def drop(self) -> None:
        await execute(self._dsn, f"DROP DATABASE {self._name} WITH (FORCE)")

    def open(self) -> None:
        (self._folder / ".s.PGSQL.5432").symlink_to(self._socket)

    async def close(self) -> None:
        (self._folder / ".s.PGSQL.5432").unlink()
        await execute(
            self._dsn,
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self._name}'",
        )


@asynccontextmanager
async def running(command: str, settings: dict[str, str]) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "gateway", command), env=environ() | settings, stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def line_with(stream: asyncio.StreamReader | None, words: str, said: list[str]) -> None:
    """Read on until a line has these words."""
    assert stream is not None
    while words not in (line := (await stream.readline()).decode()):
        assert line, said
        said.append(line)
    said.append(line)


async def answering(client: httpx.AsyncClient) -> None:
    """The port is bound after the line that names it."""
    while True:
        with suppress(httpx.ConnectError):
            assert (await client.get("/health/ready")).status_code == 200
            return


async def test_they_wait_for_it_say_so_once_and_go_on_after_it_was_away(
    server: Postgres, chain: Chain, tmp_path: Path
) -> None:
    door = Door(tmp_path, server.dsn)
    relayer = tmp_path / "relayer.key"
    relayer.touch(0o600)
    relayer.write_text(secrets.token_hex(32))
    port = free_port("127.0.0.1")
    settings = {
        "GATEWAY_DATABASE_URL": door.url, "GATEWAY_HOME": str(tmp_path), "GATEWAY_PORT": str(port),
        "GATEWAY_RPC_URL": chain.url, "GATEWAY_RELAYER_KEY_FILE": str(relayer),
    }  # fmt: skip
    await door.create()
    door.open()
    await operations.migrate(from_environment(settings))
    await door.close()
    said = {"serve": list[str](), "work": list[str]()}
    async with (
        running("serve", settings) as serve,
        running("work", settings) as work,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=HANG_SECONDS) as client,
    ):
        both = {"serve": serve, "work": work}
        for name, process in both.items():
            await line_with(process.stderr, "waiting for the database: the database does not answer", said[name])
        door.open()
        await asyncio.gather(line_with(serve.stdout, "serving on", []), line_with(work.stdout, "working", []))
        await answering(client)
        claimed = await client.post("/v1/handles", json={"handle": "alice"})
        assert claimed.status_code == 201

        await door.close()
        while (await client.get("/health/ready")).status_code == 200:
            pass
        bearer = {"Authorization": f"Bearer {claimed.json()['api_key']}", "Idempotency-Key": "k"}
        for _ in range(5):
            answers = await asyncio.gather(
                *(client.post("/v1/deposits", json={"amount": "1.00", "asset": "EUR"}, headers=bearer) for _ in "1234")
            )
            assert {answer.status_code for answer in answers} == {503}
        await line_with(work.stderr, "every job: the database does not answer", said["work"])
        door.open()
        while (await client.get("/health/ready")).status_code != 200:
            pass
        paid = await client.post("/v1/deposits", json={"amount": "1.00", "asset": "EUR"}, headers=bearer)
        assert paid.status_code == 201
        await line_with(work.stderr, "the database takes writes again", said["work"])
        for name, process in both.items():
            process.terminate()
            assert process.stderr is not None
            said[name] += (await process.stderr.read()).decode().splitlines(keepends=True)
            assert await process.wait() == 0, said[name]
    await door.drop()
    for name, lines in said.items():
        assert not any("Traceback" in line for line in lines), lines
        messages = [line.split(" ", 2)[-1] for line in lines]  # without the time
        assert len(messages) == len(set(messages)), (name, lines)
        assert sum("waiting for the database" in line for line in lines) == 1


async def waits(command: str, home: Path) -> None:
    """Beside a server that hangs up on everybody it tries three times, and is told to stop."""
    tries = asyncio.Semaphore(0)

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()
        tries.release()

    hangs_up = await asyncio.start_unix_server(hang_up, home / ".s.PGSQL.5432")
    settings = {
        "GATEWAY_DATABASE_URL": f"postgresql:///x?host={home}",
        "GATEWAY_HOME": str(home),
        "GATEWAY_RPC_URL": "http://127.0.0.1:1",
        "GATEWAY_PORT": "0",
    }
    async with running(command, settings) as process:
        for _ in range(3):
            await tries.acquire()
        process.terminate()
        _, said = await process.communicate()
    hangs_up.close()
    assert process.returncode == 0
    lines = [line.partition(": ")[2].partition(": ")[0] for line in said.decode().splitlines()]
    assert lines == ["waiting for the database"]


async def test_a_process_that_waits_for_its_database_says_so_once_and_ends_when_it_is_told_to(tmp_path: Path) -> None:
    homes = {command: tmp_path / command for command in ("serve", "work")}
    for home in homes.values():
        home.mkdir()
    await asyncio.gather(*(waits(command, home) for command, home in homes.items()))


async def test_a_command_does_not_wait_but_says_why_in_a_sentence(tmp_path: Path) -> None:
    settings = {"GATEWAY_DATABASE_URL": f"postgresql:///x?host={tmp_path}", "GATEWAY_HOME": str(tmp_path)}
    async with running("sizes", os.environ | settings) as process:
        out, said = await process.communicate()
    assert (out, process.returncode) == (b"", 1)
    assert said.decode() == "gateway: the database does not answer: its server is not running: there is no socket\n"

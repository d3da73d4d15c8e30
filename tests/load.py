"""a gateway for load: PostgreSQL and gateways as processes that can be killed, and clients that cost next to nothing.

It is what `up` runs but for the chain, the worker and the tour, under the same supervision: what is killed is started
again. The clients write HTTP/1.1 by hand, since a client that costs more than the server measures itself.
"""

import asyncio
import os
import random
import shutil
import socket
import struct
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import psutil

from gateway.cli.operate import operations
from gateway.cli.processes.ports import check_port
from gateway.config.environment import from_environment
from gateway.config.settings import SETTINGS
from gateway.embedded.supervise import Command, Parts, embedded
from gateway.errors import Misconfigured
from tests.processes import HANG_SECONDS
from tests.running import ROOT

#: Between two looks whether a killed part answers again.
_LOOK_SECONDS = 0.02

#: Longer than anything that a request may wait for.
_ANSWER_SECONDS = HANG_SECONDS

#: How much of the gateways' log is shown when a test fails, in characters.
_LOG_SHOWN = 2_000

#: What a client does with a connection that it leaves: nothing is sent but a reset.
_RESET = struct.pack("ii", 1, 0)


# ---- clients --------------------------------------------------------------------------------------------------------


class Lost(Exception):
    """The connection ended before the answer did: nobody knows what became of the request."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    replayed: bool
    body: bytes

    @property
    def again(self) -> bool:
        """Whether a client does as it is told and sends the same again: nothing was decided."""
        return self.status == 503 or (self.status == 409 and b'"idempotency_key_in_progress"' in self.body)

    @property
    def said(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str | None:
        """The code of a problem; None for what is none."""
        said: dict[str, str] = self.said
        return said.get("code")


class Line:
    """One keep-alive connection to a gateway, opened when it is first used and after it was lost."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._socket: socket.socket | None = None
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> Answer:
        """The answer to a request. Raises Lost; an answer that does not come at all is a fault of the gateway's."""
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                reader, writer = await self._open()
                writer.write(request)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                _, _, length = head.partition(b"content-length: ")
                body = await reader.readexactly(int(length.partition(b"\r\n")[0]))
        except TimeoutError:
            raise AssertionError(f"no answer in {_ANSWER_SECONDS} s to {request!r}") from None
        except (OSError, asyncio.IncompleteReadError) as gone:
            self.close()
            raise Lost(str(gone)) from gone
        return Answer(int(head[9:12]), b"\r\nidempotency-replayed: true\r\n" in head, body)

    async def leave(self, request: bytes, reset: bool) -> None:
        """Send a request, or a part of one, and hang up without waiting: politely, or with a reset."""
        with suppress(OSError):
            _, writer = await self._open()
            assert self._socket is not None
            if reset:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            writer.write(request)
            await writer.drain()
        self.close()

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._socket = socket.socket()
            self._socket.setblocking(False)
            await asyncio.get_running_loop().sock_connect(self._socket, ("127.0.0.1", self.port))
            self._streams = await asyncio.open_connection(sock=self._socket)
        return self._streams


async def answers(port: int) -> bool:
    """Whether the gateway takes payments."""
    line = Line(port)
    try:
        return (await line.ask(request("GET", "/health/ready"))).status == 200
    except Lost:
        return False
    finally:
        line.close()


def request(method: str, path: str, api_key: str = "", key: str = "", body: bytes = b"", length: int = 0) -> bytes:
    """A request as it goes over the line. `length` is what it says of its body, where that is not true."""
    head = f"{method} {path} HTTP/1.1\r\nHost: gateway\r\nContent-Length: {length or len(body)}\r\n"
    if body:
        head += "Content-Type: application/json\r\n"
    if api_key:
        head += f"Authorization: Bearer {api_key}\r\n"
    if key:
        head += f"Idempotency-Key: {key}\r\n"
    return head.encode() + b"\r\n" + body


# ---- the gateway -----------------------------------------------------------------------------------------------------


@dataclass
class Setup:
    """PostgreSQL and gateways over it."""

    home: Path
    parts: Parts
    ports: Sequence[int]
    _looks: dict[int, "asyncio.Task[None]"] = field(default_factory=dict)

    @property
    def dsn(self) -> str:
        assert self.parts.dsn is not None
        return self.parts.dsn

    # ---- asking

    async def insist(self, line: Line, asked: bytes) -> tuple[Answer, int]:
        """The answer to a request, sent again as often as it must be; and how often that was."""
        again = 0
        while True:
            try:
                answer = await line.ask(asked)
                if not answer.again:
                    return answer, again
            except Lost:
                pass
            again += 1
            await self.answering(line.port)

    async def answering(self, port: int) -> None:
        """Wait until the gateway takes payments; one looks for all who wait."""
        look = self._looks.get(port)
        if look is None or look.done():
            look = self._looks[port] = asyncio.create_task(self._look(port))
        await look

    async def _look(self, port: int) -> None:
        while not await answers(port):  # noqa: ASYNC110 - another process, nothing tells us
            await asyncio.sleep(_LOOK_SECONDS)

    # ---- killing

    def gateway(self, number: int = 0) -> psutil.Process:
        return psutil.Process(int((self.home / "run" / f"gateway-{number}.child").read_text().split()[0]))

    def postgres(self) -> psutil.Process:
        assert self.parts.postgres is not None
        assert self.parts.postgres.pid is not None
        return psutil.Process(self.parts.postgres.pid)

    def kill_gateway(self) -> None:
        """The first gateway, whatever it is doing."""
        self.gateway().kill()

    def kill_postgres(self) -> None:
        """The postmaster and everything that it started, none of which has time to say anything."""
        postmaster = self.postgres()
        backends = postmaster.children(recursive=True)
        postmaster.kill()
        for backend in backends:
            with suppress(psutil.NoSuchProcess):
                backend.kill()

    def kill_backend(self) -> None:
        """One connection's process, as a machine does it that is out of memory; the postmaster ends the others."""
        serving = [one for one in self.postgres().children() if "[local]" in " ".join(one.cmdline())]
        serving[0].kill()

    def log(self) -> str:
        """What the gateways have written."""
        return "".join(path.read_text() for path in sorted((self.home / "log").glob("gateway-*.log")))


@asynccontextmanager
async def running_setup(gateways: int = 1) -> AsyncIterator[Setup]:
    """a gateway with nobody in it, its gateways answering."""
    home = Path(tempfile.mkdtemp(prefix="gateway-test-"))
    os.chmod(home, 0o755)  # PostgreSQL runs as another user, who must be able to pass
    try:
        async with embedded(home, home, chain=False) as parts:
            environ = {name: "" for name, _, _ in SETTINGS}
            environ |= {"GATEWAY_HOME": str(home), "GATEWAY_DATABASE_URL": str(parts.dsn), "PYTHONPATH": str(ROOT)}
            await operations.migrate(from_environment(environ))
            setup = Setup(home, parts, ports(gateways))
            running = asyncio.create_task(parts.run([_gateway(n, port, environ) for n, port in enumerate(setup.ports)]))
            try:
                await _until_ready(setup, running)
                yield setup
            except BaseException:
                print(setup.log()[-_LOG_SHOWN:])
                raise
            finally:
                if not running.done():
                    parts.stop()
                await running
    finally:
        shutil.rmtree(home)


async def _until_ready(setup: Setup, running: "asyncio.Future[None]") -> None:
    """Wait for the gateways; where one of them ended instead, raise why."""
    looking: asyncio.Future[Any] = asyncio.gather(*(setup.answering(port) for port in setup.ports))
    await asyncio.wait([running, looking], return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        looking.cancel()
        await running


def _gateway(number: int, port: int, environ: dict[str, str]) -> Command:
    argv = [sys.executable, "-P", "-m", "gateway", "serve"]
    return Command(f"gateway {number}", argv, environ | {"GATEWAY_PORT": str(port)}, ready=lambda: answers(port))


def ports(count: int) -> list[int]:
    """Free ports that nobody is given who only connects: they are nobody's while a gateway is killed."""
    found: list[int] = []
    for port in random.SystemRandom().sample(range(20_000, 32_000), 1000):
        with suppress(Misconfigured):
            check_port("127.0.0.1", port)
            found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free port")

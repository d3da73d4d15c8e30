"""What a bench runs: a fresh PostgreSQL, gateways over it, and wrk.

Nothing is tuned. PostgreSQL is the embedded one with its ordinary settings, and is asked whether it syncs; gateways are
`gateway serve`, or the same server with another application in it (served.py). Everything is in one folder, which is
emptied at the start and removed at the end.
"""

import asyncio
import resource
import shutil
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

import asyncpg

from benchmarks import callers, machine, wrk
from benchmarks.callers import PLAIN, Caller
from benchmarks.compare import microseconds_each
from benchmarks.legs import Leg
from benchmarks.revision import HERE, Revision
from gateway.cli.processes.ports import free_port
from gateway.config.config import Config
from gateway.config.environment import from_environment
from gateway.embedded.anvil import Anvil
from gateway.embedded.children import Child, Children
from gateway.embedded.postgres import SETTINGS, Postgres

NODE_MODULES = Path(__file__).parents[2] / "contracts" / "node_modules"
_HOST = "127.0.0.1"
_READY_SECONDS = 30.0

#: A gateway is idle if it uses less of a processor than this in so many seconds; and how long that may take.
_IDLE_CPU, _IDLE_LOOK_SECONDS, _IDLE_SECONDS = 0.02, 0.1, 30.0

#: A connection without the gateway's time limits, since recounting a big ledger takes minutes.
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@dataclass
class Ledger:
    """A database of the gateway, whose handles are `h0000000` and on.

    It counts what was sent, to be compared with what it has afterwards: requests, payments acknowledged and refused,
    and the files with the ids in the answers. `loaded` payments were there before. `revision` made it, for callers of
    one kind.
    """

    name: str
    handles: int
    loaded: int = 0
    asked: int = 0
    acknowledged: int = 0
    refused: int = 0
    ids: list[Path] = field(default_factory=list)
    caller: Caller = PLAIN
    revision: Revision = HERE


@dataclass(frozen=True)
class Served:
    """A running server."""

    url: str
    child: Child

    @property
    def origin(self) -> str:
        """The origin of its pages. It has a host name, since browsers use no passkeys at an IP address."""
        return self.url.replace(_HOST, "localhost")


class Server(Protocol):
    """A running PostgreSQL."""

    @property
    def dsn(self) -> str: ...

    @property
    def pid(self) -> int | None: ...


@dataclass(frozen=True)
class Running:
    """A PostgreSQL that somebody else started."""

    dsn: str
    pid: int | None = None


class Rig:
    """A PostgreSQL, a home, and what is started in it. Without `children` it starts nothing."""

    def __init__(self, home: Path, children: Children | None, server: Server) -> None:
        self.home = home
        self._children = children
        self.server = server
        self._runs = 0

    def below(self, name: str) -> "Rig":
        """The same PostgreSQL, with a home of its own for the gateways below this one."""
        home = self.home / name
        home.mkdir(exist_ok=True)
        return Rig(home, self._children, self.server)

    # ---- databases --------------------------------------------------------------------------------------------------

    def url(self, database: str) -> str:
        before, _, query = self.server.dsn.partition("?")
        return f"{before.rpartition('/')[0]}/{database}?{query}"

    def config(self, database: str, port: int = 0) -> Config:
        return from_environment(self._settings(database, port))

    def _settings(self, database: str, port: int) -> dict[str, str]:
        return {
            "GATEWAY_HOME": str(self.home),
            "GATEWAY_HOST": _HOST,
            "GATEWAY_PORT": str(port),
            "GATEWAY_DATABASE_URL": self.url(database),
        }

    @asynccontextmanager
    async def connected(self, database: str) -> AsyncIterator[Connection]:
        """A connection to the database. Its process has ended afterwards, so its time is in no leg that follows."""
        connection = await asyncpg.connect(self.url(database), server_settings={"timezone": "UTC"})
        await connection.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=int, format="text")
        try:
            yield connection
        finally:
            backend = connection.get_server_pid()
            await connection.close()
            machine.ended(backend)

    async def create_database(self, name: str, template: str = "template1") -> None:
        async with self.connected("gateway") as connection:
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")

    async def drop_database(self, name: str) -> None:
        async with self.connected("gateway") as connection:
            await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    async def copy(self, template: Ledger, name: str) -> Ledger:
        """A fresh copy of a ledger."""
        await self.create_database(name, template.name)
        return Ledger(name, template.handles, template.loaded, caller=template.caller, revision=template.revision)

    async def sign_in(self, ledger: Ledger, run: str) -> None:
        """Begin sessions for those who pay in the ledger, with tokens of this run."""
        if ledger.revision is HERE:
            async with self.connected(ledger.name) as connection:
                await callers.sign_in(connection, run)
        else:
            await ledger.revision.offer(self.server.dsn, self.home, "sign_in", database=ledger.name, run=run)

    # ---- servers ----------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def serving(
        self, ledger: Ledger, variant: str = "gateway", port: int = 0, settings: Mapping[str, str] | None = None
    ) -> AsyncIterator[Served]:
        """`gateway serve` over the ledger, or one of the variants of served.py; on a free port unless one is named, and
        with further settings.
        """
        port = port or free_port(_HOST)
        program = ["gateway", "serve"] if variant == "gateway" else ["benchmarks.served", variant]
        all_settings = self._settings(ledger.name, port) | dict(settings or {})
        child = await self._start(variant, program, all_settings, ledger.revision)
        try:
            await _listening(child, port)
            yield Served(f"http://{_HOST}:{port}", child)
        finally:
            await self._own_children.end(child)

    @asynccontextmanager
    async def working(
        self,
        ledger: Ledger,
        program: Sequence[str] = ("gateway", "work"),
        settings: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Child]:
        """`gateway work` over the ledger, or another program that works; with further settings."""
        all_settings = self._settings(ledger.name, 0) | dict(settings or {})
        child = await self._start("worker", program, all_settings, ledger.revision)
        try:
            yield child
        finally:
            await self._own_children.end(child)

    @asynccontextmanager
    async def listening(self, module: str) -> AsyncIterator[Served]:
        """A server of the bench's own, which is given its port."""
        port = free_port(_HOST)
        child = await self._start(module, [module, str(port)], {}, HERE)
        try:
            await _listening(child, port)
            yield Served(f"http://{_HOST}:{port}", child)
        finally:
            await self._own_children.end(child)

    @asynccontextmanager
    async def chain(self, block_seconds: float) -> AsyncIterator[Anvil]:
        """The embedded chain, in this home."""
        anvil = Anvil(self.home, self._own_children, NODE_MODULES, block_seconds=block_seconds)
        await anvil.start()
        try:
            yield anvil
        finally:
            await anvil.stop()

    async def _start(self, name: str, program: Sequence[str], settings: Mapping[str, str], revision: Revision) -> Child:
        self._runs += 1
        argv = [revision.python, "-P", "-m", *program]
        environ = revision.environ() | dict(settings)
        return await self._own_children.start(f"{name}-{self._runs}", argv, environ=environ)

    @property
    def _own_children(self) -> Children:
        assert self._children is not None, "this rig starts nothing"
        return self._children

    # ---- load -------------------------------------------------------------------------------------------------------

    async def load(
        self,
        who: str,
        served: Sequence[Served],
        ledger: Ledger,
        connections: int,
        seconds: float,
        script: str = "single",
        threads: int = 1,
        argument: str = "",
        kept: bool = True,
        apart: int = 1,
    ) -> Leg:
        """Send payments over `connections` for `seconds`, spread evenly over the servers, and add them to the ledger's
        counts unless `kept` is False, as for the server that does nothing. Every `apart`-th handle pays and is paid.
        `argument` is passed to the script.
        """
        folder = self.home / "ids"
        folder.mkdir(exist_ok=True)
        gateways = {one.child.pid for one in served}
        each = connections // len(served)
        self._runs += 1
        first = f"b{self._runs}"
        if ledger.caller.session:
            await self.sign_in(ledger, first)
        before = self.cpu(gateways)
        parts = []
        for one in served:
            self._runs += 1
            ids = folder / f"run{self._runs}"
            header = ledger.caller.header(one.origin, first)
            arguments = [f"b{self._runs}", str(ledger.handles // apart), str(apart), str(ids), str(self._runs), header]
            parts.append((ids, wrk.run(one.url, script, threads, each, seconds, [*arguments, argument])))
        told = await asyncio.gather(*(running for _, running in parts))
        await self.until_idle(gateways)
        gateway_cpu, postgres_cpu, wrk_cpu = (now - then for now, then in zip(self.cpu(gateways), before, strict=True))

        for ids, _ in parts:
            files = sorted(folder.glob(f"{ids.name}.*"))
            if kept:
                ledger.ids += files
            else:
                for file in files:
                    file.unlink()
        asked, acknowledged, refused = (
            sum(one.asked for one in told),
            sum(one.acknowledged for one in told),
            sum(one.refused for one in told),
        )
        if kept:
            ledger.asked += asked
            ledger.acknowledged += acknowledged
            ledger.refused += refused
        worked_for = asked - refused  # payments without an answer when wrk left were made too, and are in the time
        return Leg(
            who=who,
            connections=connections,
            seconds=max(one.microseconds for one in told) / 1e6,
            asked=asked,
            acknowledged=acknowledged,
            refused=refused,
            broken=sum(one.broken for one in told),
            first_refusal=next((one.first_refusal for one in told if one.first_refusal), ""),
            p50_ms=sum(one.p50 for one in told) / len(told) / 1e3,
            p99_ms=max(one.p99 for one in told) / 1e3,
            gateway_cpu_us=microseconds_each(gateway_cpu, worked_for),
            postgres_cpu_us=microseconds_each(postgres_cpu, worked_for),
            wrk_cpu_us=microseconds_each(wrk_cpu, worked_for),
        )

    async def until_idle(self, gateways: set[int]) -> None:
        """Wait until the gateways are idle: every payment is done then, answered or not. Raises RuntimeError."""
        give_up, before = time.monotonic() + _IDLE_SECONDS, -1.0
        while True:
            used = sum(machine.cpu_seconds(pid) for pid in gateways)
            if used - before < _IDLE_CPU * _IDLE_LOOK_SECONDS and before >= 0:
                return
            if time.monotonic() > give_up:
                raise RuntimeError(f"a gateway was still busy {_IDLE_SECONDS:.0f} s after its last request")
            before = used
            await asyncio.sleep(_IDLE_LOOK_SECONDS)

    def cpu(self, gateways: set[int]) -> tuple[float, float, float]:
        """Processor seconds used so far: by the gateways, by PostgreSQL, by all wrk that have ended."""
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert self.server.pid is not None
        return (
            sum(machine.cpu_seconds(pid) for pid in gateways),
            machine.family_cpu_seconds(self.server.pid),
            ended.ru_utime + ended.ru_stime,
        )


@asynccontextmanager
async def rig(home: Path) -> AsyncIterator[Rig]:
    """A fresh rig, removed at the end. Refuses a folder that another bench is using, and ends and removes what a killed
    bench left.
    """
    children = await Children.claim(home)
    try:
        _empty(home)
        server = Postgres(home, children)
        await server.start()
        try:
            made = Rig(home, children, server)
            await _check_durable(made)
            yield made
        finally:
            await server.stop()
    finally:
        await children.release()
        shutil.rmtree(home, ignore_errors=True)


def _empty(home: Path) -> None:
    for left in home.iterdir():
        if left.is_dir() and left.name != "run":
            shutil.rmtree(left)


async def _check_durable(made: Rig) -> None:
    """Raises if PostgreSQL would acknowledge a commit that is not on the disk."""
    async with made.connected("gateway") as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            value = await connection.fetchval(f"SHOW {name}")
            print(f"PostgreSQL: {name} is {value}")
            assert value == "on", f"{name} is {value}"
        for name in ("wal_sync_method", "shared_buffers", "max_wal_size"):
            print(f"PostgreSQL: {name} is {await connection.fetchval(f'SHOW {name}')}")
        assert SETTINGS["fsync"] == "on"


async def _listening(child: Child, port: int) -> None:
    loop = asyncio.get_running_loop()
    give_up = loop.time() + _READY_SECONDS
    while True:
        try:
            _, writer = await asyncio.open_connection(_HOST, port)
        except OSError:
            if not child.running or loop.time() > give_up:
                raise RuntimeError(f"{child.name} does not serve: {child.last_lines()}") from None
            await asyncio.sleep(0.05)
        else:
            writer.close()
            await writer.wait_closed()
            return

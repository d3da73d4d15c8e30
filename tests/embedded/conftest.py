"""The homes, and the runs of `embedded` in a process of their own, that these tests kill."""

import asyncio
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import asyncpg
import psutil
import pytest

from gateway.embedded.children import Identity, identify
from gateway.embedded.supervise import embedded
from tests.processes import HANG_SECONDS, start

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
NODE_MODULES = ROOT / "contracts" / "node_modules"

#: What only root can do is no test of anybody else's.
collect_ignore = [] if os.geteuid() == 0 else ["test_postgres_as_root.py"]


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


#: What `gateway up` does with the parts, without the gateway: arguments are the home, where anvil is, and the programs.
RUN = """
import asyncio, sys
from pathlib import Path
from typing import TypeVar
from gateway.embedded.supervise import Command, embedded
async def run(home, node_modules, database, *programs):
    async with embedded(Path(home), Path(node_modules), database=database == 'True', block_seconds=0.1) as parts:
        print("ready", parts.dsn, parts.rpc_url, flush=True)
        await parts.run([Command(f"program{n}", [sys.executable, "-c", text]) for n, text in enumerate(programs)])
asyncio.run(run(*sys.argv[1:]))
"""


class Run:
    """`RUN` as a process."""

    def __init__(
        self, home: Path, *programs: str, prefix: tuple[str, ...] = (), database: bool = True, **options: object
    ) -> None:
        self.home = home
        argv = [sys.executable, "-P", "-c", RUN, str(home), str(NODE_MODULES), str(database), *programs]
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
        environ |= options.pop("environ", {})  # type: ignore[arg-type,operator]
        self.process = start(  # type: ignore[call-overload]
            argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environ, prefix=prefix, **options
        )
        self.said: list[str] = []

    def wait_for(self, text: str) -> str:
        """The first line that has the text; what was said before is read over."""
        for line in self.process.stdout:
            self.said.append(line)
            if text in line:
                return str(line)
        raise AssertionError("".join(self.said))

    def children(self) -> dict[str, Identity]:
        """Who is on record in the home and alive."""
        found = {}
        for record in (self.home / "run").glob("*.child"):
            with suppress(FileNotFoundError):  # a part that has just ended has its record removed
                if child := identify(int(record.read_text().split()[0])):
                    found[record.stem] = child
        return found

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        self.said += self.process.stdout.readlines()
        return int(self.process.wait(timeout=HANG_SECONDS))


@pytest.fixture
def home() -> Iterator[Path]:
    """Not there yet, below a folder that everybody may pass; pytest's own are for their owner alone."""
    folder = Path(tempfile.mkdtemp(prefix="gateway-test-"))
    folder.chmod(0o755)
    yield folder / "home"
    shutil.rmtree(folder)


@pytest.fixture
def run() -> Iterator[Callable[..., Run]]:
    """Start runs; what is left of them at the end of the test is ended."""
    runs: list[Run] = []

    def start(*args: object, **options: object) -> Run:
        runs.append(Run(*args, **options))  # type: ignore[arg-type]
        return runs[-1]

    yield start
    for one in runs:
        if one.process.poll() is None:
            one.kill()
        for child in one.children().values():
            os.kill(child.pid, signal.SIGKILL)
            gone(child)
        one.process.stdout.close()


def gone(who: Identity, seconds: float = HANG_SECONDS) -> bool:
    """Wait for a process that is not our child to end: its pidfd can be read then (pidfd_open(2))."""
    try:
        handle = os.pidfd_open(who.pid)
    except ProcessLookupError:
        return True
    try:
        return identify(who.pid) != who or bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


def wait_for_log(log: Path, text: str, seconds: float = HANG_SECONDS) -> str:
    """What a child has written, once the text is in it."""
    give_up = time.monotonic() + seconds
    while not (log.exists() and text in log.read_text()):
        assert time.monotonic() < give_up, f"{log} never said {text!r}"
        time.sleep(0.01)  # another process writes it, and tells nobody
    return log.read_text()


def everything(run: Run) -> list[Identity]:
    """The children of a run, and what they have started."""
    leaders = list(run.children().values())
    below = [one.pid for leader in leaders for one in psutil.Process(leader.pid).children(recursive=True)]
    return leaders + [found for pid in below if (found := identify(pid))]


def until_true(what: Callable[[], bool]) -> None:
    give_up = time.monotonic() + HANG_SECONDS
    while not what():
        assert time.monotonic() < give_up, "waited in vain"
        time.sleep(0.01)  # another process does it, and tells nobody


async def until(what: Callable[[], Awaitable[T]], seconds: float = HANG_SECONDS) -> T:
    """The first answer that is something; an error is taken for none yet."""
    give_up = time.monotonic() + seconds
    while True:
        try:
            if answer := await what():
                return answer
        except Exception:
            if time.monotonic() > give_up:
                raise
        assert time.monotonic() < give_up, "waited in vain"
        await asyncio.sleep(0.01)  # a server of another process comes up, and tells nobody

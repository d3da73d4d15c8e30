"""The cluster's processes, and how all of them end, also when scripts/cluster itself is killed.

Each process carries the cluster's folder in its environment and hands it on to what it starts: a postmaster is started
by Patroni, leaves its session and has no parent that the kernel could send a death signal for. A keeper, in a session
of its own, waits at a pipe that only scripts/cluster has open at the other end. When that closes, for whatever reason,
the keeper ends everything that carries the folder's name.
"""

import asyncio
import os
import shutil
import signal
import subprocess  # nosec B404 - fixed arguments, no shell
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

MARK = "GATEWAY_CLUSTER"

#: In the cluster's folder: the logs, and the empty files that say that the folder is removed at the end, and that the
#: logs are not.
LOGS, TEMPORARY, KEEP_LOGS = "log", "temporary", "keep-logs"

#: What a postmaster may take to let go of its shared memory, in seconds.
_GRACE_SECONDS = 3.0


class Processes:
    """Starts processes that belong to one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._all: list[asyncio.subprocess.Process] = []
        (folder / LOGS).mkdir(exist_ok=True)
        self._keeper = subprocess.Popen(  # nosec B603 # noqa: S603 - this file, by this interpreter
            [sys.executable, "-P", __file__, str(folder)], stdin=subprocess.PIPE, start_new_session=True
        )

    async def start(self, name: str, argv: Sequence[str], settings: Mapping[str, str]) -> asyncio.subprocess.Process:
        """Start `argv`; it writes to `log/<name>.log` in the folder."""
        environ = {key: value for key, value in os.environ.items() if not key.startswith("GATEWAY_")}
        with (self.folder / LOGS / f"{name}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environ | settings | {MARK: str(self.folder)},
                cwd=self.folder,
                start_new_session=True,
            )
        self._all.append(process)
        return process

    async def end(self) -> None:
        """End everything, and wait until it has ended."""
        assert self._keeper.stdin is not None
        self._keeper.stdin.close()
        await asyncio.to_thread(self._keeper.wait)
        for process in self._all:
            await process.wait()


def marked(folder: Path) -> list[psutil.Process]:
    """Every running process that belongs to the folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            environ = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
            if f"{MARK}={folder}".encode() in environ and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def below(process: psutil.Process) -> list[psutil.Process]:
    """The process and everything that it has started and that has not left it."""
    with suppress(psutil.NoSuchProcess):
        return [process, *process.children(recursive=True)]
    return []


def tell(processes: Sequence[psutil.Process], what: signal.Signals) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(what)


def _end_all(folder: Path) -> None:
    """Patroni first, which would start its server again; then each server at once, so that it leaves no shared memory;
    then whatever is left.
    """
    found = marked(folder)
    servers = [process for process in found if _is_postmaster(process)]
    tell([process for process in found if process.name() != "postgres"], signal.SIGKILL)
    tell(found, signal.SIGCONT)
    tell(servers, signal.SIGQUIT)
    psutil.wait_procs(servers, timeout=_GRACE_SECONDS)
    give_up = time.monotonic() + 10
    while (left := marked(folder)) and time.monotonic() < give_up:
        tell(left, signal.SIGKILL)
        psutil.wait_procs(left, timeout=1)


def _is_postmaster(process: psutil.Process) -> bool:
    parent = process.parent()
    return process.name() == "postgres" and (parent is None or parent.name() != "postgres")


def _keep(folder: Path) -> None:
    """Wait until whoever started this has closed the pipe or is gone, then end what belongs to the folder."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdin.buffer.read()
    _end_all(folder)
    if (folder / TEMPORARY).exists():
        _remove(folder)


def _remove(folder: Path) -> None:
    """Remove the folder, or all of it but the logs where these are to be kept."""
    if not (folder / KEEP_LOGS).exists():
        shutil.rmtree(folder, ignore_errors=True)
        return
    for part in folder.iterdir():
        if part.is_dir() and part.name != LOGS:
            shutil.rmtree(part, ignore_errors=True)


if __name__ == "__main__":
    _keep(Path(sys.argv[1]))

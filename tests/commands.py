"""Commands of the command line, each in a process of its own, without each importing its parts anew.

To import them takes most of a command's time: a third of a second of processor time, and one to two for those that
know the ledger or web3. Here one process has imported them all, and forks: the child takes over the folder, the
environment, the arguments and the files of a command, runs its `main`, and ends with its status.

What the interpreter reads when it starts (PYTHON..., LANG) is that of the first process. The story of README
(journeys/test_readme.py) starts each command as people do.
"""

import atexit
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.forked import REQUEST_BYTES, ask
from tests.processes import HANG_SECONDS, Process, start

ROOT = Path(__file__).resolve().parents[1]

Ran = subprocess.CompletedProcess[str]


class Commands:
    """Runs the commands of one program: what `main` names, such as "gateway.__main__", in a process that has imported
    it and the modules `beside` it, from `path` if they lie in no package. The process starts with the first command,
    and ends with this one.
    """

    def __init__(self, main: str, *beside: str, path: Path = ROOT) -> None:
        self._imports, self._path = (main, *beside), os.pathsep.join([str(ROOT), str(path)])
        self._process: Process[bytes] | None = None
        self._place = ""

    def run(self, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float = HANG_SECONDS) -> Ran:
        """As subprocess.run, with what the command printed as text. Its standard input is empty."""
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, open(os.devnull) as nothing:
            files = [nothing.fileno(), out.fileno(), err.fileno()]
            status = ask(self.place(), list(arguments), str(cwd), dict(env), files, timeout)
            if status is None:
                raise subprocess.TimeoutExpired([*arguments], timeout)
            printed = [_text(file) for file in (out, err)]
        return Ran([*arguments], status, *printed)

    def line(self) -> str:
        """What a shell script does to run the command that its arguments name, with its own files, as `exec` would."""
        return f'exec {sys.executable} -I -S {ROOT / "tests" / "forked.py"} {self.place()} "$@"'

    def place(self) -> str:
        """The socket that the process listens at, which is started where it has not been."""
        if self._process is None:
            folder = tempfile.mkdtemp(prefix="commands-")
            self._place = f"{folder}/socket"
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening:
                listening.bind(self._place)
                listening.listen(64)
                argv = [sys.executable, "-P", "-m", "tests.commands", str(listening.fileno()), *self._imports]
                environment = os.environ | {"PYTHONPATH": self._path}
                self._process = start(argv, pass_fds=[listening.fileno()], stdin=subprocess.DEVNULL, env=environment)
            atexit.register(self._end, folder)
        return self._place

    def _end(self, folder: str) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(timeout=HANG_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def _text(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode())


# ---- in the process that has imported everything --------------------------------------------------------------------


def _serve(listening: socket.socket, main: Callable[[], None]) -> None:
    """Fork for each command that is asked for."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those that watch are not waited for
    while True:
        asked, _ = listening.accept()
        with asked:
            if os.fork() == 0:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                listening.close()
                _watch(asked, main)


def _watch(asked: socket.socket, main: Callable[[], None]) -> None:
    """Run the command in a child, and say its status to whoever asked for it; kill it once they are gone."""
    request, standard, _, _ = socket.recv_fds(asked, REQUEST_BYTES, 3)
    pid = os.fork()
    if pid == 0:
        asked.close()
        _become(json.loads(request), standard, main)
    for file in standard:
        os.close(file)
    ended = os.pidfd_open(pid)
    ready, _, _ = select.select([ended, asked], [], [])
    if ended not in ready:
        os.kill(pid, signal.SIGKILL)
    _, how = os.waitpid(pid, 0)
    with suppress(BrokenPipeError):
        asked.send(str(os.waitstatus_to_exitcode(how)).encode())
    os._exit(0)


def _become(request: dict[str, Any], standard: list[int], main: Callable[[], None]) -> None:
    """Be the command. Ends this process."""
    for number, file in enumerate(standard):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv[1:] = request["argv"]
    status: int | None = None
    try:
        main()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    finally:
        if status is None:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1 if status is None else status)


if __name__ == "__main__":
    import gc
    from importlib import import_module

    program, *_ = [import_module(name) for name in sys.argv[2:]]
    gc.freeze()  # collections in the children leave the pages that they share alone
    _serve(socket.socket(fileno=int(sys.argv[1])), program.main)

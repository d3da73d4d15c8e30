"""Commands of the command line, each in a process of its own, without each importing its parts anew.

To import them takes most of a command's time: a third of a second of processor time, and one to two for those that
know the ledger or web3. Here one process has imported them all, and forks: the child takes over the folder, the
environment, the arguments and the files of a command, runs its `main`, and ends with its status.

What the interpreter reads when it starts (PYTHON..., LANG) is that of the first process. The stories of README and the
guides (journeys/test_readme.py) start each command as people do.
"""

import atexit
import json
import os
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

from tests.processes import HANG_SECONDS, Process, start

ROOT = Path(__file__).resolve().parents[1]

Ran = subprocess.CompletedProcess[str]

#: The most bytes of a request: arguments and an environment.
_REQUEST_BYTES = 128 * 1024


class Commands:
    """Runs the commands of one program: what `main` names, such as "gateway.__main__", in a process that has imported
    it and the modules `beside` it, from `path` if they lie in no package. The process starts with the first command,
    and ends with this one.
    """

    def __init__(self, main: str, *beside: str, path: Path = ROOT) -> None:
        self._imports, self._path = (main, *beside), os.pathsep.join([str(ROOT), str(path)])
        self._process: Process[bytes] | None = None
        self._socket: socket.socket | None = None

    def run(self, arguments: Sequence[str], cwd: Path, env: Mapping[str, str], timeout: float = HANG_SECONDS) -> Ran:
        """As subprocess.run, with what the command printed as text. Its standard input is empty."""
        to_zygote = self._started()
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err, open(os.devnull) as nothing:
            ours, theirs = socket.socketpair()
            with ours:
                with theirs:
                    request = json.dumps({"argv": list(arguments), "cwd": str(cwd), "env": dict(env)}).encode()
                    files = [theirs.fileno(), nothing.fileno(), out.fileno(), err.fileno()]
                    socket.send_fds(to_zygote, [request], files)
                answers = ours.makefile("r")
                pid = int(answers.readline())
                ours.settimeout(timeout)
                try:
                    status = int(answers.readline())
                except TimeoutError:
                    os.kill(pid, signal.SIGKILL)
                    raise subprocess.TimeoutExpired([*arguments], timeout) from None
            printed = [_text(file) for file in (out, err)]
        return Ran([*arguments], status, *printed)

    def _started(self) -> socket.socket:
        if self._socket is None:
            self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                argv = [sys.executable, "-P", "-m", "tests.commands", str(theirs.fileno()), *self._imports]
                environment = os.environ | {"PYTHONPATH": self._path}
                self._process = start(argv, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, env=environment)
            atexit.register(self._end)
        return self._socket

    def _end(self) -> None:
        assert self._socket is not None
        assert self._process is not None
        self._socket.close()
        self._process.wait(timeout=HANG_SECONDS)


def _text(file: Any) -> str:
    file.seek(0)
    return str(file.read().decode())


# ---- in the process that has imported everything --------------------------------------------------------------------


def _serve(requests: socket.socket, main: Callable[[], None]) -> None:
    """Fork for each request, until whoever sends them has gone."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those that watch are not waited for
    while True:
        request, files, _, _ = socket.recv_fds(requests, _REQUEST_BYTES, 4)
        if not request:
            return
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            requests.close()
            _watch(json.loads(request), files, main)
        for file in files:
            os.close(file)


def _watch(request: dict[str, Any], files: list[int], main: Callable[[], None]) -> None:
    """Run the command in a child, and say its pid, and later its status, to whoever asked for it."""
    answers, *standard = files
    pid = os.fork()
    if pid == 0:
        os.close(answers)
        _become(request, standard, main)
    with suppress(BrokenPipeError):
        os.write(answers, f"{pid}\n".encode())
        _, how = os.waitpid(pid, 0)
        os.write(answers, f"{os.waitstatus_to_exitcode(how)}\n".encode())
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

"""Nothing of scripts/cluster runs on after it, however it ended. Its rounds take minutes and are run by hand."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.processes import HANG_SECONDS, start

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"

#: Starts what a node starts: a process that starts another, in a session of its own, and ends. Says that one's id.
RIG = """
import asyncio, sys
from pathlib import Path
from failover.processes import Processes

LEAVES = "import subprocess, sys; subprocess.Popen(['sleep', '600'], start_new_session=True)"

async def run():
    processes = Processes(Path(sys.argv[1]))
    first = await processes.start("first", [sys.executable, "-c", LEAVES], {})
    await first.wait()
    print("started", flush=True)
    await asyncio.Event().wait()

asyncio.run(run())
"""


def of_folder(folder: Path) -> list[psutil.Process]:
    mark = f"GATEWAY_CLUSTER={folder}"
    found = []
    for process in psutil.process_iter():
        try:
            if mark in Path(f"/proc/{process.pid}/environ").read_text(errors="replace").split("\0"):
                found.append(process)
        except OSError:  # ended, or somebody else's
            continue
    return found


@pytest.mark.parametrize("how", [psutil.signal.SIGKILL, psutil.signal.SIGTERM], ids=["killed", "ended"])
def test_what_has_left_its_parent_ends_with_the_cluster(tmp_path: Path, how: int) -> None:
    environ = os.environ | {"PYTHONPATH": str(SCRIPTS)}
    argv = [sys.executable, "-P", "-c", RIG, str(tmp_path)]
    with start(argv, env=environ, stdout=subprocess.PIPE, text=True) as rig:
        assert rig.stdout is not None
        assert rig.stdout.readline() == "started\n"
        left = of_folder(tmp_path)
        assert [process.name() for process in left] == ["sleep"]
        rig.send_signal(how)

    gone, alive = psutil.wait_procs(left, timeout=HANG_SECONDS)

    assert (len(gone), alive) == (1, [])


def test_a_folder_that_is_in_use_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    environ = os.environ | {"PYTHONPATH": str(SCRIPTS)}
    argv = [sys.executable, "-P", "-m", "failover", "--home", str(tmp_path)]

    ran = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=HANG_SECONDS)

    assert ran.returncode == 1
    assert ran.stderr == f"scripts/cluster: {tmp_path} is not empty: name another folder, or remove what is in it\n"


def test_the_logs_are_kept_where_a_round_found_something(tmp_path: Path) -> None:
    for name in ("temporary", "keep-logs"):
        (tmp_path / name).touch()
    (tmp_path / "node1").mkdir()
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "worker-hosts.log").write_text("something")
    keeper = [sys.executable, "-P", SCRIPTS / "failover" / "processes.py", tmp_path]

    subprocess.run(keeper, stdin=subprocess.DEVNULL, check=True, timeout=HANG_SECONDS)

    assert not (tmp_path / "node1").exists()
    assert (tmp_path / "log" / "worker-hosts.log").read_text() == "something"


#: Says what a log has since it had its first two lines.
LOGGED = """
import sys
from pathlib import Path
from failover.logs import Logs

log = Path(sys.argv[1]) / "worker-hosts.log"
log.write_text("Traceback (most recent call last):\\nOld: error\\n")
logs = Logs(Path(sys.argv[1]))
with log.open("a") as file:
    file.write('a line\\nTraceback (most recent call last):\\n  File "x.py", line 1, in x\\nNew: error\\n')
print(*logs.tracebacks(), sep="\\n")
"""


def test_a_traceback_is_named_by_its_line_and_its_error_in_the_round_that_it_came_in(tmp_path: Path) -> None:
    environ = os.environ | {"PYTHONPATH": str(SCRIPTS)}
    argv = [sys.executable, "-P", "-c", LOGGED, str(tmp_path)]

    ran = subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=HANG_SECONDS, check=True)

    assert ran.stdout == f"{tmp_path}/worker-hosts.log:4: a traceback: New: error\n"

"""What tests start ends with them, and what hangs fails alone (processes.py, conftest.py, pyproject.toml)."""

import os
import select
import subprocess
import sys
from pathlib import Path

from tests.processes import HANG_SECONDS, start
from tests.running import ROOT

ENVIRON = os.environ | {"PYTHONPATH": str(ROOT)}

#: Starts a program as a test does, says its id, and reads a line that never comes.
TEST = """
import sys
from tests.processes import start
with start(["/bin/sleep", "600"]) as program:
    print(program.pid, flush=True)
    sys.stdin.readline()
"""

#: Starts a program as a test does, and sends it what Ctrl-C sends.
CTRL_C = """
import signal, sys
from tests.processes import heed_ctrl_c, start
heed_ctrl_c()
with start(["/bin/sleep", "600"]) as program:
    program.send_signal(signal.SIGINT)
sys.exit(program.returncode != -signal.SIGINT)
"""

HANGING = """
import asyncio, signal, pytest
@pytest.mark.timeout(10)  # a second more than its own limit: for the report of it
@pytest.mark.anyio
async def test_coroutine(): await asyncio.Event().wait()
def test_function(): signal.pause()
@pytest.mark.anyio
async def test_fine(): await asyncio.sleep(0)
"""


def test_a_program_ends_when_the_test_run_that_started_it_is_killed() -> None:
    test = start([sys.executable, "-c", TEST], env=ENVIRON, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    program = os.pidfd_open(int(test.stdout.readline()))

    test.kill()
    test.communicate()

    ready, _, _ = select.select([program], [], [], HANG_SECONDS)  # of a pidfd: it has ended, pidfd_open(2)
    os.close(program)
    assert ready


def test_ctrl_c_reaches_programs_where_the_tests_were_started_with_it_ignored() -> None:
    in_the_background = ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "shell", sys.executable, "-c", CTRL_C]

    assert start(in_the_background, env=ENVIRON).wait(HANG_SECONDS) == 0


def test_a_test_that_hangs_fails_alone(tmp_path: Path) -> None:
    (tmp_path / "test_hanging.py").write_text(HANGING)
    (tmp_path / "conftest.py").write_text("from tests.conftest import anyio_backend, pytest_collection_modifyitems\n")
    options = ["--config-file", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), "-o", "timeout=4"]

    ran = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", *options, "-p", "no:cacheprovider", str(tmp_path)],
        env=ENVIRON,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )

    assert "2 failed, 1 passed" in ran.stdout, ran.stdout + ran.stderr

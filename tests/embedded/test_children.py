"""Processes: none runs twice, none is left, and none but ours is touched."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from gateway.embedded.children import Children, identify, send
from gateway.errors import Misconfigured
from tests.processes import start

from .conftest import ROOT, gone, wait_for_log

STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"


def test_leftover_children_of_a_killed_run_are_stopped(run, home):
    first = run(home, STUBBORN)
    first.wait_for("started program0")
    wait_for_log(home / "log" / "program0.log", "deaf")
    left = first.children()
    first.kill()
    assert identify(left["program0"].pid) == left["program0"]  # it ignores what the kernel sends it for us

    second = run(home)
    second.wait_for("ready")

    assert all(identify(child.pid) != child for child in left.values())
    assert second.end() == 0


#: Starts one child, which waits at the fifo before it becomes a program that writes a file.
HELD = """
import asyncio, sys
from pathlib import Path
from gateway.embedded.children import Children
async def start(home, fifo, file):
    children = await Children.claim(Path(home))
    hold = ("/bin/sh", "-c", 'echo held > "$0"; read -r go < "$0.go"; exec "$@"', fifo)
    await children.start("held", ["/bin/sh", "-c", 'echo ran > "$1"', "x", file], prefix=hold)
    await asyncio.Event().wait()
asyncio.run(start(*sys.argv[1:]))
"""


def test_a_child_whose_parent_is_killed_before_the_kernel_was_asked_to_end_it_does_not_run(home, tmp_path):
    fifo, go, file = (tmp_path / name for name in ("fifo", "fifo.go", "file"))
    os.mkfifo(fifo)
    os.mkfifo(go)
    parent = start([sys.executable, "-P", "-c", HELD, home, fifo, file], env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert fifo.read_text() == "held\n"
    (child,) = [identify(one.pid) for one in psutil.Process(parent.pid).children()]
    assert child is not None

    parent.kill()
    parent.wait()
    go.write_text("go\n")

    assert gone(child)
    assert not file.exists()


def test_what_a_leftover_child_had_started_is_stopped_as_well(home):
    parent = f"import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', {STUBBORN!r}]).pid, flush=True); "

    async def killed_alone() -> None:
        children = await Children.claim(home)
        child = await children.start("parent", [sys.executable, "-c", parent + "import signal; signal.pause()"])
        grandchild = identify(int(wait_for_log(child.log, "\n").split()[0]))
        assert grandchild is not None

        child.process.kill()
        await child.ended()
        assert identify(grandchild.pid) == grandchild
        await children.sweep(child)

        assert identify(grandchild.pid) != grandchild
        await children.release()

    asyncio.run(killed_alone())


def test_a_home_waits_for_a_child_that_is_not_on_record_yet(home):
    async def claimed_again() -> None:
        first = await Children.claim(home)
        # A child between its fork and its record has the lock as its standard input, and we are killed.
        os.pwrite(first._lock, b"1 (killed) S" + b" 0" * 40, 0)
        child = await asyncio.create_subprocess_exec("/bin/sleep", "60", stdin=first._lock)
        os.close(first._lock)

        again = asyncio.create_task(Children.claim(home))
        for _ in range(100):
            await asyncio.sleep(0)  # a turn of the loop, no time: it had every chance to go on
        assert not again.done()
        child.kill()
        await child.wait()

        await (await again).release()

    asyncio.run(claimed_again())


def test_two_runs_on_one_home_are_refused(home):
    async def twice() -> None:
        first = await Children.claim(home)
        with pytest.raises(Misconfigured, match=f"in use by process {os.getpid()}"):
            await Children.claim(home)
        await first.release()
        await (await Children.claim(home)).release()

    asyncio.run(twice())


def test_a_process_that_only_has_the_same_id_is_not_signalled():
    other = start(["/bin/sleep", "600"])
    now = identify(other.pid)
    assert now is not None
    then = type(now)(now.pid, now.start - 1, now.session)

    assert not send(then, signal.SIGKILL)

    assert other.poll() is None
    other.kill()
    other.wait()


def test_a_record_of_another_boot_is_not_believed(home):
    other = start(["/bin/sleep", "600"])
    (home / "run").mkdir(parents=True)
    (home / "run" / "boot").write_text("an earlier boot")
    (home / "run" / "gone.child").write_text(Path(f"/proc/{other.pid}/stat").read_text() + "SIGKILL\n")

    async def claimed() -> None:
        await (await Children.claim(home)).release()

    asyncio.run(claimed())

    assert other.poll() is None
    assert not (home / "run" / "gone.child").exists()
    other.kill()
    other.wait()

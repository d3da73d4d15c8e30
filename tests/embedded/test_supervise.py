"""The parts together: kept up, stopped in order, and nowhere but in the home."""

import asyncio
import os
import signal
import sys

import pytest

from gateway.embedded.supervise import Command, embedded
from gateway.errors import Misconfigured
from tests.processes import HANG_SECONDS

from .conftest import NODE_MODULES, everything, gone, status, until_true

PAUSE = "import signal; signal.pause()"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_everything_and_leaves_no_child_behind(run, home, how):
    one = run(home, PAUSE, PAUSE)
    one.wait_for("started program1")
    children = one.children()
    assert sorted(children) == ["anvil", "postgres", "program0", "program1"]

    assert one.end(how) == 0

    assert all(gone(child, 0) for child in children.values())
    stops = [line.split(":")[0].strip() for line in one.said if line.startswith("stopped")]
    assert stops == ["stopped program0 and program1", "stopped the chain", "stopped PostgreSQL"]


def test_ctrl_c_stops_what_was_started_with_it_ignored_and_nohup_is_heeded(run, home):
    one = run(home, PAUSE, prefix=("/bin/sh", "-c", 'trap "" INT HUP; exec "$@"', "shell"))
    one.wait_for("started program0")

    ignored = int(status(one.process.pid)["SigIgn"], 16)

    assert [ignored >> (number - 1) & 1 for number in (signal.SIGINT, signal.SIGHUP)] == [0, 1]
    assert one.end(signal.SIGINT) == 0


def test_when_it_is_killed_everything_that_it_started_ends(run, home):
    one = run(home, PAUSE, PAUSE)
    one.wait_for("started program1")
    processes = everything(one)
    assert len(processes) > len(one.children()) == 4  # PostgreSQL has processes of its own

    one.kill()

    assert all(gone(process) for process in processes)


def test_it_keeps_its_parts_up_when_nobody_reads_what_it_says(run, home):
    one = run(home, PAUSE)
    one.wait_for("started program0")
    one.process.stdout.close()

    for _ in range(2):
        before = one.children()["program0"]
        os.kill(before.pid, signal.SIGKILL)
        until_true(lambda before=before: one.children().get("program0", before) != before)

    one.process.send_signal(signal.SIGTERM)
    assert one.process.wait(HANG_SECONDS) == 0


def test_every_part_that_is_killed_comes_back(run, home):
    one = run(home, PAUSE, PAUSE)
    one.wait_for("started program1")
    before = one.children()

    for child in before.values():
        os.kill(child.pid, signal.SIGKILL)
    said = "".join(one.wait_for("again:") for _ in before)

    for part in ("PostgreSQL", "the chain", "program0", "program1"):
        assert f"started {part} again" in said
    after = one.children()
    assert after.keys() == before.keys()
    assert all(after[name] != before[name] for name in before)
    assert one.end() == 0


def test_nothing_is_written_outside_the_home(run, home, tmp_path):
    places = [tmp_path / name for name in ("home", "tmp", "cwd")]
    for place in places:
        place.mkdir()
    environ = {"HOME": str(places[0]), "TMPDIR": str(places[1])}

    one = run(home, PAUSE, environ=environ, cwd=places[2])
    one.wait_for("started program0")

    assert one.end() == 0
    assert [list(place.iterdir()) for place in places] == [[], [], []]
    assert [path.name for path in home.parent.iterdir()] == [home.name]


def test_it_runs_without_a_home_of_the_user(run, home):
    one = run(home, environ={"HOME": ""})
    one.wait_for("ready")
    assert one.end() == 0


def test_a_signal_while_things_are_started_stops_them(run, home):
    one = run(home)
    one.wait_for("started PostgreSQL")

    one.end()

    assert one.children() == {}


def test_a_command_that_never_worked_ends_the_run_with_its_own_words(home):
    async def broken() -> None:
        command = Command("serve", [sys.executable, "-c", "raise SystemExit('no such port')"], ready=never)
        with pytest.raises(Misconfigured, match=r"serve ended .exit status 1.: no such port"):
            async with embedded(home, NODE_MODULES, database=False, chain=False) as parts:
                await parts.run([command])

    asyncio.run(broken())


def test_they_count_as_started_once_the_last_command_works(home):
    async def begun() -> None:
        asked, may_work = asyncio.Event(), asyncio.Event()

        async def works() -> bool:
            asked.set()
            return may_work.is_set()

        pause = [sys.executable, "-c", PAUSE]
        async with embedded(home, NODE_MODULES, database=False, chain=False) as parts:
            running = asyncio.create_task(parts.run([Command("serve", pause), Command("work", pause, ready=works)]))
            await asked.wait()
            before = parts.started.is_set()
            may_work.set()
            await parts.started.wait()
            parts.stop()
            await running
        assert not before

    asyncio.run(begun())


def test_a_command_that_ends_by_itself_is_shown_with_its_last_sentence(run, home):
    ends = "import sys; print('working', flush=True); sys.exit('gateway: this is not the chain')"
    one = run(home, ends)

    said = one.wait_for("program0 ended")

    assert "(exit status 1: gateway: this is not the chain); starting it again" in said
    assert one.end() == 0


async def never() -> bool:
    return False

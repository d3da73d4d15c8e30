"""Commands that are forked (commands.py) are as those that are started: each has its own of everything."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.commands import Commands
from tests.processes import start
from tests.running import GATEWAY, environ

PROGRAM = """
import os, sys, time

def main():
    match sys.argv[1:]:
        case ["say"]:
            print(os.getcwd(), os.environ["GATEWAY_HOME"], repr(sys.stdin.read()), "é")
            print("to standard error", file=sys.stderr)
        case ["exit", status]:
            sys.exit(int(status))
        case ["raise"]:
            raise ValueError("of mine")
        case ["hang"]:
            print("it hangs", flush=True)
            time.sleep(1000)
        case ["remember", what]:
            os.environ["REMEMBERED"] = what
            print(os.getpid(), os.environ.pop("REMEMBERED"), "argument" in globals())
            globals()["argument"] = what
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Commands:
    folder = tmp_path_factory.mktemp("program")
    (folder / "a_program_of_tests.py").write_text(PROGRAM)
    return Commands("a_program_of_tests", path=folder)


def test_a_command_has_its_folder_environment_and_files(program: Commands, tmp_path: Path) -> None:
    ran = program.run(["say"], tmp_path, environ() | {"GATEWAY_HOME": "here"})

    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"{tmp_path} here '' é\n", "to standard error\n")


@pytest.mark.parametrize("status", [0, 1, 4])
def test_a_command_ends_with_its_own_status(program: Commands, tmp_path: Path, status: int) -> None:
    assert program.run(["exit", str(status)], tmp_path, environ()).returncode == status


def test_what_a_command_raises_is_shown(program: Commands, tmp_path: Path) -> None:
    ran = program.run(["raise"], tmp_path, environ())

    assert ran.returncode == 1
    assert ran.stderr.endswith("ValueError: of mine\n")


def test_commands_at_once_are_processes_of_their_own_and_leave_each_other_nothing(
    program: Commands, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(8) as pool:
        ran = list(pool.map(lambda n: program.run(["remember", str(n)], tmp_path, environ()), range(8)))

    said = [one.stdout.split() for one in ran]
    assert [(what, left) for _, what, left in said] == [(str(n), "False") for n in range(8)]
    assert len({pid for pid, *_ in said} | {str(os.getpid())}) == 9


def test_a_command_that_hangs_is_killed(program: Commands, tmp_path: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        program.run(["hang"], tmp_path, environ(), timeout=0.1)


def test_a_shell_types_a_command_with_its_own_files_and_sees_its_status(program: Commands, tmp_path: Path) -> None:
    (tmp_path / "program").write_text(program.line())
    typed = "echo typed | GATEWAY_HOME=here sh program say 2>&1; sh program exit 4"

    ran = subprocess.run(["sh", "-c", typed], cwd=tmp_path, env=environ(), capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout) == (4, f"{tmp_path} here 'typed\\n' é\nto standard error\n")


def test_a_command_is_killed_with_the_program_that_stands_for_it(program: Commands, tmp_path: Path) -> None:
    (tmp_path / "program").write_text(program.line())
    read, write = os.pipe()
    with open(read) as said, start(["sh", "program", "hang"], cwd=tmp_path, env=environ(), stdout=write) as stands:
        os.close(write)
        first = said.readline()
        stands.kill()
        rest = said.read()  # until nobody has it open

    assert (first, rest) == ("it hangs\n", "")


@pytest.mark.parametrize("arguments", [["--help"], ["pay", "--help"], ["pay"], ["balance", "@alice"], ["sizes"]])
def test_the_gateways_commands_say_the_same_either_way(tmp_path: Path, arguments: list[str]) -> None:
    argv, env = [sys.executable, "-P", "-m", "gateway", *arguments], environ() | {"GATEWAY_URL": "http://127.0.0.1:1"}
    started = subprocess.run(argv, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    forked = GATEWAY.run(arguments, tmp_path, env)

    assert (forked.returncode, forked.stdout, forked.stderr) == (started.returncode, started.stdout, started.stderr)

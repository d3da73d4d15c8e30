"""Each script says what it does and takes, at once, and installs nothing for that."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"
NAMES = sorted(one.name for one in SCRIPTS.iterdir() if one.is_file() and os.access(one, os.X_OK))


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """A checkout's scripts, and nothing else."""
    shutil.copytree(SCRIPTS, tmp_path / "scripts")
    return tmp_path


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize("name", NAMES)
def test_help_says_what_a_script_does_and_takes_and_installs_nothing(fresh: Path, name: str, option: str) -> None:
    run = subprocess.run([fresh / "scripts" / name, option], cwd=fresh, capture_output=True, text=True, check=False)

    assert (run.returncode, run.stderr) == (0, "")
    assert f"scripts/{name}" in run.stdout
    assert len(run.stdout.splitlines()) > 2
    assert [one.name for one in fresh.iterdir()] == ["scripts"]


def test_every_script_is_tried() -> None:
    assert {"up", "test", "setup", "compile", "versions", "cluster", "bench", "hardhat"} <= set(NAMES)


def test_compile_refuses_what_it_does_not_know(fresh: Path) -> None:
    run = subprocess.run([fresh / "scripts" / "compile", "--pint"], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr == "scripts/compile: it takes --print or nothing, not --pint\n"


def test_a_first_set_up_clears_nothing_and_a_half_done_one_is_cleared(fresh: Path) -> None:
    """The Python is one that cannot make an environment, so that nothing is downloaded."""
    (fresh / "contracts").mkdir()
    for locked in ("requirements.lock", "contracts/package-lock.json"):
        (fresh / locked).touch()
    tools = fresh / "bin"
    tools.mkdir()
    python = tools / "python3"
    python.write_text('#!/bin/sh\n[ "$1" = -c ] || [ "$1" = --version ] && exit 0\nexit 1\n')
    python.chmod(0o755)

    def said() -> str:
        environ = {"PATH": f"{tools}:/usr/bin:/bin"}
        argv = [str(fresh / "scripts" / "setup")]
        return subprocess.run(argv, env=environ, capture_output=True, text=True, check=False).stdout

    assert "clearing" not in said()
    (fresh / ".venv" / "lib").mkdir()
    assert "clearing what an earlier set-up left" in said()

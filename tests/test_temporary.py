"""Where a test run keeps its temporary files."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.processes import start
from tests.running import ROOT
from tests.temporary import use_memory

#: Another run: it says its folder, and goes on until its input ends.
RUN = """
import sys
from pathlib import Path
from tests.temporary import use_memory
print(use_memory(Path(sys.argv[1]), 0), flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _outside_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """As before a run has its folder; at the end of the test all is as it was."""
    monkeypatch.setattr(tempfile, "tempdir", tempfile.gettempdir())
    monkeypatch.setenv("TMPDIR", "")
    monkeypatch.delenv("TMPDIR")


def test_temporary_files_go_into_a_folder_of_this_run(tmp_path: Path) -> None:
    folder = use_memory(tmp_path, 0)

    assert folder is not None
    assert folder.parent == tmp_path
    assert Path(tempfile.mkdtemp()).parent == folder
    asked = [sys.executable, "-c", "import tempfile; print(tempfile.gettempdir())"]
    assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip() == str(folder)


def test_the_folder_of_a_run_is_removed_by_the_next_once_it_has_ended(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", RUN, str(tmp_path)]
    with start(
        argv, env=os.environ | {"PYTHONPATH": str(ROOT)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        folder = Path(other.stdout.readline().strip())
        assert folder.parent == tmp_path
        first = use_memory(tmp_path, 0)
        assert folder.exists()
        other.kill()
        other.wait()
        del os.environ["TMPDIR"]

        second = use_memory(tmp_path, 0)

    assert first is not None
    assert second is not None
    assert [one.exists() for one in (folder, first, second)] == [False, True, True]


def test_a_machine_without_room_and_one_where_a_place_is_set_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert use_memory(tmp_path, 2**60) is None
    assert use_memory(tmp_path / "is_not_there", 0) is None
    monkeypatch.setenv("TMPDIR", "/elsewhere")
    assert use_memory(tmp_path, 0) is None
    assert list(tmp_path.iterdir()) == []

"""How long the `up` runs that tests share (running.py, conftest.py)."""

import subprocess
import sys
from pathlib import Path

from tests.processes import HANG_SECONDS
from tests.running import ROOT, environ

FILES = {
    "conftest.py": "from tests.conftest import pytest_runtest_teardown\n",
    "wants/conftest.py": """
import contextlib, pytest
from tests import running
@pytest.fixture(scope="module")
def up():
    running._shared.append((contextlib.nullcontext(), None))
""",
    "wants/test_first.py": "def test_it_starts(up): pass\n",
    "wants/test_second.py": "from tests import running\ndef test_it_is_kept(): assert running._shared\n",
    "wants_not/test_third.py": "from tests import running\ndef test_it_has_ended(): assert not running._shared\n",
}


def test_it_ends_before_a_folder_of_tests_that_do_not_want_it(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    options = ["--config-file", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), "-p", "no:cacheprovider"]
    argv = [sys.executable, "-P", "-m", "pytest", *options, str(tmp_path)]

    ran = subprocess.run(argv, env=environ(), capture_output=True, text=True, timeout=HANG_SECONDS)

    assert "3 passed" in ran.stdout, ran.stdout + ran.stderr

"""scripts/dev in a checkout of its own: it starts the gateway, again after a change, and leaves nothing behind."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from tests.processes import HANG_SECONDS, Process, start
from tests.running import READY, ROOT, checkout, environ


class Dev:
    """A running scripts/dev. Its process leads a group, as in a terminal, where Ctrl-C reaches all of a group."""

    def __init__(self, folder: Path, process: "Process[str]") -> None:
        self.folder, self.process, self.said = folder, process, list[str]()

    def until_ready(self) -> None:
        """Read on until the gateway says that it is ready, once more."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith(READY):
                return
        raise AssertionError("".join(self.said))

    def gateway(self) -> psutil.Process:
        """The running gateway."""
        below = psutil.Process(self.process.pid).children(recursive=True)
        found = [one for one in below if one.cmdline()[-1:] == ["up"] and "gateway" in one.cmdline()]
        (first,) = [one for one in found if one.parent() not in found]  # a fork of it may not have begun its program
        return first

    def is_live(self) -> bool:
        url = json.loads((self.folder / ".gateway" / "run.json").read_text())["api_url"]
        return httpx.get(f"{url}/health/live", timeout=HANG_SECONDS).status_code == 200


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Dev]:
    tmp_path.chmod(0o755)  # PostgreSQL runs as another user, who must be able to pass
    checkout(tmp_path)
    (tmp_path / "gateway").mkdir()
    (tmp_path / "scripts" / "dev").symlink_to(ROOT / "scripts" / "dev")
    with start(
        ["scripts/dev"],
        cwd=tmp_path,
        env=environ() | {"GATEWAY_PORT": "0", "GATEWAY_BLOCK_SECONDS": "0.1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield Dev(tmp_path, process)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)


def test_a_change_starts_the_gateway_again_and_ctrl_c_leaves_no_process(dev: Dev) -> None:
    dev.until_ready()
    first = dev.gateway()
    started = set(psutil.Process(dev.process.pid).children(recursive=True))
    assert dev.is_live()

    (dev.folder / "gateway" / "changed.py").write_text("")
    dev.until_ready()
    assert not first.is_running()
    assert dev.gateway().pid != first.pid
    assert dev.is_live()

    started |= set(psutil.Process(dev.process.pid).children(recursive=True))
    os.killpg(dev.process.pid, signal.SIGINT)
    said, _ = dev.process.communicate(timeout=HANG_SECONDS)

    assert dev.process.returncode == 0, "".join(dev.said) + said
    ends = [line for line in "".join([*dev.said, said]).splitlines() if line.startswith("stopped PostgreSQL")]
    assert len(ends) == 2, "each gateway ended in order"
    assert [one for one in started if one.is_running()] == []
    assert not (dev.folder / ".gateway" / "run.json").exists()

"""The programs that others use, as scripts/test installs them: from npm beside this file, from PyPI in .venv/checks."""

import asyncio
import os
import subprocess
from pathlib import Path

from tests.processes import HANG_SECONDS
from tests.running import ROOT

HERE = Path(__file__).parent
NODE = HERE / "node_modules"
CHECKS = ROOT / ".venv" / "checks" / "bin"

#: They ask nobody whether there is a newer one, and tell nobody what they do.
_QUIET = {
    "REDOCLY_TELEMETRY": "off",
    "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
    "NO_UPDATE_NOTIFIER": "1",
    "PATH": f"{CHECKS}:{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}",
}


async def ran(*argv: str | Path, cwd: Path | None = None) -> str:
    """What the program prints, while the event loop goes on. Raises as `run`."""
    return await asyncio.to_thread(run, *argv, cwd=cwd)


def run(*argv: str | Path, cwd: Path | None = None, given: str | None = None, statuses: tuple[int, ...] = (0,)) -> str:
    """What the program prints. Raises CalledProcessError where it ends with another status than these."""
    done = subprocess.run(
        [str(one) for one in argv],
        cwd=cwd,
        input=given,
        env=os.environ | _QUIET,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
    )
    if done.returncode not in statuses:
        print(done.stdout[-5000:], done.stderr[-5000:])
        done.check_returncode()
    return done.stdout

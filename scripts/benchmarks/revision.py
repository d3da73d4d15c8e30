"""A checkout of the gateway to measure: this one, or another commit in a temporary worktree.

Another revision takes part by its own code, in a process of its own (offer.py): its schema, its town, its statements.
So a revision can be compared when it has scripts/benchmarks/offer.py, whatever else has changed.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
_OFFER = Path("scripts") / "benchmarks" / "offer.py"


class NotMeasured(Exception):
    """Why a figure, or a part of it, could not be measured."""


@dataclass(frozen=True)
class Revision:
    """The checkout's folder, and the Python that has its packages."""

    name: str
    root: Path
    python: str

    def environ(self) -> dict[str, str]:
        """This process's environment without settings of the gateway, and without the packages that draw charts."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
        return kept | {"PYTHONPATH": f"{self.root}{os.pathsep}{self.root / 'scripts'}"}

    async def offer(self, dsn: str, home: Path, command: str, **arguments: object) -> Any:
        """The answer of the revision's own offer.py. Raises RuntimeError if it fails."""
        asked = json.dumps({"dsn": dsn, "home": str(home), "command": command, "arguments": arguments})
        said = await _run(self.python, "-P", "-m", "benchmarks.offer", asked, env=self.environ())
        return json.loads(said.splitlines()[-1])


#: This checkout.
HERE = Revision("this checkout", _ROOT, sys.executable)


@asynccontextmanager
async def checked_out(commit: str, folder: Path) -> AsyncIterator[Revision]:
    """The commit in a worktree of its own, which is removed at the end. Raises NotMeasured where there is no such
    commit, or where it cannot be compared.
    """
    try:
        full = (await _git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}")).strip()
    except RuntimeError:
        raise NotMeasured(f"there is no commit {commit!r} here") from None
    await _git("worktree", "prune")
    await _git("worktree", "add", "--detach", "--force", str(folder), full)
    try:
        if not (folder / _OFFER).exists():
            raise NotMeasured(f"{full[:10]} has no {_OFFER}: it is too old to be compared with")
        yield Revision(full[:10], folder, await _python(folder))
    finally:
        await _git("worktree", "remove", "--force", str(folder))


async def _python(folder: Path) -> str:
    """This checkout's Python if the revision has the same packages; otherwise the revision gets its own."""
    if (folder / "requirements.lock").read_bytes() == (_ROOT / "requirements.lock").read_bytes():
        return sys.executable
    print("  setting the other revision up: its packages are other than ours …", flush=True)
    await _run(str(folder / "scripts" / "setup"))
    return str(folder / ".venv" / "bin" / "python")


async def _git(*arguments: str) -> str:
    return await _run("git", "-C", str(_ROOT), *arguments)


async def _run(*argv: str, env: dict[str, str] | None = None) -> str:
    process = await asyncio.create_subprocess_exec(
        *argv, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        said, complaint = await process.communicate()
    finally:
        if process.returncode is None:  # we are being stopped
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"{' '.join(argv[:4])[:200]} failed: {complaint.decode()[-2000:]}")
    return said.decode()

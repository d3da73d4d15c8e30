# SPDX-License-Identifier: Apache-2.0
"""forge as contracts/package-lock.json pins it, run so that it writes nowhere but in contracts/."""

import fcntl
import os
import platform
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"

#: A limit for hangs, in seconds: solc in wasm takes a minute for all of them, on a machine that does nothing else.
COMPILING_SECONDS = 1800

_SYSTEMS = {"Linux": "linux", "Darwin": "darwin", "Windows": "win32"}
_MACHINES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@pytest.fixture(scope="session")
def forge() -> Callable[..., str]:
    """A function from forge's arguments to what it prints. Its exit status must be 0."""
    kind = f"{_SYSTEMS[platform.system()]}-{_MACHINES[platform.machine()]}"
    program = CONTRACTS / "node_modules" / "@foundry-rs" / f"forge-{kind}" / "bin" / "forge"
    assert program.exists(), "no forge: run `npm ci` in contracts/"
    home = CONTRACTS / "cache" / "home"
    home.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"HOME": str(home), "USERPROFILE": str(home)}

    def run(*arguments: str) -> str:
        outcome = subprocess.run(
            [program, *arguments], cwd=CONTRACTS, env=environment, capture_output=True, text=True, check=False
        )
        assert outcome.returncode == 0, outcome.stdout + outcome.stderr
        return outcome.stdout

    return run


@pytest.fixture(scope="session")
def built(forge: Callable[..., str]) -> Callable[..., str]:
    """forge, with everything compiled: by one process, while the others of this run wait for it."""
    with (CONTRACTS / "cache" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        forge("build")
    return forge

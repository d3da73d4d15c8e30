"""A running `up`, for the tests that use the product from outside: by its commands, its scripts and its HTTP API.

It runs in a folder that looks like a checkout after scripts/setup: what README says to type there can be typed there,
letter by letter. Only the setting up is stood in for, since whoever runs the tests has been set up already.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psutil
import pytest

from tests.commands import ROOT, Commands, Ran
from tests.processes import HANG_SECONDS, Process, start

#: What `up` says last, when everything works.
READY = "Ctrl-C stops everything"

#: The commands of the gateway with all that they import, and those of scripts/wallet.
_OPERATE = sorted(
    f"gateway.cli.operate.{path.stem}" for path in (ROOT / "gateway" / "cli" / "operate").glob("[a-z]*.py")
)
GATEWAY, WALLET = Commands("gateway.__main__", *_OPERATE), Commands("wallet", path=ROOT / "scripts")


#: One for all requests: to make a client takes 20 ms, most of which goes into certificates. Each has a new connection.
_HTTP = httpx.Client(timeout=HANG_SECONDS, limits=httpx.Limits(max_keepalive_connections=0))


@dataclass
class Up:
    """`gateway up` as a process, in a folder of its own."""

    folder: Path
    process: Process[str]
    said: list[str] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.folder / ".gateway"

    def place(self, what: str) -> str:
        """`api_url`, `rpc_url` or `database_url`, as run.json says."""
        return str(json.loads((self.home / "run.json").read_text())[what])

    def sh(self, text: str, limit_seconds: float = HANG_SECONDS, **settings: str) -> Ran:
        """Lines of shell, run in the folder."""
        argv, env = ["bash", "-euo", "pipefail", "-c", text], environ() | settings
        return subprocess.run(argv, cwd=self.folder, env=env, capture_output=True, text=True, timeout=limit_seconds)

    def gateway(self, *arguments: str, **settings: str) -> Ran:
        """One command of the command line."""
        return GATEWAY.run(arguments, self.folder, environ() | settings)

    def wallet(self, *arguments: str, **settings: str) -> Ran:
        """One command of scripts/wallet."""
        return WALLET.run(arguments, self.folder, environ() | settings)

    def json(self, *arguments: str) -> Any:
        """What a command answers with --json: it succeeds, and its standard output is JSON and nothing else."""
        ran = self.gateway(*arguments, "--json")
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    def rpc(self, method: str, *parameters: object) -> Any:
        """What the chain answers."""
        asked = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        answer = _HTTP.post(self.place("rpc_url"), json=asked).json()
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def api(self, handle: str, path: str, **body: object) -> Any:
        """What the API answers to a handle: a GET, or with a body a POST that carries an idempotency key."""
        key = (self.home / "keys" / handle.removeprefix("@")).read_text().strip()
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": uuid4().hex}
        response = _HTTP.request(
            "POST" if body else "GET", self.place("api_url") + path, headers=headers, json=body or None
        )
        response.raise_for_status()
        return response.json()

    def someone(self, handle: str, **has: str) -> str:
        """Claim a handle and pay something in, such as EUR="50.00"; returns it with its @."""
        claimed = _HTTP.post(self.place("api_url") + "/v1/handles", json={"handle": handle})
        claimed.raise_for_status()
        (self.home / "keys" / handle).write_text(claimed.json()["api_key"] + "\n")
        for asset, amount in has.items():
            self.api(handle, "/v1/deposits", amount=amount, asset=asset)
        return f"@{handle}"

    def available(self, handle: str, asset: str) -> str:
        """What the handle can spend of the asset."""
        balances = {one["asset"]: one["available"] for one in self.api(handle, "/v1/wallet")["balances"]}
        return str(balances[asset])


@contextmanager
def running_up(**settings: str) -> Iterator[Up]:
    """Start `up` with these settings, wait until it is ready, and at the end press Ctrl-C: the status is 0 and no child
    is left.
    """
    folder = Path(tempfile.mkdtemp(prefix="gateway-test-"))
    folder.chmod(0o755)  # PostgreSQL runs as another user, who must be able to pass
    try:
        checkout(folder)
        with start(
            [sys.executable, "-P", "-m", "gateway", "up"],
            cwd=folder,
            env=environ() | {"GATEWAY_PORT": "0", "GATEWAY_BLOCK_SECONDS": "0.1"} | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            up = Up(folder, process)
            try:
                _wait_until_ready(up)
                yield up
            finally:
                children = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
                process.send_signal(signal.SIGINT)
                assert process.stdout is not None
                up.said += process.stdout.readlines()
                status = process.wait(timeout=HANG_SECONDS)
            assert status == 0, "".join(up.said)
            assert [child for child in children if child.is_running()] == []
            assert not (up.home / "run.json").exists()
    finally:
        shutil.rmtree(folder)


def checkout(folder: Path) -> None:
    """Make a folder look like a checkout that has been set up, with the packages of whoever runs the tests."""
    commands, scripts = folder / ".venv" / "bin", folder / "scripts"
    commands.mkdir(parents=True)
    scripts.mkdir()
    _executable(commands / "python", f'exec {sys.executable} "$@"')
    _executable(commands / "gateway", f'exec {sys.executable} -P -m gateway "$@"')
    (scripts / "setup").write_text('root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)\n')
    for name in ("help", "wallet", "wallet.py"):
        (scripts / name).symlink_to(ROOT / "scripts" / name)


def share_imports(folder: Path) -> None:
    """Have the commands that are typed in such a folder forked from a process that has imported their parts
    (commands.py).
    """
    commands = folder / ".venv" / "bin"
    _executable(commands / "gateway", GATEWAY.line())
    wallet = f'case "$1" in */scripts/wallet.py) shift; {WALLET.line()} ;; esac'
    _executable(commands / "python", f'{wallet}\nexec {sys.executable} "$@"')


def _executable(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def environ() -> dict[str, str]:
    """The environment without settings of the gateway, and with this checkout's packages."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    return kept | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"}


def up_and_down(folder: Path, *options: str, **settings: str) -> str:
    """`gateway up --exit` in this folder with these settings: it starts, and ends by itself. What it said."""
    return gateway(folder, "up", "--exit", *options, **settings)


def gateway(folder: Path, *words: str, **settings: str) -> str:
    """One command in this folder with these settings, which succeeds. What it printed."""
    argv, env = [sys.executable, "-P", "-m", "gateway", *words], environ() | settings
    ran = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=2 * HANG_SECONDS)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def _wait_until_ready(up: Up) -> None:
    assert up.process.stdout is not None
    for line in up.process.stdout:
        up.said.append(line)
        if line.startswith(READY):
            return
    raise AssertionError("".join(up.said))


@contextmanager
def started(folder: Path, lines: str) -> Iterator[str]:
    """Shell lines that run until they are stopped; what they say first."""
    with start(
        ["bash", "-c", lines.rstrip().replace(".venv/bin/gateway", "exec .venv/bin/gateway")],
        cwd=folder,
        env=environ(),
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline()
        finally:
            process.terminate()
    assert process.returncode == 0


# ---- one for many tests ---------------------------------------------------------------------------------------------

_shared: list[tuple[Any, Up]] = []


@pytest.fixture(scope="module")
def up() -> Up:
    """One `up` for all the folders of tests whose conftest imports this. A test claims handles that no other test has,
    and leaves those of the tour alone.

    It ends before the next folder whose tests do not want it (tests/conftest.py): while nobody uses it, it takes a
    tenth of a processor.
    """
    if not _shared:
        context = running_up(GATEWAY_METRICS_PORT="0")
        _shared.append((context, context.__enter__()))
    return _shared[0][1]


def end_shared_up() -> None:
    """Stop what `up` has started, if it has."""
    if _shared:
        _shared.pop()[0].__exit__(None, None, None)


# ---- what differs from run to run -----------------------------------------------------------------------------------

_DIFFERS = (
    (re.compile(r"\b(pay|cnv|dep|wdr|wal|obs)_[0-9a-z]{26}\b"), r"\1_…"),
    (re.compile(r"0x([0-9a-f]{130}|[0-9a-f]{64}|[0-9a-fA-F]{40})\b"), "0x…"),
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC)"), "<time>"),
    (re.compile(r'"\d{10}"'), '"<time>"'),
    (re.compile(r"\b\d+(\.\d+)? s\b"), "<seconds>"),
    (re.compile(r"\b\d+ gas\b"), "<gas>"),
    (re.compile(r"\b\d+(\.\d+)? ([KMGT]i)?B\b"), "<size>"),
    (re.compile(r"\b[0-9a-f]{8}\b"), "<key>"),  # before numbers: one in forty has no letter
    (re.compile(r'(\bblock |"final_block": | +)\d+(?=,|  |$)', re.MULTILINE), r"\1<number>"),
    (re.compile(r" {2,}"), "  "),
)


def levelled(text: str) -> str:
    """The text without what differs from run to run: ids, hashes, addresses, times, gas, numbers of blocks, names of
    keys, widths.
    """
    for pattern, instead in _DIFFERS:
        text = pattern.sub(instead, text)
    return text

"""Things that tests make: chains, wallets with money, a house around one database and one chain.

Here and nowhere else, so that a test says what it is about and no more.
"""

import json
import os
import platform
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

#: A time for tests that need one and do not care which.
NOW = datetime(2030, 1, 31, 12, 0, tzinfo=UTC)

_MACHINES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_KIND = f"{platform.system().lower()}-{_MACHINES[platform.machine()]}"
NODE_MODULES = Path(__file__).resolve().parents[1] / "contracts" / "node_modules"
ANVIL = NODE_MODULES / "@foundry-rs" / f"anvil-{_KIND}" / "bin" / "anvil"


@dataclass
class Chain:
    """A running anvil. Blocks come when `mine` says so."""

    url: str
    process: "subprocess.Popen[bytes]"

    def rpc(self, method: str, *params: object) -> Any:
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=20) as response:
            answer = json.load(response)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.rpc("evm_mine")

    def head(self) -> int:
        return int(self.rpc("eth_blockNumber"), 16)

    def timestamp(self) -> int:
        return int(self.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)


@contextmanager
def running_anvil(home: Path, *arguments: str) -> Iterator[Chain]:
    """anvil on a free port, with a home of its own, ended by its own process id."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "anvil.log").open("wb") as log:
        process = subprocess.Popen(
            [ANVIL, "--port", "0", "--no-mining", "--slots-in-an-epoch", "1", "--enable-tx-gas-limit", *arguments],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={"HOME": str(home), "PATH": os.environ["PATH"]},
        )
    try:
        yield Chain(f"http://127.0.0.1:{_port(home / 'anvil.log', process)}", process)
    finally:
        process.terminate()
        process.wait(10)


def _port(log: Path, process: "subprocess.Popen[bytes]") -> str:
    until = time.monotonic() + 20
    while time.monotonic() < until and process.poll() is None:
        _, said, rest = log.read_text().partition("Listening on 127.0.0.1:")
        if said and "\n" in rest:
            return rest.split()[0]
        time.sleep(0.01)
    raise AssertionError(f"anvil did not start: {log.read_text()}")

"""Anvils: one that a test starts, and one for many tests, one after the other, since to start another takes longer than
many tests, and to deploy the contracts on it longer still.

Each test finds a shared anvil as the one before did. What a test leaves is undone before the next: blocks and state by
evm_revert, and what that lets stand (what waits to be mined, the time, the price of gas) by calls of its own.
"""

import json
import os
import platform
import re
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any

from tests.processes import HANG_SECONDS, Process, start

_MACHINES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
_KIND = f"{platform.system().lower()}-{_MACHINES[platform.machine()]}"
NODE_MODULES = Path(__file__).resolve().parents[1] / "contracts" / "node_modules"
ANVIL = NODE_MODULES / "@foundry-rs" / f"anvil-{_KIND}" / "bin" / "anvil"


@dataclass
class Chain:
    """A running anvil. Blocks come when `mine` says so."""

    url: str
    process: Process[bytes]
    _http: HTTPConnection = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._http = HTTPConnection(self.url.removeprefix("http://"), timeout=HANG_SECONDS)

    def rpc(self, method: str, *params: object) -> Any:
        """What the chain answers, over a connection that is kept: to open one takes longer than most answers."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        try:
            self._http.request("POST", "/", body, {"Content-Type": "application/json"})
            answer = json.load(self._http.getresponse())
        except BaseException:
            self.close()  # what was not read would be taken for the next answer
            raise
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.rpc("evm_mine")

    def head(self) -> int:
        return int(self.rpc("eth_blockNumber"), 16)

    def timestamp(self) -> int:
        return int(self.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)


@contextmanager
def running_anvil(home: Path, *arguments: str, mining: str = "--no-mining") -> Iterator[Chain]:
    """anvil on a free port, with a home of its own, ended by its own process id."""
    options = ("--port", "0", mining, "--slots-in-an-epoch", "1", "--enable-tx-gas-limit", *arguments)
    with started_anvil(home, [ANVIL, *options]) as chain:
        yield chain


@contextmanager
def started_anvil(home: Path, argv: Sequence[str | Path]) -> Iterator[Chain]:
    """The same, with options of the caller's alone."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / "anvil.log").open("wb") as log:
        process = start(
            argv,
            at_the_end=signal.SIGKILL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={"HOME": str(home), "PATH": os.environ["PATH"]},
        )
    try:
        with closing(Chain(f"http://127.0.0.1:{_port(home / 'anvil.log', process)}", process)) as chain:
            yield chain
    finally:
        process.terminate()
        process.wait(HANG_SECONDS)


def _port(log: Path, process: Process[bytes]) -> str:
    until = time.monotonic() + HANG_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if said := re.search(r"Listening on [\d.]+:(\d+)\n", log.read_text()):
            return said[1]
        time.sleep(0.01)  # anvil writes its port into its log, and tells nobody
    raise AssertionError(f"anvil did not start: {log.read_text()}")


class SharedAnvil:
    """`take` gives the chain as it was when it started, or when it was last told to `keep` how it is."""

    def __init__(self, home: Path, stack: ExitStack, arguments: tuple[str, ...]) -> None:
        self._homes = (home / str(number) for number in count())
        self._stack, self._arguments = stack, arguments
        self.chain = self._start()
        self.keep()

    def take(self) -> Chain:
        """The chain, for the next test; another one where a test has ended it."""
        if self.chain.process.poll() is not None:
            self.chain = self._start()
        else:
            self.chain.rpc("anvil_dropAllTransactions")
            assert self.chain.rpc("evm_revert", self._kept)
            self.chain.rpc("evm_setTime", int(time.time()))
            self.chain.rpc("anvil_setNextBlockBaseFeePerGas", self._base_fee)
        self.keep()
        return self.chain

    def keep(self) -> None:
        """Have the chain be for the next test as it is now."""
        self._base_fee: Any = self.chain.rpc("eth_getBlockByNumber", "pending", False)["baseFeePerGas"]
        self._kept: Any = self.chain.rpc("evm_snapshot")

    def _start(self) -> Chain:
        return self._stack.enter_context(running_anvil(next(self._homes), *self._arguments))


@contextmanager
def shared_anvil(home: Path, *arguments: str) -> Iterator[SharedAnvil]:
    """It ends with whoever shares it."""
    with ExitStack() as stack:
        yield SharedAnvil(home, stack, arguments)

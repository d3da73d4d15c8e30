"""An anvil for many tests, one after the other. Each finds it as the one before did: to start another takes longer than
many tests, and to deploy the contracts on it longer still.

What a test leaves is undone before the next: blocks and state by evm_revert, and what that lets stand (what waits to be
mined, the time, the price of gas) by calls of its own.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from tests.factory import Chain, running_anvil


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

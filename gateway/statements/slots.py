"""Limits how many statements are summed at once: two in a process, and one of a wallet.

The sums of a period read each of its entries. With millions of entries that takes seconds, so a caller with many
concurrent requests would take every connection, and payments would wait for one.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary

#: The most connections that statements take.
_TOGETHER: Final = 2


class StatementSlots:
    """The limits of one process."""

    def __init__(self) -> None:
        self._any, self._own = asyncio.Semaphore(_TOGETHER), WeakValueDictionary[str, asyncio.Lock]()

    @asynccontextmanager
    async def acquire(self, handle: str) -> AsyncIterator[None]:
        """Wait for a slot for this wallet. It waits for the wallet's own statement first, so it takes no slot from
        others.
        """
        own = self._own.setdefault(handle, asyncio.Lock())
        async with own, self._any:
            yield

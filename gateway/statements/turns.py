"""Whose statement is added up: two at a time in a process, and one of a wallet.

The sums of a period read each of its entries. Of a wallet with millions of them that takes seconds, so whoever asked
again and again would have every connection, and payments would wait for one.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from weakref import WeakValueDictionary

#: Connections that statements take at the most.
_TOGETHER: Final = 2


class Turns:
    """Those of a process."""

    def __init__(self) -> None:
        self._any, self._own = asyncio.Semaphore(_TOGETHER), WeakValueDictionary[str, asyncio.Lock]()

    @asynccontextmanager
    async def of(self, handle: str) -> AsyncIterator[None]:
        """The turn of this wallet; it waits for its own first, and so keeps no place from others."""
        own = self._own.setdefault(handle, asyncio.Lock())
        async with own, self._any:
            yield

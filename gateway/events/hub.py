"""Events as they happen, for the streams of this process.

One reader follows the log while anybody is subscribed. It reads the new events of all subscribed wallets at once, and
passes each to its subscribers. Up to `KEPT_MAX` events are buffered for a subscriber: a slower one is cut off,
continues from the log when it reconnects, and holds nobody else up.

A subscriber joins between two reads. It learns the number after which it gets every event, and reads earlier ones from
the log itself.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from gateway.events import log as event_log
from gateway.events.errors import TooManyStreams
from gateway.events.log import LoggedEvent
from gateway.events.wake import POLL_SECONDS, Wake, rest
from gateway.ids import WalletId
from gateway.postgres.errors import DatabaseUnavailable
from gateway.postgres.pool import Connection, Database

log = logging.getLogger(__name__)

#: How many events are buffered for a subscriber.
KEPT_MAX: Final = 1_000

#: The most subscribers of a process, and of one wallet in it.
SUBSCRIBERS_MAX: Final = 5_000
OF_A_WALLET_MAX: Final = 100

#: How many event numbers one read covers.
_NUMBERS_MAX: Final = 2_000

#: An event and its rendered text, which all of its subscribers share.
Shown = tuple[LoggedEvent, bytes]

#: Renders events, each for one wallet.
Show = Callable[[Connection, Sequence[tuple[WalletId, LoggedEvent]]], Awaitable[list[bytes]]]


@dataclass(eq=False, slots=True)
class Subscription:
    """A subscriber to the events of a wallet."""

    wallet: WalletId
    cut: bool = False  #: Whether it was cut off: it was too slow, or the process is stopping.
    _after: int | None = None
    _kept: deque[Shown] = field(default_factory=deque)
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    async def joined(self, seconds: float) -> int | None:
        """The number after which it gets every event; waits up to `seconds` to join. None: not joined yet, or
        cut off.
        """
        if self._after is None and not self.cut:
            await self._wait(seconds)
        return self._after

    async def take(self, seconds: float) -> list[Shown]:
        """The events since the last call; waits up to `seconds` for one. Empty: there was none, or it is cut off."""
        if not self._kept and not self.cut:
            await self._wait(seconds)
        taken = list(self._kept)
        self._kept.clear()
        return taken

    def join(self, after: int) -> None:
        """Let it join: it gets every event after that number."""
        self._after = after
        self._came.set()

    def put(self, shown: Shown) -> None:
        """Buffer an event. Cuts the subscriber off if the buffer is full."""
        if len(self._kept) >= KEPT_MAX:
            self.end()
        elif not self.cut:
            self._kept.append(shown)
            self._came.set()

    def end(self) -> None:
        """Cut it off."""
        self.cut = True
        self._kept.clear()
        self._came.set()

    async def _wait(self, seconds: float) -> None:
        self._came.clear()
        over = asyncio.get_running_loop().call_later(seconds, self._came.set)  # for less than asyncio.timeout takes
        try:
            await self._came.wait()
        finally:
            over.cancel()


class Hub:
    """The reader and its subscribers. A process with event streams has one; it ends them when `stopping` is set."""

    def __init__(self, database: Database, wake: Wake, show: Show, stopping: asyncio.Event) -> None:
        self._database, self._wake, self._show, self._stopping = database, wake, show, stopping
        self._joining: list[Subscription] = []
        self._joined: dict[WalletId, set[Subscription]] = {}
        self._news = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self.count = 0  #: The number of subscribers.
        self.cut_count = 0  #: The number of subscribers that were cut off because they were too slow.

    def check(self, wallet: WalletId) -> None:
        """Raises TooManyStreams if the wallet or the process has its limit of subscriptions."""
        if len(self._joined.get(wallet, ())) >= OF_A_WALLET_MAX:
            raise TooManyStreams(OF_A_WALLET_MAX)
        if self.count >= SUBSCRIBERS_MAX:
            raise TooManyStreams(SUBSCRIBERS_MAX)

    @asynccontextmanager
    async def subscribe(self, wallet: WalletId) -> AsyncIterator[Subscription]:
        """A subscription to the wallet's events, until the end of the block."""
        one = Subscription(wallet)
        self.count += 1
        self._joining.append(one)
        self._news.set()
        if self._reader is None:
            self._reader = asyncio.get_running_loop().create_task(self._run())
        try:
            yield one
        finally:
            self._leave(one)

    def _leave(self, one: Subscription) -> None:
        self.count -= 1
        if one in self._joining:
            self._joining.remove(one)
        of_wallet = self._joined.get(one.wallet, set())
        of_wallet.discard(one)
        if not of_wallet:
            self._joined.pop(one.wallet, None)
        if not self.count:
            self._news.set()

    async def _run(self) -> None:
        """Follow the log until nobody is subscribed."""
        listening = asyncio.create_task(self._wake.listen(self._news.set))
        stopping = asyncio.create_task(self._stopping.wait())
        stopping.add_done_callback(lambda _: self._news.set())
        after: int | None = None
        try:
            while self.count and not self._stopping.is_set():
                self._news.clear()
                before, began = after, time.monotonic()
                with suppress(DatabaseUnavailable):  # it is asked again
                    after = await self._read(after)
                if after != before:
                    await asyncio.sleep(rest(time.monotonic() - began))
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await self._news.wait()
        except Exception:
            log.exception("events could not be read: %d streams end", self.count)
            raise
        finally:
            self._reader = None
            for one in [*self._joining, *(one for of in self._joined.values() for one in of)]:
                one.end()
            listening.cancel()
            stopping.cancel()
            await asyncio.wait({listening, stopping})

    async def _read(self, after: int | None) -> int:
        """Pass on the new events, then let waiting subscribers join. Returns how far the log was read.

        Events are passed on only once the read is confirmed (postgres/pool.py).
        """
        complete_to = None
        while complete_to is None or after is None or after < complete_to:
            async with self._database.reading() as connection:
                complete_to = await event_log.complete_to(connection)
                after = complete_to if after is None else after
                up_to = min(complete_to, after + _NUMBERS_MAX)
                new = up_to > after
                told = await event_log.tail(connection, list(self._joined), after, up_to) if new else []
                shown = await self._show(connection, told) if told else []
            for (wallet, event), text in zip(told, shown, strict=True):
                for one in self._joined.get(wallet, ()):
                    was_cut = one.cut
                    one.put((event, text))
                    self.cut_count += one.cut and not was_cut
            after = max(after, up_to)
        for one in self._joining:
            self._joined.setdefault(one.wallet, set()).add(one)
            one.join(after)
        self._joining = []
        return after

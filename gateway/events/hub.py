"""Events as they happen, for everybody who waits for them in this process.

One reader follows the log while anybody is subscribed, reads what is new for all of their wallets at once, and hands
each event to those it is for. What a subscriber has not taken is kept for it up to `KEPT_MAX` events: whoever is slower
than that is cut off, reads on from the log, and has cost nobody else anything.

A subscriber joins between two reads. It is told from which number on it is handed everything, and reads what came
before from the log itself.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from gateway.events import log as event_log
from gateway.events.errors import TooManyStreams
from gateway.events.log import LoggedEvent
from gateway.events.wake import LOOK_SECONDS, Wake
from gateway.ids import WalletId
from gateway.postgres.errors import DatabaseUnavailable
from gateway.postgres.pool import Connection, Database

log = logging.getLogger(__name__)

#: How many events are kept for a subscriber that has not taken them.
KEPT_MAX: Final = 1_000

#: How many subscribers a process takes, and of one wallet.
SUBSCRIBERS_MAX: Final = 5_000
OF_A_WALLET_MAX: Final = 100

#: Between two reads while there is news, in seconds: each read then finds many events, and costs payments little.
_APART_SECONDS: Final = 0.1

#: How many numbers of the log one read covers.
_NUMBERS_MAX: Final = 2_000

#: An event as it goes out: made once, and shared by all who get it.
Shown = tuple[LoggedEvent, bytes]

#: Makes events, each of a wallet, what goes out.
Show = Callable[[Connection, Sequence[tuple[WalletId, LoggedEvent]]], Awaitable[list[bytes]]]


@dataclass(eq=False, slots=True)
class Subscription:
    """One who waits for the events of a wallet."""

    wallet: WalletId
    cut: bool = False  #: Nothing comes any more: it was too slow, or the process stops.
    _after: int | None = None
    _kept: deque[Shown] = field(default_factory=deque)
    _came: asyncio.Event = field(default_factory=asyncio.Event)

    async def joined(self, seconds: float) -> int | None:
        """The number after which everything comes to it; waits so long to be joined. None: it is not yet, or is cut."""
        if self._after is None and not self.cut:
            await self._wait(seconds)
        return self._after

    async def take(self, seconds: float) -> list[Shown]:
        """What came since it was last asked; waits so long for something. Empty: nothing came, or it is cut."""
        if not self._kept and not self.cut:
            await self._wait(seconds)
        taken = list(self._kept)
        self._kept.clear()
        return taken

    def join(self, after: int) -> None:
        """Everything after that number comes to it from now on."""
        self._after = after
        self._came.set()

    def put(self, shown: Shown) -> None:
        """An event has come."""
        if len(self._kept) >= KEPT_MAX:
            self.end()
        elif not self.cut:
            self._kept.append(shown)
            self._came.set()

    def end(self) -> None:
        """Nothing more comes to it."""
        self.cut = True
        self._kept.clear()
        self._came.set()

    async def _wait(self, seconds: float) -> None:
        self._came.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._came.wait()


class Hub:
    """The reader and its subscribers. Made once for each process that has streams; it ends them when that stops."""

    def __init__(self, database: Database, wake: Wake, show: Show, stopping: asyncio.Event) -> None:
        self._database, self._wake, self._show, self._stopping = database, wake, show, stopping
        self._joining: list[Subscription] = []
        self._joined: dict[WalletId, set[Subscription]] = {}
        self._news = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self.count = 0  #: How many are subscribed.
        self.cut_count = 0  #: How many were cut off, being too slow.

    def check(self, wallet: WalletId) -> None:
        """Raises TooManyStreams where there is no room for another subscription of the wallet."""
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
                before = after
                with suppress(DatabaseUnavailable):  # it is asked again
                    after = await self._read(after)
                if after != before:
                    await asyncio.sleep(_APART_SECONDS)
                with suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_SECONDS):
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
        """Hand out what is new, and have those join behind it who wait to. Returns how far the log was read.

        An event is handed out once what was read may be answered (postgres/pool.py).
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

"""Wakes readers of the event log: those of this process at once, those of others by LISTEN and NOTIFY.

The log is the truth; a wake-up only says that reading it is worthwhile. A lost one (behind a proxy that pools by
transaction, say) delays readers by `POLL_SECONDS`, after which they poll anyway. A process notifies after its commits,
at most once in `_APART_SECONDS`. A NOTIFY inside the payments' transactions would make them wait for each other:
PostgreSQL commits one transaction with notifications at a time.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from gateway.postgres.errors import DatabaseUnavailable
from gateway.postgres.pool import Database

log = logging.getLogger(__name__)

CHANNEL: Final = "gateway_events"

#: How often readers poll without a wake-up, in seconds.
POLL_SECONDS: Final = 1.0

#: The shortest time between two notifications of a process, in seconds; readers rest as long after a read that found
#: something.
_APART_SECONDS: Final = 0.1

#: The shortest and the longest rest of a reader after a read that found something, in seconds; in between, the rest is
#: this multiple of the time that the read took.
_REST_SECONDS, _REST_SECONDS_MAX, _REST_TIMES = 0.1, 0.25, 10


def rest(took_seconds: float, max_seconds: float = _REST_SECONDS_MAX) -> float:
    """How many seconds a reader of the log rests after a read that took this many seconds. The busier the machine, the
    longer it rests and the more events the next read finds, so that payments are slowed little. Pure.
    """
    return min(max(_REST_SECONDS, _REST_TIMES * took_seconds), max_seconds)


class Wake:
    """Wakes readers after this process's commits. `attach` makes one for each database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: set[Callable[[], None]] = set()
        self._sending: asyncio.Task[None] | None = None
        self._again = False

    def committed(self) -> None:
        """Called after each commit of this process, which may contain events."""
        for wake in self._waiting:
            wake()
        if self._sending is None:
            self._sending = asyncio.get_running_loop().create_task(self._send())
        else:
            self._again = True

    async def _send(self) -> None:
        try:
            while True:
                self._again = False
                with suppress(DatabaseUnavailable):
                    await self._database.notify(CHANNEL)
                await asyncio.sleep(_APART_SECONDS)
                if not self._again:
                    return
        finally:
            self._sending = None

    async def listen(self, wake: Callable[[], None]) -> None:
        """Call `wake` after every commit of this process and every notification of another, until cancelled."""
        self._waiting.add(wake)
        try:
            await self._database.listen(CHANNEL, wake)
        finally:
            self._waiting.discard(wake)


def attach(database: Database) -> Wake:
    """The database's Wake: calls after the first return the same one."""
    there = getattr(database.committed, "__self__", None)
    wake = there if isinstance(there, Wake) else Wake(database)
    database.committed = wake.committed
    return wake

"""Who waits for events is woken when there are some: in this process at once, in others by LISTEN and NOTIFY.

The log is the truth, and a wake-up only says that it is worth reading: one that is lost (behind a proxy that pools by
transaction, say) costs the time until the next look, `LOOK_SECONDS`. So notifications are a process's own, sent after
its commits and at most one in `_APART_SECONDS`: within the transactions of payments they would make these wait for each
other, since PostgreSQL commits one transaction with notifications at a time.
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

#: How often whoever waits looks all the same, in seconds.
LOOK_SECONDS: Final = 1.0

#: Between two notifications of a process, in seconds.
_APART_SECONDS: Final = 0.02


class Wake:
    """What a process does after its commits. Made once for each database, by `attach`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: set[Callable[[], None]] = set()
        self._sending: asyncio.Task[None] | None = None
        self._again = False

    def committed(self) -> None:
        """Something was committed here: events may be in it."""
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
        """Call `wake` after every commit here, and whenever another process says that it has committed; until
        cancelled.
        """
        self._waiting.add(wake)
        try:
            await self._database.listen(CHANNEL, wake)
        finally:
            self._waiting.discard(wake)


def attach(database: Database) -> Wake:
    """Have the process say what it commits to this database from now on; once, whoever asks for it."""
    there = getattr(database.committed, "__self__", None)
    wake = there if isinstance(there, Wake) else Wake(database)
    database.committed = wake.committed
    return wake

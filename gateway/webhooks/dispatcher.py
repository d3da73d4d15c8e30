"""A worker's part in webhooks: queue new events, send what is due, and record the outcomes.

Each delivery is sent in a task of its own, so that a slow endpoint delays no other. An endpoint has at most `AT_ONCE`
of the `SLOTS`, one while it fails, and all failing endpoints together have half of them. No database connection is held
while a request is sent.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from gateway.clock import Clock
from gateway.events import log
from gateway.events.log import LoggedEvent
from gateway.ids import WalletId, numbered_id, show
from gateway.keys.vault import Vault
from gateway.outbound.http_client import TOTAL_SECONDS
from gateway.postgres.pool import Connection, Database
from gateway.webhooks import delivery, endpoint, message
from gateway.webhooks.delivery import LEASE, Claimed
from gateway.webhooks.sender import Sender

#: How many deliveries a worker sends at once.
SLOTS: Final = 32

#: How long a run waits for a delivery to end before it looks for due ones again, in seconds.
_LOOK_AGAIN_SECONDS: Final = 0.5

#: How long deliveries may take when the worker stops, in seconds; those that are cut off are sent again.
_CLOSE_SECONDS: Final = 5.0

#: How often old deliveries are deleted, in seconds.
_FORGET_SECONDS: Final = 60.0

#: The JSON of events as `GET /v1/events` shows them to a wallet.
Render = Callable[[Connection, WalletId, Sequence[LoggedEvent]], Awaitable[Sequence[bytes]]]


class Dispatcher:
    """Sends the deliveries of one worker. `run` is called over and over; `close` ends what is being sent."""

    def __init__(
        self, database: Database, vault: Vault, clock: Clock, render: Render, sender: Sender, slots: int = SLOTS
    ) -> None:
        self._database, self._vault, self._clock = database, vault, clock
        self._render, self._sender, self._slots = render, sender, slots
        self._under_way: dict[asyncio.Task[None], bool] = {}  #: And whether its endpoint has been failing.
        self._forgot_at = time.monotonic()
        self.attempts: Counter[str] = Counter()  #: This worker's attempts, by outcome.

    async def run(self) -> bool:
        """One round. Returns whether there was work, or still is. Raises the error by which a delivery failed here."""
        worked = await self._take_in()
        worked |= await self._start_due()
        if not worked and self._under_way:
            await asyncio.wait(self._under_way, timeout=_LOOK_AGAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            worked = True
        if time.monotonic() - self._forgot_at >= _FORGET_SECONDS:
            await self._forget()
        self._collect()
        return worked

    async def finish(self) -> None:
        """Wait until nothing is being sent. Raises as `run` does."""
        while self._under_way:
            await asyncio.wait(self._under_way)
            self._collect()

    async def close(self) -> None:
        """Wait a moment for what is being sent, and cut off the rest, which stays pending until its lease expires."""
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=_CLOSE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._sender.close()

    async def _take_in(self) -> bool:
        async with self._database.transaction() as connection:
            worked = await delivery.note_news(connection)
        async with self._database.transaction() as connection:
            return await delivery.take_in(connection, self._clock()) or worked

    async def _start_due(self) -> bool:
        """Start what is due while there are free slots."""
        started = False
        while (free := self._slots - len(self._under_way)) > 0:
            failing = sum(self._under_way.values()) < self._slots // 2
            began = time.monotonic()
            async with self._database.transaction() as connection:
                claimed = await delivery.claim(connection, self._clock(), free, failing)
            if claimed is None:
                break
            for one in claimed:
                self._under_way[asyncio.create_task(self._deliver(one, began))] = one.failing
                started = True
        return started

    async def _deliver(self, claimed: Claimed, began: float) -> None:
        async with self._database.reading() as connection:
            events = await log.numbered(connection, claimed.wallet, [claimed.event])
            bodies = await self._render(connection, claimed.wallet, events)
            keys = await endpoint.secrets(connection, self._vault, claimed.endpoint, self._clock())
        (event,), (body,) = events, map(message.fitting, bodies)
        if not keys or time.monotonic() - began > LEASE.total_seconds() - 2 * TOTAL_SECONDS:
            async with self._database.transaction() as connection:  # it was deleted, or there is too little time
                await delivery.release(connection, claimed)
            return
        id = show("evt", numbered_id(event.number, event.at))
        attempt = await self._sender.send(claimed.url, message.headers(keys, id, self._clock(), body), body)
        async with self._database.transaction() as connection:
            await delivery.record(connection, claimed, attempt, self._clock())
        self.attempts[attempt.outcome] += 1

    async def _forget(self) -> None:
        async with self._database.transaction() as connection:
            more = await delivery.forget(connection, self._clock()) >= delivery.FORGOTTEN_MAX
        self._forgot_at = -_FORGET_SECONDS if more else time.monotonic()

    def _collect(self) -> None:
        """Drop the tasks that have ended. Raises the error of the first that failed."""
        ended = [task for task in self._under_way if task.done()]
        for task in ended:
            del self._under_way[task]
        failed = [error for task in ended if not task.cancelled() and (error := task.exception()) is not None]
        if failed:
            raise failed[0]

"""The worker's part in webhooks: queue new events, send due deliveries, and record their outcomes.

Deliveries are claimed, rendered and recorded in groups, and sent concurrently, one task each. A slow endpoint does not
delay the others: it has at most `AT_ONCE` of the `SLOTS` tasks, one while it is failing, and all failing endpoints
together have at most half. No database connection is held while a request is in progress.

An idle worker waits for a wake-up from the event log (events/wake.py), and polls with statements that only read: its
own commits would wake the other workers.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from gateway.clock import Clock
from gateway.events import event_id, log
from gateway.events.log import LoggedEvent
from gateway.events.wake import Wake, rest
from gateway.group_commit import GroupCommit
from gateway.ids import WalletId
from gateway.keys.vault import Vault
from gateway.outbound.http_client import TOTAL_SECONDS
from gateway.postgres.pool import Connection, Database
from gateway.webhooks import delivery, endpoint, message, outcome
from gateway.webhooks.delivery import LEASE, Claimed
from gateway.webhooks.outcome import Tried
from gateway.webhooks.sender import Sender

#: The most deliveries that a worker sends at once, and the most outcomes written in one transaction.
SLOTS: Final = 128
_RECORDED_MAX: Final = 100

#: How long an outcome waits for others, to be recorded together with them, in seconds.
_GATHER_SECONDS: Final = 0.02

#: After starting deliveries the worker pauses for this multiple of the time that it took, but starts at least this many
#: per second.
_PAUSE_TIMES, _A_SECOND_MIN = 3, 640

#: The longest rest between two polls of the log, in seconds: a webhook may be this much later on a busy machine.
_REST_SECONDS_MAX: Final = 0.5

#: How long a stopping worker waits for deliveries in progress, in seconds. Those cut off are sent again.
_CLOSE_SECONDS: Final = 5.0

#: How often old deliveries are deleted, in seconds.
_FORGET_SECONDS: Final = 60.0

#: The JSON of events, each as `GET /v1/events` shows it to a wallet.
Render = Callable[[Connection, Sequence[tuple[WalletId, LoggedEvent]]], Awaitable[Sequence[bytes]]]


def pause(took_seconds: float, started: int) -> float:
    """How many seconds to start no deliveries, after starting `started` of them took `took_seconds`. The busier the
    machine, the longer, so that payments go first, but never so long that a backlog does not shrink. Pure.
    """
    return max(min(_PAUSE_TIMES * took_seconds, started / _A_SECOND_MIN - took_seconds), 0.0)


@dataclass(frozen=True, slots=True)
class _Made:
    """A message: the event's id, its JSON, and the secrets that sign it."""

    id: str
    body: bytes
    keys: Sequence[bytes]


class Dispatcher:
    """Sends deliveries for one worker. Call `run` in a loop, and `close` at the end. `news` is set when there may be
    new events; without a `wake` it never is.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        clock: Clock,
        render: Render,
        sender: Sender,
        slots: int = SLOTS,
        wake: Wake | None = None,
    ) -> None:
        self._database, self._vault, self._clock = database, vault, clock
        self._render, self._sender, self._slots, self._wake = render, sender, slots, wake
        self._under_way: dict[asyncio.Task[None], bool] = {}  #: Each with whether its endpoint is failing.
        self._outcomes: GroupCommit[Tried, None] = GroupCommit(self._record, _RECORDED_MAX)
        self._gathered: asyncio.Event | None = None  #: Set when the waiting outcomes have been recorded.
        self._listening: asyncio.Task[None] | None = None
        self._idle = self._full = False  #: `_full`: more may be due than there were free slots.
        self._rest = 0.0  #: Seconds between two polls of the log.
        self._polled_at = self._forgot_at = self._starts_at = time.monotonic()
        self.news = asyncio.Event()
        self.attempts: Counter[str] = Counter()  #: This worker's attempts, by outcome.

    async def run(self) -> bool:
        """Do one round. Returns whether there is or was anything to do. Raises the error of a failed delivery task."""
        if self._wake is not None and self._listening is None:
            self._listening = asyncio.create_task(self._wake.listen(self.news.set))
        worked = await self._work()
        self._idle = not worked
        if not worked and self._under_way:
            await asyncio.wait(self._under_way, timeout=self._rest, return_when=asyncio.FIRST_COMPLETED)
            worked = True
        if time.monotonic() - self._forgot_at >= _FORGET_SECONDS:
            await self._forget()
        self._collect()
        return worked

    async def finish(self) -> None:
        """Wait until no delivery is in progress. Raises as `run` does."""
        while self._under_way:
            await asyncio.wait(self._under_way)
            self._collect()

    async def close(self) -> None:
        """Wait `_CLOSE_SECONDS` for deliveries in progress, then cancel the rest: they stay pending until their lease
        ends.
        """
        if self._listening is not None:
            self._listening.cancel()
            with suppress(asyncio.CancelledError):
                await self._listening
        if self._under_way:
            _, late = await asyncio.wait(self._under_way, timeout=_CLOSE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._under_way, return_exceptions=True)
        await self._sender.close()

    async def _work(self) -> bool:
        """Start due deliveries in free slots, or poll the log after the rest. Returns whether there was anything.

        There is no rest while more may be due: a backlog is sent as fast as `pause` allows.
        """
        await asyncio.sleep(max(self._starts_at - time.monotonic(), 0.0))
        if self._full:
            started = await self._start_due()
            if started or (self._under_way and self._next_poll() > 0):
                return started
        await asyncio.sleep(self._next_poll())
        began, found = time.monotonic(), True
        if self._idle:
            self.news.clear()
            async with self._database.reading(answers=False) as connection:
                found = await delivery.anything(connection, self._clock())
        started = found and await self._start_due(take_in=True)
        self._polled_at = time.monotonic()
        # a webhook may be later than an event stream
        self._rest = rest(2 * (self._polled_at - began), _REST_SECONDS_MAX)
        return started

    def _next_poll(self) -> float:
        """Seconds until the log may be polled again."""
        return max(self._polled_at + self._rest - time.monotonic(), 0.0)

    async def _start_due(self, take_in: bool = False) -> bool:
        """Start due deliveries in the free slots; with `take_in`, queue new events first. Returns whether there were
        any.
        """
        began, claimed, took = time.monotonic(), list[Claimed](), False
        async with self._database.transaction() as connection:
            if take_in:
                took = await delivery.take_in(connection, self._clock())
            free = self._slots - len(self._under_way)
            self._full = free <= 0
            if free > 0:
                failing = self._slots // 2 - sum(self._under_way.values())
                claimed, self._full = await delivery.claim(connection, self._clock(), free, failing)
        if claimed:
            await self._start(claimed, began)
            self._starts_at = time.monotonic() + pause(time.monotonic() - began, len(claimed))
        return took or bool(claimed)

    async def _start(self, claimed: Sequence[Claimed], began: float) -> None:
        made = await self._make(claimed)
        late = time.monotonic() - began > LEASE.total_seconds() - 2 * TOTAL_SECONDS
        # too little of the lease is left, or the endpoint was deleted
        left = [one for one in claimed if late or one.key not in made]
        if left:
            async with self._database.transaction() as connection:
                await delivery.release(connection, left)
        for one in claimed:
            if one not in left:
                self._under_way[asyncio.create_task(self._deliver(one, made[one.key]))] = one.failing

    async def _make(self, claimed: Sequence[Claimed]) -> Mapping[tuple[object, int], _Made]:
        """The body and secrets of each delivery, by endpoint and event. A body is rendered once for all endpoints of a
        wallet.
        """
        async with self._database.reading() as connection:
            told = await log.numbered(connection, {(one.wallet, one.event) for one in claimed})
            bodies = await self._render(connection, told)
            keys = await endpoint.secrets(connection, self._vault, {one.endpoint for one in claimed}, self._clock())
        shown = {
            (wallet, event.number): (event_id.show(event.number, event.at), message.fitting(body))
            for (wallet, event), body in zip(told, bodies, strict=True)
        }
        return {
            one.key: _Made(*shown[one.wallet, one.event], keys[one.endpoint]) for one in claimed if one.endpoint in keys
        }

    async def _deliver(self, claimed: Claimed, made: _Made) -> None:
        headers = message.headers(made.keys, made.id, self._clock(), made.body)
        attempt = await self._sender.send(claimed.url, headers, made.body)
        if len(self._under_way) > 1 and not self._full:  # a backlog comes in large groups anyway, and should not wait
            await self._gather()
        await self._outcomes.submit((claimed, attempt))
        self.attempts[attempt.outcome] += 1

    async def _gather(self) -> None:
        """Wait for outcomes that come soon after the first."""
        if self._gathered is None:
            self._gathered = asyncio.Event()
            asyncio.get_running_loop().call_later(_GATHER_SECONDS, self._end_gathering, self._gathered)
        await self._gathered.wait()

    def _end_gathering(self, gathered: asyncio.Event) -> None:
        self._gathered = None
        gathered.set()

    async def _record(self, tried: list[Tried]) -> list[None]:
        async with self._database.transaction() as connection:
            await outcome.record(connection, tried, self._clock())
        return [None] * len(tried)

    async def _forget(self) -> None:
        async with self._database.transaction() as connection:
            more = await delivery.forget(connection, self._clock()) >= delivery.FORGOTTEN_MAX
        self._forgot_at = -_FORGET_SECONDS if more else time.monotonic()

    def _collect(self) -> None:
        """Remove finished tasks. Raises the error of the first that failed."""
        ended = [task for task in self._under_way if task.done()]
        for task in ended:
            del self._under_way[task]
        failed = [error for task in ended if not task.cancelled() and (error := task.exception()) is not None]
        if failed:
            raise failed[0]

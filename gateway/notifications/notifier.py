"""The worker's part: read the log, start the deliveries that are due on each channel, and record their outcomes.

Each channel has tasks of its own (`Channel.at_once`), so that one which hangs delays no other. No database connection
is held while something is sent.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from uuid import UUID

from gateway.clock import Clock
from gateway.events import log
from gateway.identity import wallet as wallets
from gateway.ids import PaymentId, WalletId, show
from gateway.keys.vault import Vault
from gateway.notifications import address, delivery, preference
from gateway.notifications.channels.channel import Channel, Message, Outcome, Sent, TryLater
from gateway.notifications.delivery import Claimed
from gateway.notifications.kinds import Notification, notification_of
from gateway.notifications.texts.language import Language
from gateway.notifications.texts.messages import Reader, code_message, message
from gateway.notifications.vocabulary import KINDS, DeliveryState
from gateway.postgres.pool import Connection, Database

#: How long a run waits for a running delivery before it checks for due ones again, in seconds.
_LOOK_AGAIN_SECONDS: Final = 0.5

#: How long running deliveries may take when the worker stops, in seconds; those that are cut off are sent again.
_CLOSE_SECONDS: Final = 5.0

#: How often notifications that ended long ago are deleted, in seconds.
_FORGET_SECONDS: Final = 60.0

#: Makes the token of a link that reports a payment as unauthorized (payments/ends/report_unauthorized.py).
ReportLink = Callable[[Connection, WalletId, PaymentId], Awaitable[str]]


class Notifier:
    """One worker's part of the notifications. Call `run` repeatedly; `close` ends what is running."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        clock: Clock,
        channels: Sequence[Channel],
        report_link: ReportLink,
        public_url: str,
    ) -> None:
        self._database, self._vault, self._clock = database, vault, clock
        self._channels = {channel.name: channel for channel in channels}
        self._report_link, self._public_url = report_link, public_url.rstrip("/")
        self._under_way: dict[str, set[asyncio.Task[None]]] = {name: set() for name in self._channels}
        self._forgot_at = time.monotonic()
        self.attempts: Counter[tuple[str, str]] = Counter()  # The outcomes of this worker's tries, by channel.
        self.ended: Counter[tuple[str, str]] = (
            Counter()
        )  # The deliveries that this worker has ended, by channel and state.

    @property
    def channels(self) -> Sequence[str]:
        """The names of its channels."""
        return list(self._channels)

    async def run(self) -> bool:
        """Do one round. Returns whether there was or is anything to do. Raises the error of a delivery that could not
        be recorded.
        """
        if not self._channels:
            return False
        async with self._database.transaction() as connection:
            worked = await delivery.take_in(connection, self._clock())
        for name in self._channels:
            worked |= await self._start_due(name)
        if not worked and (under_way := self._all_under_way()):
            await asyncio.wait(under_way, timeout=_LOOK_AGAIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            worked = True
        if time.monotonic() - self._forgot_at >= _FORGET_SECONDS:
            await self.forget()
        self._collect()
        return worked

    async def finish(self) -> None:
        """Wait until no delivery is in progress. Raises as `run` does."""
        while under_way := self._all_under_way():
            await asyncio.wait(under_way)
            self._collect()

    async def forget(self) -> None:
        """Fail deliveries that are too old, and delete notifications that ended long ago."""
        async with self._database.transaction() as connection:
            given_up, more = await delivery.give_up(connection, self._clock())
        self.ended.update({(channel, "failed"): count for channel, count in given_up.items()})
        async with self._database.transaction() as connection:
            more |= await delivery.forget(connection, self._clock()) >= delivery.FORGOTTEN_MAX
        self._forgot_at = -_FORGET_SECONDS if more else time.monotonic()

    async def close(self) -> None:
        """Wait briefly for running deliveries, and cancel the rest: they stay pending until their leases expire."""
        if under_way := self._all_under_way():
            _, late = await asyncio.wait(under_way, timeout=_CLOSE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)
        for channel in self._channels.values():
            await channel.close()

    async def _start_due(self, name: str) -> bool:
        """Start deliveries that are due on a channel while it has free tasks."""
        free = self._channels[name].at_once - len(self._under_way[name])
        if free <= 0:
            return False
        async with self._database.transaction() as connection:
            claimed = await delivery.claim(connection, name, free, self._clock())
        self._under_way[name] |= {asyncio.create_task(self._deliver(one)) for one in claimed}
        return bool(claimed)

    async def _deliver(self, claimed: Claimed) -> None:
        began = time.monotonic()
        found = await self._prepare(claimed)
        if isinstance(found, str):
            async with self._database.transaction() as connection:
                state = await delivery.skip(connection, claimed, found, self._clock())
            self._count(claimed, state)
            return
        outcome: Outcome = TryLater("no_time")
        if time.monotonic() - began < delivery.LEASE.total_seconds() / 3:
            outcome = await self._channels[claimed.channel].send(*found)
        async with self._database.transaction() as connection:
            state = await delivery.record(connection, claimed, outcome, self._clock())
        self._count(claimed, state)
        self.attempts[claimed.channel, "sent" if isinstance(outcome, Sent) else outcome.reason] += 1

    def _count(self, claimed: Claimed, state: DeliveryState | None) -> None:
        if state in ("sent", "failed", "skipped"):
            self.ended[claimed.channel, state] += 1

    async def _prepare(self, claimed: Claimed) -> tuple[str, Message] | str:
        """Return the address and the message; or the reason why the delivery is skipped."""
        async with self._database.reading() as connection:
            to = await address.to_send(connection, self._vault, claimed.address)
            wanted = [(claimed.wallet, claimed.event)] if claimed.event else []
            events = [event for _, event in await log.numbered(connection, wanted)]
            handle = (await wallets.handles(connection, [claimed.wallet]))[claimed.wallet]
            said = (await preference.preferences(connection, [claimed.wallet]))[claimed.wallet]
        if to is None or (to.failure is not None):
            return "removed"
        reader = Reader(handle, Language(to.locale, to.time_zone), self._public_url)
        if claimed.event is None:
            if to.code is None:
                return "confirmed"
            return to.text, code_message(_code_id(claimed.id), to.code, reader, claimed.queued_at)
        told = notification_of(events[0], handle)
        assert told is not None, "what an event tells of does not change"
        if not told.kind.security:
            if to.removed_at is not None:
                return "removed"
            if said.mode(told.kind.name, to.channel) == "off":
                return "switched_off"
        return to.text, message(
            told,
            reader,
            report_url=await self._report_url(claimed.wallet, told),
            unsubscribe=None if told.kind.security else self._unsubscribe(to, told),
            falls_back_from=claimed.falls_back_from,
        )

    async def _report_url(self, wallet: WalletId, told: Notification) -> str | None:
        """Make a link that reports money that leaves the wallet. Only its hash is stored, so it is made when it is
        sent. Its secret is in the fragment, after the #, which browsers do not send.
        """
        if told.kind is not KINDS["money_out"] or told.about is None:
            return None
        async with self._database.transaction() as connection:
            token = await self._report_link(connection, wallet, PaymentId(told.about))
        return f"{self._public_url}/report#{token}"

    def _unsubscribe(self, to: address.Address, told: Notification) -> tuple[str, str]:
        of = f"{to.unsubscribe}/{told.kind.name}"
        return f"{self._public_url}/v1/notifications/unsubscribe/{of}", f"{self._public_url}/unsubscribe#{of}"

    def _all_under_way(self) -> set[asyncio.Task[None]]:
        return set[asyncio.Task[None]]().union(*self._under_way.values())

    def _collect(self) -> None:
        """Remove finished tasks. Raises the error of the first that failed, if any."""
        ended = [task for task in self._all_under_way() if task.done()]
        for tasks in self._under_way.values():
            tasks.difference_update(ended)
        failed = [error for task in ended if not task.cancelled() and (error := task.exception()) is not None]
        if failed:
            raise failed[0]


def _code_id(delivery: UUID) -> str:
    """Return the id of the message with a code: its delivery's, which a new code changes."""
    return show("ndl", delivery)

"""Deliveries: a notification for an address, from the event log to its end.

    pending   due, being sent (it has a lease), or waiting for a retry
    sent      the other side has accepted it
    failed    tried seven times in four hours, the address is gone, or it is too old
    skipped   no longer to be sent: too many in an hour, switched off, or removed

`take_in` reads the log on from a cursor. In the same transaction it writes a notification for each event that concerns
a wallet with addresses, and a delivery for each address it goes to. So no event is without its notification, and no
payment writes anything for it.

If all deliveries of a notification have failed, it falls back to the addresses of other channels (preference.py).
Recording a failure locks the notification first: if two channels fail at the same time, the second sees the first.

Lock order: the cursor or the notification, then the wallet, then addresses, then deliveries.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from gateway.audit.log import WORKER
from gateway.events import log
from gateway.identity import wallet as wallets
from gateway.identity.wallet import lock_wallet
from gateway.ids import WalletId, new_id
from gateway.notifications import address, preference, schedule
from gateway.notifications.channels.channel import Gone, Outcome, Sent, TryLater
from gateway.notifications.kinds import TYPES, Notification, notification_of
from gateway.notifications.preference import Preferences
from gateway.notifications.vocabulary import KINDS, DeliveryState
from gateway.postgres.pool import Connection, Record, Statements

sql = Statements(__package__, "delivery.sql")

#: How many numbers of the log are read in one transaction.
_NUMBERS: Final = 5_000

#: The most notifications of a wallet in an hour, besides security ones: somebody who pays it a thousand times does not
#: fill its owner's mailbox. Its page lists all of them.
HOURLY_MAX: Final = 60

#: How long a worker's lease of a delivery lasts: several times what a channel may take.
LEASE: Final = timedelta(minutes=3)

#: How long notifications are kept, and how many are deleted in one transaction.
KEPT: Final = timedelta(days=30)
FORGOTTEN_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this worker may send until the lease expires. `event` is None for a code."""

    id: UUID
    wallet: WalletId
    event: int | None
    address: UUID
    channel: str
    kind: str | None
    falls_back_from: str | None
    lease: UUID
    tries: int
    queued_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """The state of a notification by one channel."""

    channel: str
    state: DeliveryState
    reason: str | None
    falls_back_from: str | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """The pending deliveries of a channel, including retries: how many, since when the oldest is pending, and since
    when one is due for the first time.
    """

    count: int = 0
    oldest: datetime | None = None
    due_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """Pending deliveries by channel, addresses by channel and state, and the number of the event up to which the log
    was read.
    """

    waiting: Mapping[str, Waiting]
    addresses: Mapping[tuple[str, str], int]
    reached: int


async def take_in(connection: Connection, now: datetime) -> bool:
    """Read the log from the cursor on, and queue deliveries for new events. Returns whether there is more to read.
    Events that are added meanwhile wait for the next round, so that this does not race payments for each of their
    events. One worker does it at a time.
    """
    removed = [row["id"] for row in await connection.fetch(sql.removed)]
    complete_to = await log.complete_to(connection)
    if not removed and await connection.fetchval(sql.position) >= complete_to:
        return False
    reached = await connection.fetchval(sql.lock_position)
    if reached is None:
        return False
    to: int = min(complete_to, reached + _NUMBERS)
    if not await connection.fetchval(sql.any_addresses):
        to = complete_to
    elif to > reached:
        concerned = [WalletId(row["wallet_id"]) for row in await connection.fetch(sql.concerned, reached, to)]
        if concerned:
            await _queue_new(connection, concerned, reached, to, now)
    if to > reached:
        await connection.execute(sql.move_position, to)
    if to == complete_to:
        await connection.execute(sql.delete_removed, removed)
    return to < complete_to


async def claim(connection: Connection, channel: str, maximum: int, now: datetime) -> list[Claimed]:
    """Claim up to `maximum` deliveries by this channel that are due, the longest due first."""
    lease = uuid4()
    rows = await connection.fetch(sql.claim, channel, now, lease, now + LEASE, maximum)
    return [
        Claimed(
            *(row["id"], WalletId(row["wallet_id"]), row["event"], row["address_id"], channel, row["kind"]),
            *(row["falls_back_from"], lease, row["tries"], row["queued_at"]),
        )
        for row in rows
    ]


async def record(connection: Connection, tried: Claimed, outcome: Outcome, now: datetime) -> DeliveryState | None:
    """Record the outcome of a try: the delivery ends or is retried, its address may fail, and the notification may fall
    back to other channels. Returns the delivery's state; None, and writes nothing, if another worker has the lease by
    now.
    """
    if tried.event is not None and not isinstance(outcome, Sent):
        await connection.execute(sql.lock_notification, tried.wallet, tried.event)
    if isinstance(outcome, Gone):
        await lock_wallet(connection, tried.wallet)
    tries = tried.tries + 1
    wait = schedule.wait(tries, outcome.after) if isinstance(outcome, TryLater) else None
    if wait is not None and now + wait > tried.queued_at + schedule.NEWS_FOR:
        wait = None
    state: DeliveryState = "sent" if isinstance(outcome, Sent) else "failed" if wait is None else "pending"
    reason = None if isinstance(outcome, Sent) else outcome.reason
    ended_at = None if state == "pending" else now
    mine = await connection.fetchval(
        sql.end_try, tried.id, tried.lease, state, reason, tries, now + (wait or timedelta()), ended_at
    )
    if mine is None:
        return None
    if isinstance(outcome, Gone):
        await address.fail(connection, tried.wallet, tried.address, outcome.reason, WORKER, now)
    if state == "failed":
        await _fall_back(connection, tried, now)
    return state


async def skip(connection: Connection, claimed: Claimed, reason: str, now: datetime) -> DeliveryState | None:
    """Skip a delivery. Returns as `record` does."""
    values = (claimed.lease, "skipped", reason, claimed.tries, now, now)
    return None if await connection.fetchval(sql.end_try, claimed.id, *values) is None else "skipped"


async def give_up(connection: Connection, now: datetime) -> tuple[Counter[str], bool]:
    """Fail the deliveries that are too old, such as those of a channel that no worker has. Returns how many, by
    channel, and whether there may be more.
    """
    ended = Counter[str]()
    late = await connection.fetch(sql.late, now - schedule.NEWS_FOR, now, FORGOTTEN_MAX)
    for row in late:
        claimed = Claimed(
            *(row["id"], WalletId(row["wallet_id"]), row["event"], row["address_id"], row["channel"], row["kind"]),
            *(row["falls_back_from"], uuid4(), row["tries"], row["queued_at"]),
        )
        if claimed.event is not None:
            await connection.execute(sql.lock_notification, claimed.wallet, claimed.event)
        if await connection.fetchval(sql.end_late, claimed.id, now) is not None:
            await _fall_back(connection, claimed, now)
            ended[claimed.channel] += 1
    return ended, len(late) >= FORGOTTEN_MAX


async def deliveries(
    connection: Connection, wallet: WalletId, events: Sequence[int]
) -> Mapping[int, Sequence[Delivery]]:
    """Return the deliveries of these events' notifications, by event."""
    found: dict[int, list[Delivery]] = {}
    for row in await connection.fetch(sql.deliveries, wallet, list(events)):
        one = Delivery(row["channel"], row["state"], row["reason"], row["falls_back_from"], row["ended_at"])
        found.setdefault(row["event"], []).append(one)
    return found


async def backlog(connection: Connection) -> Backlog:
    """Return the pending deliveries, and the addresses."""
    return Backlog(
        {
            row["channel"]: Waiting(row["count"], row["oldest"], row["due_since"])
            for row in await connection.fetch(sql.waiting)
        },
        {(row["channel"], row["state"]): row["count"] for row in await connection.fetch(sql.count_addresses)},
        await connection.fetchval(sql.position),
    )


async def forget(connection: Connection, now: datetime) -> int:
    """Delete notifications that ended long ago, in batches. Returns how many."""
    await address.forget(connection, now)
    await connection.execute(sql.forget_codes, now - schedule.NEWS_FOR)
    return len(await connection.fetch(sql.forget, now - KEPT, FORGOTTEN_MAX))


async def _queue_new(connection: Connection, concerned: Sequence[WalletId], after: int, to: int, now: datetime) -> None:
    """Write the notifications of these wallets between two numbers of the log, and their deliveries."""
    there = await address.usable(connection, concerned)
    said = await preference.preferences(connection, concerned)
    handles = await wallets.handles(connection, concerned)
    told = [
        (wallet, one)
        for wallet, event in await log.tail(connection, concerned, after, to)
        if event.at > now - schedule.NEWS_FOR
        and event.kind in TYPES
        and (one := notification_of(event, handles[wallet])) is not None
    ]
    written = {(row["wallet_id"], row["event"]) for row in await _write(connection, told, now)}
    sent = {row["wallet_id"]: row["count"] for row in await connection.fetch(sql.sent_lately, concerned, now)}
    rows: list[tuple[WalletId, int, UUID, str, DeliveryState, str | None]] = []
    for wallet, one in told:
        if (wallet, one.event.number) not in written:
            continue  # a notification about the same thing was written before
        goes_to = _goes_to(one, there.get(wallet, ()), said[wallet])
        if not goes_to:
            continue
        sent[wallet] = sent.get(wallet, 0) + (not one.kind.security)
        too_many = sent[wallet] > HOURLY_MAX and not one.kind.security
        end: tuple[DeliveryState, str | None] = ("skipped", "too_many") if too_many else ("pending", None)
        rows += [(wallet, one.event.number, row["id"], row["channel"], *end) for row in goes_to]
    await _add(connection, rows, None, now)


def _goes_to(one: Notification, there: Sequence[Record], said: Preferences) -> list[Record]:
    """Return the wallet's addresses that a notification goes to at once. A removed one gets security notifications
    only.
    """
    able = [
        row
        for row in there
        if row["confirmed_at"] < one.event.at
        and (row["removed_at"] is None or (one.kind.security and one.event.at <= row["removed_at"]))
    ]
    channels = preference.chosen(one.kind, said, {row["channel"] for row in able})
    return [row for row in able if row["channel"] in channels]


async def _fall_back(connection: Connection, failed: Claimed, now: datetime) -> None:
    """Send the notification to addresses of other channels, if no channel has sent it or is about to."""
    if failed.event is None or failed.kind is None:
        return
    tried = await connection.fetch(sql.deliveries, failed.wallet, [failed.event])
    if any(row["state"] in ("pending", "sent") for row in tried):
        return
    event_at = await connection.fetchval(sql.event_at, failed.wallet, failed.event)
    there = (await address.usable(connection, [failed.wallet])).get(failed.wallet, ())
    able = [row for row in there if row["removed_at"] is None and row["confirmed_at"] < event_at]
    said = (await preference.preferences(connection, [failed.wallet]))[failed.wallet]
    channels = preference.fallbacks(
        KINDS[failed.kind], said, {row["channel"] for row in able}, {row["channel"] for row in tried}
    )
    rows: list[tuple[WalletId, int, UUID, str, DeliveryState, str | None]] = [
        (failed.wallet, failed.event, row["id"], row["channel"], "pending", None)
        for row in able
        if row["channel"] in channels
    ]
    await _add(connection, rows, failed.channel, now)


async def _write(connection: Connection, told: Sequence[tuple[WalletId, Notification]], now: datetime) -> list[Record]:
    return await connection.fetch(
        sql.add_notifications,
        [wallet for wallet, _ in told],
        [one.event.number for _, one in told],
        [one.kind.name for _, one in told],
        [one.about for _, one in told],
        [one.event.at for _, one in told],
        now,
    )


async def _add(
    connection: Connection,
    rows: Sequence[tuple[WalletId, int, UUID, str, DeliveryState, str | None]],
    falls_back_from: str | None,
    now: datetime,
) -> None:
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        await connection.execute(sql.add_deliveries, [new_id(now) for _ in rows], *columns, falls_back_from, now)

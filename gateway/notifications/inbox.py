"""All notifications of a wallet, as its page lists them: read from the event log, whether anything was sent or not."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.events import log
from gateway.events.log import END, EventFilter
from gateway.ids import WalletId
from gateway.notifications import delivery
from gateway.notifications.delivery import Delivery
from gateway.notifications.kinds import TYPES, Notification, notification_of
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "inbox.sql")

#: The most unseen notifications that are counted.
COUNTED_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class Listed:
    """A notification, whether its owner has seen it, and its delivery by each channel."""

    notification: Notification
    seen: bool
    deliveries: Sequence[Delivery]


@dataclass(frozen=True, slots=True)
class Page:
    """Notifications, newest first. `reached` is the number to continue below; None: these are the last."""

    items: Sequence[Listed]
    reached: int | None


async def page(connection: Connection, wallet: WalletId, handle: str, before: int, limit: int) -> Page:
    """Return up to `limit` notifications of events numbered below `before`. A page may have fewer although there are
    more.
    """
    found = await log.read(connection, wallet, 0, limit, before, EventFilter(TYPES), newest_first=True)
    told = [one for event in found.events if (one := notification_of(event, handle)) is not None]
    seen = await seen_to(connection, wallet)
    sent = await delivery.deliveries(connection, wallet, [one.event.number for one in told])
    items = [Listed(one, one.event.number <= seen, sent.get(one.event.number, ())) for one in told]
    return Page(items, found.reached[0] if found.more and found.reached else None)


async def unseen(connection: Connection, wallet: WalletId, handle: str) -> int:
    """Return how many notifications the owner has not seen, up to `COUNTED_MAX`."""
    after = await seen_to(connection, wallet)
    found = await log.read(connection, wallet, after, COUNTED_MAX, END, EventFilter(TYPES), newest_first=True)
    return sum(notification_of(event, handle) is not None for event in found.events)


async def seen_to(connection: Connection, wallet: WalletId) -> int:
    """Return the number of the last event whose notification the owner has seen."""
    number: int | None = await connection.fetchval(sql.seen, wallet)
    return number or 0


async def see(connection: Connection, wallet: WalletId, number: int) -> None:
    """Mark all notifications up to this event as seen."""
    await connection.execute(sql.see, wallet, number)

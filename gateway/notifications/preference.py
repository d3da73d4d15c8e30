"""Which notifications a wallet's owner wants, by which channel.

    on         each notification of the kind is sent by the channel
    fallback   only if none of the channels that are on could send it
    off        never

A security notification cannot be switched off altogether: if no channel that is on for it has an address, it is sent to
every address, and a change that would cause that is refused.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.errors import InvalidRequest
from gateway.events import log
from gateway.events.log import Event
from gateway.identity.wallet import lock_wallet
from gateway.ids import WalletId
from gateway.notifications.vocabulary import KINDS, Kind, Mode
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "preference.sql")

#: The mode that applies unless the owner has set another.
USUAL: Final[Mode] = "on"


@dataclass(frozen=True, slots=True)
class Preferences:
    """The modes that one wallet's owner has set, by kind and channel."""

    said: Mapping[tuple[str, str], Mode]

    def mode(self, kind: str, channel: str) -> Mode:
        return self.said.get((kind, channel), USUAL)


def chosen(kind: Kind, said: Preferences, usable: Collection[str]) -> list[str]:
    """Return the channels that a notification is sent by at once, of those with an address. Pure."""
    on = [channel for channel in usable if said.mode(kind.name, channel) == "on"]
    return on or (list(usable) if kind.security else [])


def fallbacks(kind: Kind, said: Preferences, usable: Collection[str], tried: Collection[str]) -> list[str]:
    """Return the channels that a notification is sent by once all that were tried have failed. Pure."""
    left = [channel for channel in usable if channel not in tried]
    return [channel for channel in left if kind.security or said.mode(kind.name, channel) != "off"]


async def preferences(connection: Connection, wallets: Sequence[WalletId]) -> dict[WalletId, Preferences]:
    """Return the preferences of these wallets' owners."""
    said: dict[WalletId, dict[tuple[str, str], Mode]] = {one: {} for one in wallets}
    for row in await connection.fetch(sql.preferences, list(wallets)):
        said[WalletId(row["wallet_id"])][row["kind"], row["channel"]] = row["mode"]
    return {wallet: Preferences(of) for wallet, of in said.items()}


async def change(
    connection: Connection,
    wallet: WalletId,
    modes: Mapping[tuple[str, str], Mode],
    usable: Collection[str],
    by: By,
    now: datetime,
) -> Preferences:
    """Set these modes; others stay. `usable` are the channels with an address that security notifications can go to.
    Raises InvalidRequest if a security notification would reach nobody.
    """
    await lock_wallet(connection, wallet)
    before = (await preferences(connection, [wallet]))[wallet]
    after = Preferences({**before.said, **modes})
    for kind in KINDS.values():
        if kind.security and usable and not any(after.mode(kind.name, channel) == "on" for channel in usable):
            raise InvalidRequest(
                "security",
                f"notifications of the kind {kind.name} guard the wallet: leave one of {', '.join(sorted(usable))} on",
            )
    if all(before.mode(*which) == mode for which, mode in modes.items()):
        return before
    await connection.execute(
        *(sql.set_modes, wallet, [kind for kind, _ in modes], [channel for _, channel in modes], [*modes.values()])
    )
    await _record(connection, wallet, by, now)
    return after


async def switch_off(connection: Connection, wallet: WalletId, kind: str, channel: str, by: By, now: datetime) -> None:
    """Send no more notifications of this kind by the channel. Does nothing for a security kind."""
    if not KINDS[kind].security:
        await change(connection, wallet, {(kind, channel): "off"}, (), by, now)


async def _record(connection: Connection, wallet: WalletId, by: By, now: datetime) -> None:
    kind = "notification_preferences.changed"
    await log.append(connection, [Event(kind, wallet, wallet, {})], now)
    await audit.append(connection, [AuditEvent(kind, wallet, by, wallet, {})], now)

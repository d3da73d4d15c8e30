"""What a wallet's owner wants to hear of, by which channel.

    on         each notice of the kind is sent by the channel
    fallback   only where none of the channels that are on could take it
    off        never

A security notice cannot be switched off altogether: where no channel that is on for it has an address, it is sent to
every address that there is, and a change that would leave it so is refused.
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

#: What holds where the owner has said nothing.
USUAL: Final[Mode] = "on"


@dataclass(frozen=True, slots=True)
class Preferences:
    """What one wallet's owner has said, by kind and channel; the rest is as usual."""

    said: Mapping[tuple[str, str], Mode]

    def mode(self, kind: str, channel: str) -> Mode:
        return self.said.get((kind, channel), USUAL)


def chosen(kind: Kind, said: Preferences, usable: Collection[str]) -> list[str]:
    """The channels that a notice is sent by at once, of those that have an address. Pure."""
    on = [channel for channel in usable if said.mode(kind.name, channel) == "on"]
    return on or (list(usable) if kind.security else [])


def fallbacks(kind: Kind, said: Preferences, usable: Collection[str], tried: Collection[str]) -> list[str]:
    """The channels that a notice is sent by once all that were tried have failed. Pure."""
    left = [channel for channel in usable if channel not in tried]
    return [channel for channel in left if kind.security or said.mode(kind.name, channel) != "off"]


async def preferences(connection: Connection, wallets: Sequence[WalletId]) -> dict[WalletId, Preferences]:
    """What each of these wallets' owners has said."""
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
    """Set these modes; others stay. `usable` are the channels that have an address to which security notices can go.
    Raises InvalidRequest where a security notice would reach nobody.
    """
    await lock_wallet(connection, wallet)
    before = (await preferences(connection, [wallet]))[wallet]
    after = Preferences({**before.said, **modes})
    for kind in KINDS.values():
        if kind.security and usable and not any(after.mode(kind.name, channel) == "on" for channel in usable):
            raise InvalidRequest(
                "security",
                f"notices of the kind {kind.name} guard the wallet: leave one of {', '.join(sorted(usable))} on",
            )
    if all(before.mode(*which) == mode for which, mode in modes.items()):
        return before
    await connection.execute(
        *(sql.set_modes, wallet, [kind for kind, _ in modes], [channel for _, channel in modes], [*modes.values()])
    )
    await tell(connection, wallet, by, now)
    return after


async def switch_off(connection: Connection, wallet: WalletId, kind: str, channel: str, by: By, now: datetime) -> None:
    """Send no notice of this kind by the channel any more. Nothing where it is a security notice."""
    if not KINDS[kind].security:
        await change(connection, wallet, {(kind, channel): "off"}, (), by, now)


async def tell(connection: Connection, wallet: WalletId, by: By, now: datetime) -> None:
    kind = "notification_preferences.changed"
    await log.append(connection, [Event(kind, wallet, wallet, {})], now)
    await audit.append(connection, [AuditEvent(kind, wallet, by, wallet, {})], now)

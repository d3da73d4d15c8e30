"""Addresses that a wallet's notifications are sent to. A channel may have several; each is confirmed before it is used.

    pending    a code was sent to it, valid for 15 minutes and 5 tries; only the code is sent to it
    confirmed  it gets notifications of events from now on
    failed     the other side says that it does not exist: nothing is sent to it until it is confirmed again
    removed    its owner no longer sees it; it gets a notification of its removal, and then the row is deleted

An address is encrypted under the master key (AES-256-GCM, bound to this row) together with the code and the token of
its unsubscribe link. It is in no log, event or error; lists show a part of it. The wallet's other addresses are
notified when one is added, removed or fails. Operators who support an owner find the wallet by its whole address
(`handles_of`), which is looked up by its hash under a key that is derived from the root key.

A removed address still gets security notifications of earlier events, including its removal, for a few hours at most.
Otherwise a thief could remove the address before the notification of their sign-in is sent.

Lock order: the wallet, then its addresses in id order.
"""

import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.errors import InvalidRequest, NotFound
from gateway.events import log
from gateway.events.log import Event
from gateway.identity.wallet import lock_wallet, master_key
from gateway.ids import WalletId, new_id, show
from gateway.keys.vault import Vault
from gateway.notifications.channels.channel import Channel
from gateway.notifications.errors import InvalidCode
from gateway.notifications.texts.language import check_time_zone
from gateway.notifications.vocabulary import LOCALES, PREFIX, AddressState
from gateway.postgres.pool import Connection, Record, Statements
from gateway.secret import hash_of, new_secret

sql = Statements(__package__, "address.sql")

#: The most addresses of a wallet, of all channels.
ADDRESSES_MAX: Final = 10

#: How long a code is valid, and how often it may be tried.
CODE_GOOD_FOR: Final = timedelta(minutes=15)
CODE_TRIES: Final = 5

#: How long an unconfirmed address is kept.
_UNCONFIRMED_FOR: Final = timedelta(days=1)


class _Encrypted(msgspec.Struct):
    """The encrypted part."""

    address: str
    unsubscribe: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """An address. `text` is the address itself: never log it, and show it only by `Channel.shown`."""

    id: UUID
    wallet: WalletId
    channel: str
    text: str
    locale: str
    time_zone: str
    created_at: datetime
    confirmed_at: datetime | None
    failure: str | None
    failed_at: datetime | None
    removed_at: datetime | None
    unsubscribe: str  #: The token of its unsubscribe link.
    code: str | None

    def __repr__(self) -> str:
        return f"Address({self.shown_id})"

    @property
    def shown_id(self) -> str:
        """`nad_…`."""
        return show(PREFIX, self.id)

    @property
    def state(self) -> AddressState:
        if self.failure is not None:
            return "failed"
        return "pending" if self.confirmed_at is None else "confirmed"

    @property
    def is_usable(self) -> bool:
        """Whether notifications of new events are sent to it."""
        return self.state == "confirmed" and self.removed_at is None


@dataclass(frozen=True, slots=True)
class NewAddress:
    """An address as its owner gives it. `text` is what `Channel.check` returns."""

    text: str
    locale: str
    time_zone: str


async def add(
    connection: Connection, vault: Vault, channel: Channel, of: WalletId, new: NewAddress, by: By, now: datetime
) -> Address:
    """Add an address, which waits for its code, or is confirmed at once if the channel needs none. An existing one is
    kept, with this locale and time zone; if it waits or has failed, it gets a new code.

    Raises InvalidRequest.
    """
    _check_locale(new.locale, new.time_zone)
    text = new.text
    await lock_wallet(connection, of)
    there = await addresses(connection, vault, of)
    found = next((one for one in there if (one.channel, one.text) == (channel.name, text)), None)
    if found is None and len(there) >= ADDRESSES_MAX:
        raise InvalidRequest("addresses", f"a wallet has {ADDRESSES_MAX} addresses at the most: remove one")
    if found is not None and found.state == "confirmed":
        await connection.execute(sql.set_locale, found.id, new.locale, new.time_zone)
        return await address(connection, vault, of, found.id)
    id = new_id(now) if found is None else found.id
    code = f"{secrets.randbelow(10**6):06}" if channel.needs_code else None
    content = _Encrypted(text, new_secret("gu") if found is None else found.unsubscribe, code)
    master, under = await master_key(connection)
    ciphertext = vault.encrypt(id, msgspec.json.encode(content), under)
    await connection.execute(
        *(sql.put_address, id, of, channel.name, ciphertext, master, new.locale, new.time_zone, now),
        *(now + CODE_GOOD_FOR, hash_of(content.unsubscribe), lookup_of(vault, channel.name, text)),
    )
    if code is None:
        await _confirm(connection, of, id, channel.name, by, now)
    else:
        await connection.execute(sql.queue_code, new_id(now), of, id, channel.name, now)
    return await address(connection, vault, of, id)


async def set_locale(
    connection: Connection, vault: Vault, of: WalletId, locale: str, time_zone: str
) -> Sequence[Address]:
    """Set the locale and time zone of all the wallet's addresses, and return them. Raises InvalidRequest."""
    _check_locale(locale, time_zone)
    await lock_wallet(connection, of)
    await connection.execute(sql.set_readers, of, locale, time_zone)
    return await addresses(connection, vault, of)


async def confirm(
    connection: Connection, vault: Vault, of: WalletId, id: UUID, code: str, by: By, now: datetime
) -> Address | InvalidCode:
    """Return the address, confirmed by the code that was sent to it; or the error, which the caller raises after this
    transaction has committed, because the try counts. Raises NotFound.
    """
    await lock_wallet(connection, of)
    found = await address(connection, vault, of, id)
    if found.state == "confirmed":
        return found
    row = await connection.fetchrow(sql.try_code, id)
    assert row is not None, "the wallet is locked"
    if row["code_expires_at"] is None or row["code_expires_at"] <= now or found.code is None:
        return InvalidCode("expired", "this code has expired: add the address again, and a new one is sent")
    if row["code_tries"] > CODE_TRIES:
        return InvalidCode("too_many_tries", "the code was tried too often: add the address again for a new one")
    if not hmac.compare_digest(found.code.encode(), code.encode()):
        return InvalidCode("wrong", "this is not the code that was sent to the address: look at the newest message")
    await _reencrypt(connection, vault, found)
    await _confirm(connection, of, id, found.channel, by, now)
    return await address(connection, vault, of, id)


async def remove(connection: Connection, vault: Vault, of: WalletId, id: UUID, by: By, now: datetime) -> Address:
    """Remove an address. It is deleted once it has been notified. Raises NotFound."""
    await lock_wallet(connection, of)
    found = await address(connection, vault, of, id)
    if found.state == "confirmed":
        await connection.execute(sql.remove_address, id, now)
        await _record(connection, "notification_address.removed", of, id, found.channel, by, now)
    else:
        await connection.execute(sql.end_pending, id, "removed", now)
        await connection.execute(sql.delete_address, id)
    return found


async def fail(connection: Connection, of: WalletId, id: UUID, reason: str, by: By, now: datetime) -> None:
    """Mark an address as failed: nothing is sent to it any more, and its owner is notified."""
    row = await connection.fetchrow(sql.fail_address, id, reason, now)
    if row is not None and row["confirmed_at"] is not None and row["removed_at"] is None:
        await _record(connection, "notification_address.failed", of, id, row["channel"], by, now, reason=reason)


async def handles_of(connection: Connection, vault: Vault, channel: str, text: str) -> list[str]:
    """Return the handles of the wallets that have confirmed this address: at most 20, and none without a root key."""
    key = lookup_of(vault, channel, text)
    if key is None:
        return []
    return [row["handle"] for row in await connection.fetch(sql.handles_of_lookup, key)]


def lookup_of(vault: Vault, channel: str, text: str) -> bytes | None:
    """Return the key that finds an address: a hash under a secret key, because addresses are easy to guess. Case does
    not matter.
    """
    key = vault.derive("notification-lookup", 32)
    return None if key is None else hmac.digest(key, f"{channel}:{text.strip().casefold()}".encode(), "sha256")


async def addresses(connection: Connection, vault: Vault, of: WalletId) -> list[Address]:
    """Return the wallet's addresses that are not removed, newest first. Raises EncryptedKeyUnreadable,
    MasterKeyMissing.
    """
    return [_address(vault, row) for row in await connection.fetch(sql.addresses, of)]


async def address(connection: Connection, vault: Vault, of: WalletId, id: UUID) -> Address:
    """Return one of the wallet's addresses. Raises NotFound."""
    row = await connection.fetchrow(sql.address, id, of)
    if row is None:
        raise NotFound("such address")
    return _address(vault, row)


async def to_send(connection: Connection, vault: Vault, id: UUID) -> Address | None:
    """Return an address to send something to, also a removed one; None if it was deleted."""
    row = await connection.fetchrow(sql.address_to_send, id)
    return None if row is None else _address(vault, row)


async def of_unsubscribe(connection: Connection, token: str) -> tuple[WalletId, str]:
    """Return the wallet and the channel of the address that an unsubscribe link was sent to. Raises NotFound."""
    row = await connection.fetchrow(sql.of_unsubscribe, hash_of(token))
    if row is None:
        raise NotFound("such link")
    return WalletId(row["wallet_id"]), row["channel"]


async def usable(connection: Connection, wallets: Sequence[WalletId]) -> Mapping[WalletId, Sequence[Record]]:
    """Return, by wallet, the id, channel, confirmed_at and removed_at of the addresses that notifications may go to.
    They are not deleted until the transaction ends.
    """
    found: dict[WalletId, list[Record]] = {}
    for row in await connection.fetch(sql.usable, list(wallets)):
        found.setdefault(WalletId(row["wallet_id"]), []).append(row)
    return found


async def usable_channels(connection: Connection, of: WalletId) -> set[str]:
    """Return the channels by which the wallet's owner can be reached now."""
    rows = (await usable(connection, [of])).get(of, ())
    return {row["channel"] for row in rows if row["removed_at"] is None}


async def forget(connection: Connection, now: datetime) -> None:
    """Delete addresses that were never confirmed."""
    await connection.execute(sql.forget_unconfirmed, now - _UNCONFIRMED_FOR)


async def _confirm(connection: Connection, of: WalletId, id: UUID, channel: str, by: By, now: datetime) -> None:
    await connection.execute(sql.confirm_address, id, now)
    await _record(connection, "notification_address.added", of, id, channel, by, now)


async def _reencrypt(connection: Connection, vault: Vault, found: Address) -> None:
    """Encrypt the address again without the code."""
    master, under = await master_key(connection)
    content = msgspec.json.encode(_Encrypted(found.text, found.unsubscribe))
    await connection.execute(sql.reencrypt_address, found.id, vault.encrypt(found.id, content, under), master)


async def _record(
    connection: Connection,
    kind: str,
    of: WalletId,
    id: UUID,
    channel: str,
    by: By,
    now: datetime,
    reason: str | None = None,
) -> None:
    details = {"channel": channel} | ({} if reason is None else {"reason": reason})
    await log.append(connection, [Event(kind, of, id, details)], now)
    await audit.append(connection, [AuditEvent(kind, of, by, id, details)], now)


def _check_locale(locale: str, time_zone: str) -> None:
    if locale not in LOCALES:
        raise InvalidRequest("locale", f"{locale[:20]!r} is no language of notifications: use {' or '.join(LOCALES)}")
    check_time_zone(time_zone)


def _address(vault: Vault, row: Record) -> Address:
    content = msgspec.json.decode(vault.unsafe_decrypt(row["id"], row["ciphertext"], row["under"]), type=_Encrypted)
    return Address(
        *(row["id"], WalletId(row["wallet_id"]), row["channel"], content.address, row["locale"], row["time_zone"]),
        *(row["created_at"], row["confirmed_at"], row["failure"], row["failed_at"], row["removed_at"]),
        *(content.unsubscribe, content.code),
    )

"""Addresses: where a wallet's notices are sent. Several of a channel, each proved before it is used.

    waits     a code was sent to it, good for 15 minutes and 5 tries; only the code is ever sent to it
    proved    it gets notices of what happens from now on
    failed    the other side says that it is no address: nothing is sent to it until it is proved again
    removed   its owner sees it no more; it gets a notice of its removal, and then the row is deleted

An address is encrypted under the master key (AES-256-GCM, bound to this row) with the code and the token of its
unsubscribe link. It stands in no log, no event and no error; lists show a part of it. The wallet's other addresses are
told when one is added, removed or fails. Whoever knows an address finds its wallet (`handles_of`): operators whom its
owner has written to. It is found by its hash under a key that is derived from the root key.

A removed address gets what happened before, its removal included: else a thief of the wallet would remove the
address before the news of their sign-in is sent. Only security notices go to it then, for a few hours at the most.

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

#: How long a code is good, and how often it may be tried.
CODE_GOOD_FOR: Final = timedelta(minutes=15)
CODE_TRIES: Final = 5

#: How long an address that was never proved is kept.
_UNPROVED_FOR: Final = timedelta(days=1)


class _Sealed(msgspec.Struct):
    """What is encrypted."""

    address: str
    unsubscribe: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Address:
    """Where notices go. `text` is what it is: never to be logged, nor shown but by `Channel.shown`."""

    id: UUID
    wallet: WalletId
    channel: str
    text: str
    locale: str
    time_zone: str
    created_at: datetime
    proved_at: datetime | None
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
        return "waits" if self.proved_at is None else "proved"

    @property
    def is_usable(self) -> bool:
        """Whether notices of what happens now are sent to it."""
        return self.state == "proved" and self.removed_at is None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What its owner says of an address. `text` is as `Channel.check` has it."""

    text: str
    locale: str
    time_zone: str


async def add(
    connection: Connection, vault: Vault, channel: Channel, of: WalletId, wanted: Wanted, by: By, now: datetime
) -> Address:
    """The address, which waits for its code, or is proved where the channel needs none. One that is there already
    stays, with this locale and time zone; one that waits or has failed gets a fresh code.

    Raises InvalidRequest.
    """
    _check_reader(wanted.locale, wanted.time_zone)
    text = wanted.text
    await lock_wallet(connection, of)
    there = await addresses(connection, vault, of)
    found = next((one for one in there if (one.channel, one.text) == (channel.name, text)), None)
    if found is None and len(there) >= ADDRESSES_MAX:
        raise InvalidRequest("addresses", f"a wallet has {ADDRESSES_MAX} addresses at the most: remove one")
    if found is not None and found.state == "proved":
        await connection.execute(sql.set_reader, found.id, wanted.locale, wanted.time_zone)
        return await address(connection, vault, of, found.id)
    id = new_id(now) if found is None else found.id
    code = f"{secrets.randbelow(10**6):06}" if channel.needs_code else None
    sealed = _Sealed(text, new_secret("gu") if found is None else found.unsubscribe, code)
    master, under = await master_key(connection)
    ciphertext = vault.encrypt(id, msgspec.json.encode(sealed), under)
    await connection.execute(
        *(sql.put_address, id, of, channel.name, ciphertext, master, wanted.locale, wanted.time_zone, now),
        *(now + CODE_GOOD_FOR, hash_of(sealed.unsubscribe), lookup_of(vault, channel.name, text)),
    )
    if code is None:
        await _prove(connection, of, id, channel.name, by, now)
    else:
        await connection.execute(sql.queue_code, new_id(now), of, id, channel.name, now)
    return await address(connection, vault, of, id)


async def set_reader(
    connection: Connection, vault: Vault, of: WalletId, locale: str, time_zone: str
) -> Sequence[Address]:
    """All of the wallet's addresses, whose notices are written so from now on. Raises InvalidRequest."""
    _check_reader(locale, time_zone)
    await lock_wallet(connection, of)
    await connection.execute(sql.set_readers, of, locale, time_zone)
    return await addresses(connection, vault, of)


async def confirm(
    connection: Connection, vault: Vault, of: WalletId, id: UUID, code: str, by: By, now: datetime
) -> Address | InvalidCode:
    """The address, proved by the code that was sent to it; or why it is not, which the caller raises once this
    transaction is committed: the try counts. Raises NotFound.
    """
    await lock_wallet(connection, of)
    found = await address(connection, vault, of, id)
    if found.state == "proved":
        return found
    row = await connection.fetchrow(sql.try_code, id)
    assert row is not None, "the wallet is locked"
    if row["code_expires_at"] is None or row["code_expires_at"] <= now or found.code is None:
        return InvalidCode("expired", "this code has expired: add the address again, and a new one is sent")
    if row["code_tries"] > CODE_TRIES:
        return InvalidCode("too_many_tries", "the code was tried too often: add the address again for a new one")
    if not hmac.compare_digest(found.code.encode(), code.encode()):
        return InvalidCode("wrong", "this is not the code that was sent to the address: look at the newest message")
    await _reseal(connection, vault, found)
    await _prove(connection, of, id, found.channel, by, now)
    return await address(connection, vault, of, id)


async def remove(connection: Connection, vault: Vault, of: WalletId, id: UUID, by: By, now: datetime) -> Address:
    """It is its owner's no more, and is deleted as soon as it has been told. Raises NotFound."""
    await lock_wallet(connection, of)
    found = await address(connection, vault, of, id)
    if found.state == "proved":
        await connection.execute(sql.remove_address, id, now)
        await _tell(connection, "notification_address.removed", of, id, found.channel, by, now)
    else:
        await connection.execute(sql.end_pending, id, "removed", now)
        await connection.execute(sql.delete_address, id)
    return found


async def fail(connection: Connection, of: WalletId, id: UUID, reason: str, by: By, now: datetime) -> None:
    """The other side says that it is no address: nothing is sent to it any more, and its owner is told."""
    row = await connection.fetchrow(sql.fail_address, id, reason, now)
    if row is not None and row["proved_at"] is not None and row["removed_at"] is None:
        await _tell(connection, "notification_address.failed", of, id, row["channel"], by, now, reason=reason)


async def handles_of(connection: Connection, vault: Vault, channel: str, text: str) -> list[str]:
    """The handles of the wallets that have proved this address: twenty at the most, and none without a root key."""
    key = lookup_of(vault, channel, text)
    if key is None:
        return []
    return [row["handle"] for row in await connection.fetch(sql.handles_of_lookup, key)]


def lookup_of(vault: Vault, channel: str, text: str) -> bytes | None:
    """What an address is found by: a hash under a secret key, since an address itself is easily guessed. Letters of
    either case are the same, as people write them.
    """
    key = vault.derive("notification-lookup", 32)
    return None if key is None else hmac.digest(key, f"{channel}:{text.strip().casefold()}".encode(), "sha256")


async def addresses(connection: Connection, vault: Vault, of: WalletId) -> list[Address]:
    """Those of the wallet that it has not removed, newest first. Raises EncryptedKeyUnreadable, MasterKeyMissing."""
    return [_address(vault, row) for row in await connection.fetch(sql.addresses, of)]


async def address(connection: Connection, vault: Vault, of: WalletId, id: UUID) -> Address:
    """One of them. Raises NotFound."""
    row = await connection.fetchrow(sql.address, id, of)
    if row is None:
        raise NotFound("such address")
    return _address(vault, row)


async def to_send(connection: Connection, vault: Vault, id: UUID) -> Address | None:
    """One that something is to be sent to, whether it is removed or not; None: it is deleted."""
    row = await connection.fetchrow(sql.address_to_send, id)
    return None if row is None else _address(vault, row)


async def of_unsubscribe(connection: Connection, token: str) -> tuple[WalletId, str]:
    """The wallet and the channel of the address that an unsubscribe link was sent to. Raises NotFound."""
    row = await connection.fetchrow(sql.of_unsubscribe, hash_of(token))
    if row is None:
        raise NotFound("such link")
    return WalletId(row["wallet_id"]), row["channel"]


async def usable(connection: Connection, wallets: Sequence[WalletId]) -> Mapping[WalletId, Sequence[Record]]:
    """By wallet: id, channel, proved_at and removed_at of the addresses that notices may be for, which are not deleted
    until the transaction ends.
    """
    found: dict[WalletId, list[Record]] = {}
    for row in await connection.fetch(sql.usable, list(wallets)):
        found.setdefault(WalletId(row["wallet_id"]), []).append(row)
    return found


async def usable_channels(connection: Connection, of: WalletId) -> set[str]:
    """The channels by which the wallet's owner can be reached now."""
    rows = (await usable(connection, [of])).get(of, ())
    return {row["channel"] for row in rows if row["removed_at"] is None}


async def forget(connection: Connection, now: datetime) -> None:
    """Delete addresses that were never proved."""
    await connection.execute(sql.forget_unproved, now - _UNPROVED_FOR)


async def _prove(connection: Connection, of: WalletId, id: UUID, channel: str, by: By, now: datetime) -> None:
    await connection.execute(sql.prove_address, id, now)
    await _tell(connection, "notification_address.added", of, id, channel, by, now)


async def _reseal(connection: Connection, vault: Vault, found: Address) -> None:
    """The same without the code."""
    master, under = await master_key(connection)
    sealed = msgspec.json.encode(_Sealed(found.text, found.unsubscribe))
    await connection.execute(sql.reseal_address, found.id, vault.encrypt(found.id, sealed, under), master)


async def _tell(
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


def _check_reader(locale: str, time_zone: str) -> None:
    if locale not in LOCALES:
        raise InvalidRequest("locale", f"{locale[:20]!r} is no language of notices: use {' or '.join(LOCALES)}")
    check_time_zone(time_zone)


def _address(vault: Vault, row: Record) -> Address:
    sealed = msgspec.json.decode(vault.unsafe_decrypt(row["id"], row["ciphertext"], row["under"]), type=_Sealed)
    return Address(
        *(row["id"], WalletId(row["wallet_id"]), row["channel"], sealed.address, row["locale"], row["time_zone"]),
        *(row["created_at"], row["proved_at"], row["failure"], row["failed_at"], row["removed_at"]),
        *(sealed.unsubscribe, sealed.code),
    )

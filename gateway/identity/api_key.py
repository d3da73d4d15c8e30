"""API keys, which programs authenticate with. Only hashes are stored, with each key's scopes, networks and expiry.

A key has 256 random bits, so its plain SHA-256 can be neither guessed nor searched for. It is looked up with every
request: a key that was revoked a moment ago is refused by every process.

The key that comes with a handle can do everything, until the wallet has a passkey. Other keys are created by the owner,
each with scopes and, if it is to pay without approval, with spending caps (payments/checks/caps.py). A key is replaced
by another with an overlap, in which both are valid; the overlap is never extended.

A key with caps pays without an approval, so it needs a passkey's approval itself (`approved`): a key that was created
before the wallet's first passkey cannot pay from then on until the owner approves it.

Lock order: a wallet's keys, in the order of their ids, then the wallet.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final
from uuid import UUID

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.errors import Forbidden, InvalidRequest, NotFound, Unauthenticated
from gateway.events import log
from gateway.identity import wallet
from gateway.identity.credential import KEY_SCOPES, Credential, Scope, scopes_of
from gateway.identity.errors import LastOwnerKey
from gateway.identity.label import label
from gateway.identity.wallet import lock_wallet, lock_with_keys
from gateway.ids import WalletId, new_id, show
from gateway.postgres.errors import Contended, DatabaseUnavailable
from gateway.postgres.pool import Connection, Database, Record, Statements
from gateway.secret import hash_of, new_secret

sql = Statements(__package__, "api_key.sql")

#: The prefix of key ids.
PREFIX: Final = "key"

#: The most keys of a wallet, characters of a name, networks of a key; and the longest overlap.
_KEYS_MAX, _NAME_MAX, _NETWORKS_MAX, OVERLAP_MAX = 100, 60, 20, timedelta(days=7)

#: The shortest overlap of a key that replaces itself.
OVERLAP_OWN_MIN = timedelta(minutes=1)

#: How old `last_used_at` may get before it is written again.
_USED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key: its scopes, its expiry, and the networks it may be used from (none: from anywhere)."""

    id: UUID
    origin: UUID
    name: str
    scopes: frozenset[Scope]
    networks: tuple[str, ...]
    capped: bool
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    approved: bool

    @property
    def shown_id(self) -> str:
        """`key_…`."""
        return show(PREFIX, self.id)


async def authenticate(connection: Connection, api_key: str, address: str | None, now: datetime) -> Credential:
    """Return the credential of a key that is used from this address. Raises Unauthenticated if it does not exist or is
    no longer valid, and Forbidden if it is restricted to other networks.
    """
    row = await connection.fetchrow(sql.api_keys_by_hash, [hash_of(api_key)], now)
    if row is None:
        raise Unauthenticated
    if row["networks"] is not None and not _within(address, row["networks"]):
        raise Forbidden("this key is not for the network that you call from")
    await _note_used(connection, [row], now)
    return _credential(row)


def _credential(row: Record) -> Credential:
    of = wallet.from_row(row)
    scopes = scopes_of(row["scopes"])
    capped = row["origin"] if row["capped"] else None
    may = scopes - {"owner"} if of.guarded and "owner" in scopes else scopes
    return Credential("api_key", row["key_id"], of, may, capped_by=capped, approved=row["approved"])


async def authenticate_all(
    connection: Connection, hashes: Sequence[bytes], now: datetime, note: bool = False
) -> dict[bytes, Credential]:
    """Return the credentials of these keys, by their SHA-256. Left out are keys that are not valid or restricted to
    networks. Without `note`, the caller records that they were used (LastUsed).
    """
    rows = await connection.fetch(sql.api_keys_by_hash, list(set(hashes)), now)
    found = [row for row in rows if row["networks"] is None]
    if note:
        await _note_used(connection, found, now)
    return {row["hash"]: _credential(row) for row in found}


async def _note_used(connection: Connection, rows: Sequence[Record], now: datetime) -> None:
    """Write when these keys were used, if that is due."""
    used = [row["hash"] for row in rows if row["last_used_at"] is None or row["last_used_at"] < now - _USED_EVERY]
    if used:
        await connection.execute(sql.used_api_keys, used, [now] * len(used))


async def make(
    connection: Connection,
    of: WalletId,
    name: str,
    scopes: frozenset[Scope],
    networks: Sequence[str],
    expires_at: datetime | None,
    capped: bool,
    approved: bool,
    by: By,
    now: datetime,
) -> tuple[ApiKey, str]:
    """Create a key of the wallet. Returns it and its text, which is never shown again. The caller writes its caps, if
    any. `approved`: its creator has used a passkey.

    Raises InvalidRequest.
    """
    shown, id = _name(name), new_id(now)
    if not scopes:
        raise InvalidRequest("scope", f"a key has one scope at least; there are: {', '.join(KEY_SCOPES)}")
    if "owner" in scopes:
        raise InvalidRequest("scope", "no key is made with the scope 'owner': what only the owner does takes a passkey")
    if expires_at is not None and expires_at <= now:
        raise InvalidRequest("expires_at", "a key expires in the future")
    fresh = ApiKey(id, id, shown, scopes, _networks(networks), capped, now, expires_at, None, approved)
    return fresh, await _write(connection, of, fresh, "api_key.created", by, now)


async def replace(
    connection: Connection, of: WalletId, id: UUID, overlap: timedelta, approved: bool, by: By, now: datetime
) -> tuple[ApiKey, str]:
    """Replace a key by a new one with the same rights. The old one stays valid for the overlap, or until its own expiry
    if that is earlier. A key that replaces itself stays valid for at least a minute, so that it can retry if the answer
    is lost. Only the new key is approved, if the caller has used a passkey.

    Raises NotFound, and InvalidRequest for an overlap beyond seven days.
    """
    if by == By("api_key", show(PREFIX, id)):
        overlap = max(overlap, OVERLAP_OWN_MIN)
    if not timedelta() <= overlap <= OVERLAP_MAX:
        raise InvalidRequest("overlap", f"an overlap is 0 to {int(OVERLAP_MAX.total_seconds())} seconds")
    row = await connection.fetchrow(sql.end_api_key_later, id, of, now + overlap, now)
    if row is None:
        raise NotFound("such key")
    old = _api_key(row)
    expires_at = row["expired_at"]
    fresh = ApiKey(
        *(new_id(now), old.origin, old.name, old.scopes, old.networks, old.capped, now, expires_at),
        last_used_at=None,
        approved=approved,
    )
    return fresh, await _write(connection, of, fresh, "api_key.replaced", by, now)


async def revoke(connection: Connection, of: WalletId, id: UUID, by: By, now: datetime) -> ApiKey:
    """Revoke the key. Raises NotFound if the wallet has no such valid key, and LastOwnerKey if nobody could act as the
    owner without it.
    """
    await lock_with_keys(connection, [of])
    row = await connection.fetchrow(sql.revoke_api_key, id, of, now)
    if row is None:
        raise NotFound("such key")
    ended = _api_key(row)
    if not await connection.fetchval(sql.acts_as_owner, of, now):
        raise LastOwnerKey(ended.shown_id)
    await _record(connection, "api_key.revoked", of, ended, by, now)
    return ended


async def approve(connection: Connection, of: WalletId, id: UUID, by: By, now: datetime) -> ApiKey:
    """Let the key pay, because the owner has just used a passkey. Raises NotFound as `revoke` does."""
    row = await connection.fetchrow(sql.approve_api_key, id, of, now)
    if row is None:
        raise NotFound("such key")
    approved = _api_key(row)
    await _record(connection, "api_key.approved", of, approved, by, now)
    return approved


async def keys(connection: Connection, of: WalletId, now: datetime) -> list[ApiKey]:
    """Return the wallet's valid keys, newest first."""
    return [_api_key(row) for row in await connection.fetch(sql.api_keys, of, now)]


async def _write(connection: Connection, of: WalletId, fresh: ApiKey, kind: str, by: By, now: datetime) -> str:
    await lock_wallet(connection, of)
    if len(await keys(connection, of, now)) >= _KEYS_MAX:
        raise InvalidRequest("keys", f"a wallet has {_KEYS_MAX} keys at the most: revoke one")
    text = new_secret("gw")
    await connection.execute(
        sql.make_api_key,
        *(hash_of(text), of, fresh.id, fresh.origin, fresh.name, sorted(fresh.scopes)),
        *(list(fresh.networks) or None, fresh.capped, now, fresh.expires_at, fresh.approved),
    )
    await _record(connection, kind, of, fresh, by, now)
    return text


async def _record(connection: Connection, kind: str, of: WalletId, key: ApiKey, by: By, now: datetime) -> None:
    details = {"key": key.shown_id, "name": key.name, "scopes": sorted(key.scopes)}
    await log.append(connection, [log.Event(kind, of, key.id, details)], now)
    await audit.append(connection, [AuditEvent(kind, of, by, key.id, details)], now)


class LastUsed:
    """The times of last use of keys whose payments share commits and do not write it themselves. They are written
    together, now and then. A process that is killed loses at most a minute of it.
    """

    def __init__(self) -> None:
        self._at: dict[bytes, datetime] = {}
        self._since: datetime | None = None

    def note(self, api_key_hash: bytes, at: datetime) -> bool:
        """Record a use. Returns whether it is time to write."""
        self._at[api_key_hash] = at
        self._since = self._since or at
        return at - self._since >= _USED_EVERY

    async def write(self, database: Database) -> None:
        """Write what was recorded. If the database is unavailable it is dropped: nobody waits for it."""
        noted, self._at, self._since = self._at, {}, None
        with suppress(DatabaseUnavailable, Contended):
            async with database.one_statement() as connection:
                await connection.execute(sql.used_api_keys, list(noted), list(noted.values()))


def _within(address: str | None, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        at = ip_address(address or "")
    except ValueError:
        return False
    return any(at in network for network in networks if network.version == at.version)


def _networks(texts: Sequence[str]) -> tuple[str, ...]:
    if len(texts) > _NETWORKS_MAX:
        raise InvalidRequest("networks", f"a key has {_NETWORKS_MAX} networks at the most")
    try:
        return tuple(str(ip_network(text)) for text in texts)
    except ValueError:
        raise InvalidRequest("networks", "a network is written as 192.0.2.0/24 or 2001:db8::/32") from None


def _name(text: str) -> str:
    name = label(text, _NAME_MAX)
    if name is None:
        raise InvalidRequest("name", f"a key's name has 1 to {_NAME_MAX} letters that can be printed")
    return name


def _api_key(row: Record) -> ApiKey:
    return ApiKey(
        *(row["key_id"], row["origin"], row["name"], scopes_of(row["scopes"])),
        *(tuple(str(network) for network in row["networks"] or ()), row["capped"]),
        *(row["created_at"], row["expires_at"], row["last_used_at"], row["approved"]),
    )

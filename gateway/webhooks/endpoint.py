"""Endpoints: the URLs that a wallet's events are sent to, their event types, and the secrets that sign them.

A secret is shown once, when it is created, and stored encrypted under the master key. After a rotation the old secret
signs beside the new one for a day, so that a receiver can switch without rejecting anything.

A disabled endpoint keeps its cursor: when it is enabled again, it continues where it stopped.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast
from urllib.parse import urlsplit
from uuid import UUID

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.errors import InvalidRequest, NotFound, StateConflict
from gateway.events import log
from gateway.events.log import Event
from gateway.identity.wallet import lock_wallet, master_key
from gateway.ids import WalletId, new_id, show
from gateway.keys.vault import Vault
from gateway.outbound.allowed import Allowed
from gateway.postgres.pool import Connection, Record, Statements
from gateway.webhooks import message
from gateway.webhooks.vocabulary import PREFIX, DisabledBy

sql = Statements(__package__, "endpoint.sql")

#: The most endpoints of a wallet: an event is sent to each that subscribes to it.
ENDPOINTS_MAX: Final = 20

_TYPES_MAX, _DESCRIPTION_MAX = 100, 200

#: How long the old secret stays valid after a rotation.
OVERLAP: Final = timedelta(hours=24)

#: All event types, including future ones.
EVERY_TYPE: Final = "*"

#: The event of `test`, which is sent to the tested endpoint only.
TEST: Final = "webhook.test"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`types` are event types, groups such as `payment.*`, or `*`. `disabled_by` is None while it is enabled; otherwise
    the cause: its owner, an answer 410 (`gone`), or days of failures (`failing`).
    """

    id: UUID
    wallet: WalletId
    url: str
    types: tuple[str, ...]
    description: str
    disabled_by: DisabledBy | None
    created_at: datetime
    failing_since: datetime | None

    @property
    def shown_id(self) -> str:
        """`whk_…`."""
        return show(PREFIX, self.id)

    @property
    def host(self) -> str:
        """The host of its URL, for logs: the path may be a secret."""
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True, slots=True)
class EndpointSettings:
    """The settings that its owner gives an endpoint. The caller checks that the types exist."""

    url: str
    types: Sequence[str]
    description: str
    enabled: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes of an endpoint's settings by its owner. None: unchanged."""

    url: str | None = None
    types: Sequence[str] | None = None
    description: str | None = None
    enabled: bool | None = None

    def of(self, before: Endpoint) -> EndpointSettings:
        """The settings with these changes."""
        return EndpointSettings(
            url=before.url if self.url is None else self.url,
            types=before.types if self.types is None else self.types,
            description=before.description if self.description is None else self.description,
            enabled=before.disabled_by is None if self.enabled is None else self.enabled,
        )


def fits(types: Sequence[str], kind: str) -> bool:
    """Whether events of this kind are sent to an endpoint with these types. Pure."""
    return any(one in (kind, EVERY_TYPE) or (one.endswith(".*") and kind.startswith(one[:-1])) for one in types)


async def create(
    connection: Connection,
    vault: Vault,
    allowed: Allowed,
    of: WalletId,
    settings: EndpointSettings,
    by: By,
    now: datetime,
) -> tuple[Endpoint, str]:
    """Create an endpoint, which gets events from now on. Returns it with the text of its secret, to be shown once.

    Raises InvalidRequest for a URL that is not allowed, and beyond `ENDPOINTS_MAX`.
    """
    _check(allowed, Changes(settings.url, settings.types, settings.description))
    await lock_wallet(connection, of)
    if len(await endpoints(connection, of)) >= ENDPOINTS_MAX:
        raise InvalidRequest("webhooks", f"a wallet has {ENDPOINTS_MAX} endpoints at the most: delete one")
    disabled_by: DisabledBy | None = None if settings.enabled else "owner"
    made = Endpoint(
        *(new_id(now), of, settings.url, tuple(settings.types), settings.description, disabled_by, now),
        failing_since=None,
    )
    await connection.execute(
        sql.add_endpoint,
        *(made.id, of, made.url, list(made.types), made.description, disabled_by, now),
        await log.complete_to(connection),
    )
    text = await _add_secret(connection, vault, made.id, now)
    await _tell(connection, "webhook.created", made, by, now)
    return made, text


async def endpoints(connection: Connection, of: WalletId) -> list[Endpoint]:
    """The wallet's endpoints, newest first."""
    return [from_row(row) for row in await connection.fetch(sql.endpoints, of)]


async def endpoint(connection: Connection, of: WalletId, id: UUID) -> Endpoint:
    """One of the wallet's endpoints. Raises NotFound."""
    return _found(await connection.fetchrow(sql.endpoint, id, of))


async def change(
    connection: Connection, allowed: Allowed, of: WalletId, id: UUID, changes: Changes, by: By, now: datetime
) -> Endpoint:
    """Change the endpoint's settings. When it is enabled again, it continues where it stopped, and pending deliveries
    are tried at once. Raises NotFound and InvalidRequest.
    """
    _check(allowed, changes)
    before = await lock(connection, of, id)
    settings = changes.of(before)
    disabled_by = None if settings.enabled else before.disabled_by or "owner"
    again = settings.enabled and before.disabled_by is not None
    row = await connection.fetchrow(
        sql.change_endpoint, id, settings.url, list(settings.types), settings.description, disabled_by, again
    )
    if again:
        await connection.execute(sql.try_pending_now, id, now)
    changed = _found(row)
    await _tell(connection, "webhook.changed", changed, by, now)
    return changed


async def rotate_secret(
    connection: Connection, vault: Vault, of: WalletId, id: UUID, by: By, now: datetime
) -> tuple[Endpoint, str, datetime]:
    """Create a new secret. Returns the endpoint, the secret's text, and when the old one expires. There are at most
    two: in a second rotation meanwhile the oldest expires at once. Raises NotFound.
    """
    found, ends_at = await lock(connection, of, id), now + OVERLAP
    await connection.execute(sql.end_secrets, id, ends_at)
    text = await _add_secret(connection, vault, id, now)
    await _tell(connection, "webhook.secret_rotated", found, by, now)
    return found, text, ends_at


async def delete(connection: Connection, of: WalletId, id: UUID, by: By, now: datetime) -> Endpoint:
    """Delete the endpoint: nothing more is sent to it. Raises NotFound."""
    found = await lock(connection, of, id)
    await connection.execute(sql.delete_secrets, id)
    await connection.execute(sql.delete_endpoint, id, now)
    await _tell(connection, "webhook.deleted", found, by, now)
    return found


async def test(connection: Connection, of: WalletId, id: UUID, now: datetime) -> Endpoint:
    """Append a test event for this endpoint only. Raises NotFound, and StateConflict if it is disabled."""
    found = await lock(connection, of, id)
    if found.disabled_by is not None:
        raise StateConflict(found.shown_id, "disabled", "test")
    await log.append(connection, [Event("webhook.test", of, id, details_of(found))], now)
    return found


async def read_from(connection: Connection, of: WalletId, id: UUID, since: datetime) -> Endpoint:
    """Redeliver the endpoint's events made at this time or later, by setting its cursor back. Raises NotFound."""
    found = await lock(connection, of, id)
    await connection.execute(sql.read_from, id, await log.before(connection, since))
    return found


async def disable(connection: Connection, id: UUID, why: DisabledBy, by: By, now: datetime) -> bool:
    """Disable the endpoint until its owner, who gets an event, enables it again. Returns False if it was disabled
    already.
    """
    row = await connection.fetchrow(sql.disable_endpoint, id, why)
    if row is None:
        return False
    await _tell(connection, "webhook.disabled", from_row(row), by, now)
    return True


async def secrets(
    connection: Connection, vault: Vault, ids: Collection[UUID], now: datetime
) -> dict[UUID, list[bytes]]:
    """The secrets that sign for these endpoints now, the newest of each first; none if it was deleted. Raises
    EncryptedKeyUnreadable and MasterKeyMissing.
    """
    found: dict[UUID, list[bytes]] = {}
    for row in await connection.fetch(sql.secrets, list(ids), now):
        secret = vault.unsafe_decrypt(row["id"], row["ciphertext"], row["under"])
        found.setdefault(row["endpoint_id"], []).append(secret)
    return found


async def old_secret_expires_at(connection: Connection, id: UUID, now: datetime) -> datetime | None:
    """When the previous secret expires; None if only the newest is valid."""
    ends_at: datetime | None = await connection.fetchval(sql.old_secret, id, now)
    return ends_at


async def lock(connection: Connection, of: WalletId, id: UUID) -> Endpoint:
    """Lock one of the wallet's endpoints. Raises NotFound."""
    return _found(await connection.fetchrow(sql.lock_endpoint, id, of))


def from_row(row: Record) -> Endpoint:
    return Endpoint(
        *(row["id"], WalletId(row["wallet_id"]), row["url"], tuple(row["types"]), row["description"]),
        *(cast("DisabledBy | None", row["disabled_by"]), row["created_at"], row["failing_since"]),
    )


def _found(row: Record | None) -> Endpoint:
    if row is None:
        raise NotFound("such webhook")
    return from_row(row)


def _check(allowed: Allowed, given: Changes) -> None:
    """Check the settings that are given; the others were checked when they were set."""
    if given.url is not None:
        allowed.check_url(given.url)
    if given.types is not None and not 1 <= len(given.types) <= _TYPES_MAX:
        raise InvalidRequest("types", f"name 1 to {_TYPES_MAX} types of events, or '{EVERY_TYPE}' for all")
    if given.description is not None and (
        len(given.description) > _DESCRIPTION_MAX or not given.description.isprintable()
    ):
        raise InvalidRequest("description", f"a description has up to {_DESCRIPTION_MAX} printable characters")


async def _add_secret(connection: Connection, vault: Vault, of: UUID, now: datetime) -> str:
    id, secret = new_id(now), message.new_secret()
    number, under = await master_key(connection)
    await connection.execute(sql.add_secret, id, of, vault.encrypt(id, secret, under), number, now)
    return message.secret_text(secret)


def details_of(of: Endpoint) -> dict[str, object]:
    """The payload of its events. Pure."""
    return {"host": of.host, "types": list(of.types), "disabled_by": of.disabled_by}


async def _tell(connection: Connection, kind: str, of: Endpoint, by: By, now: datetime) -> None:
    await log.append(connection, [Event(kind, of.wallet, of.id, details_of(of))], now)
    await audit.append(connection, [AuditEvent(kind, of.wallet, by, of.id, details_of(of))], now)

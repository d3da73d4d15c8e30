"""audit: list audit events, print the newest checkpoint, and verify both logs against their checkpoints."""

from typing import Any

from gateway import assembly
from gateway.audit import checkpoint, log
from gateway.audit import verify as verifying
from gateway.clock import rfc3339
from gateway.config.config import Config
from gateway.custody import wallet_keys
from gateway.errors import NotFound
from gateway.identity import wallet
from gateway.ids import show


async def head(config: Config) -> dict[str, Any]:
    """The newest checkpoint, to be stored outside the database. Raises NotFound if there is none yet."""
    async with assembly.database(config, "audit") as database, database.reading() as connection:
        newest = await checkpoint.head(connection)
    if newest is None:
        raise NotFound("checkpoint yet; a worker writes one once something has happened")
    return {"head": str(newest), "written_at": rfc3339(newest.at)}


async def verify(config: Config, noted: str | None, rows_after: int) -> dict[str, Any]:
    """Verify both logs against their checkpoints, and return the mismatches. Raises InvalidRequest if `noted` is not a
    head, Misconfigured for another master key, EncryptedKeyUnreadable.
    """
    noted_head = verifying.read_head(noted) if noted is not None else None
    async with assembly.database(config, "audit", 2, assembly.LONG_SECONDS) as database:
        vault = await assembly.vault_of(config, database)
        async with database.snapshot() as connection:
            keys = await wallet_keys.checkpoint_keys(connection, vault)
            found = await verifying.verify(connection, keys, noted_head, rows_after)
    return {
        "checkpoints": found.checkpoints,
        "events": found.rows["event"],
        "audit_events": found.rows["audit_event"],
        "events_pending": found.pending["event"],
        "audit_events_pending": found.pending["audit_event"],
        "head": str(found.head) if found.checkpoints else None,
        "broken": [
            {"what": one.what, "number": one.number, "fault": one.fault, "message": str(one)} for one in found.broken
        ],
    }


async def audit_events(
    config: Config, handle: str | None, kind: str | None, before: int | None, limit: int
) -> dict[str, Any]:
    """The newest audit events: all, or those of a handle's wallet, or of a kind. Raises InvalidHandle,
    UnknownHandle.
    """
    async with assembly.database(config, "audit") as database, database.reading() as connection:
        of = (await wallet.by_handle(connection, handle)).id if handle is not None else None
        found = await log.read(connection, of, kind, before, limit)
    return {"items": [plain(event) for event in found]}


def plain(event: log.LoggedAuditEvent) -> dict[str, Any]:
    """An audit event as plain values, for printing."""
    return {
        "number": event.number,
        "at": rfc3339(event.at),
        "kind": event.kind,
        "by": event.by.kind,
        "by_id": event.by.id,
        "wallet": show("wal", event.wallet) if event.wallet else None,
        "subject": event.shown_subject,
        "details": event.details,
    }

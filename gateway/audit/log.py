"""Audit events: appended in the transaction that does what they say, numbered as the event log is, and never changed.

Writers do not wait for each other. As in events/log.py, a number may be there while a lesser one is still being
written, so a writer announces what the last number was before it is given any, with an advisory lock that ends with its
transaction; whoever reads in order stops before what is announced.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import msgspec

from gateway.ids import WalletId, show
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "audit.sql")

#: What announced numbers are counted from; those of events are counted from 1 << 62.
ANNOUNCED = (1 << 62) + (1 << 61)


@dataclass(frozen=True, slots=True)
class By:
    """Who did it: the kind of credential, and its id as people see it (`psk_…`, an operator's name, who was logged in
    at the machine). None if no credential was needed, and for the worker.
    """

    kind: Literal["anyone", "api_key", "session", "passkey", "recovery", "operator", "worker", "command"]
    id: str = ""


#: Whoever asked: what they did needs no credential.
ANYONE = By("anyone")

#: The worker, by itself.
WORKER = By("worker")


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """An audit event to append. `wallet` is whose it concerns (None: the gateway), `by` who did it, `subject` the id of
    what it was done to; `details` are plain JSON values: no secrets, and nothing that people wrote to each other.
    """

    kind: str
    wallet: WalletId | None
    by: By
    subject: UUID | None
    details: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class LoggedAuditEvent:
    """An audit event as it was logged: its number, which only grows, and when it happened."""

    number: int
    kind: str
    wallet: WalletId | None
    by: By
    subject: UUID | None
    details: Any
    at: datetime

    @property
    def shown_subject(self) -> str | None:
        """The id of what it is about, as people see it elsewhere; None where that is its wallet, or nothing."""
        if self.subject is None or self.subject == self.wallet:
            return None
        prefix = _PREFIXES.get(self.kind) or _PREFIXES.get(self.kind.partition(".")[0])
        return show(prefix, self.subject) if prefix else str(self.subject)


#: What the id of a subject begins with, by the kind of the audit event or its first part. Of any other the bare id is
#: shown.
_PREFIXES: Final = {
    "api_key": "key",
    "mandate": "mdt",
    "operator.added": "opr",
    "operator.approved": "pro",
    "operator.enrolled": "opr",
    "operator.proposed": "pro",
    "operator.revoked": "opr",
    "operator.role_changed": "opr",
    "operator.signed_in": "opr",
    "passkey": "psk",
    "payment": "pay",
    "session": "ses",
}


async def append(connection: Connection, audit_events: Sequence[AuditEvent], at: datetime) -> None:
    """Write the audit events, in order, as part of the caller's transaction."""
    if audit_events:
        await connection.execute(sql.announce_audit_events, ANNOUNCED)
        await connection.execute(
            sql.append_audit_events,
            [event.kind for event in audit_events],
            [event.wallet for event in audit_events],
            [event.by.kind for event in audit_events],
            [event.by.id for event in audit_events],
            [event.subject for event in audit_events],
            [msgspec.json.encode(event.details).decode() for event in audit_events],
            at,
        )


async def read(
    connection: Connection,
    wallet: WalletId | None = None,
    kind: str | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[LoggedAuditEvent]:
    """Up to `limit` audit events, newest first: all, or those of a wallet, of a kind (`wallet` means `wallet.created`
    too), numbered below `before`.
    """
    rows = await connection.fetch(sql.audit_events, wallet, kind, before, limit)
    return [
        LoggedAuditEvent(
            number=row["id"],
            kind=row["kind"],
            wallet=WalletId(row["wallet_id"]) if row["wallet_id"] else None,
            by=By(row["by_kind"], row["by_id"]),
            subject=row["subject"],
            details=msgspec.json.decode(row["details"]),
            at=row["at"],
        )
        for row in rows
    ]

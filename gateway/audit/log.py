"""Audit events: appended in the transaction of the action, numbered as the event log is, and never changed.

Writers do not wait for each other. As in events/log.py, a number may be visible while a lower one is still being
written. So a writer announces the last number before it is given any, with an advisory lock that ends with its
transaction, and a reader in order stops before the announced numbers.
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

#: The base of announced numbers; those of events have 1 << 62.
ANNOUNCED = (1 << 62) + (1 << 61)


@dataclass(frozen=True, slots=True)
class By:
    """Who did it: the kind of credential, and its id as people see it (`psk_…`, an operator's name, the login name at
    the machine). Empty if no credential was needed, and for the worker.
    """

    kind: Literal["anyone", "api_key", "session", "passkey", "recovery", "operator", "worker", "command"]
    id: str = ""


#: A caller without a credential, because none is needed.
ANYONE = By("anyone")

#: The worker.
WORKER = By("worker")


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """An audit event to append. `wallet`: the wallet it concerns (None: the gateway). `by`: who did it. `subject`: the
    id of what it was done to. `details`: plain JSON values, without secrets and without what people wrote to each
    other.
    """

    kind: str
    wallet: WalletId | None
    by: By
    subject: UUID | None
    details: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class LoggedAuditEvent:
    """An audit event as it was logged: with its number, which only grows, and its time."""

    number: int
    kind: str
    wallet: WalletId | None
    by: By
    subject: UUID | None
    details: Any
    at: datetime

    @property
    def shown_subject(self) -> str | None:
        """Return the subject's id as people see it elsewhere; None if it is the wallet, or there is none."""
        if self.subject is None or self.subject == self.wallet:
            return None
        prefix = _PREFIXES.get(self.kind) or _PREFIXES.get(self.kind.partition(".")[0])
        return show(prefix, self.subject) if prefix else str(self.subject)


#: The id prefix of a subject, by the kind of the audit event or its first part. Other subjects are shown as bare ids.
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
    """Append the audit events, in order, in the caller's transaction."""
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
    """Return up to `limit` audit events, newest first: all, or those of a wallet, of a kind (`wallet` includes
    `wallet.created`), numbered below `before`.
    """
    if wallet is None and kind is not None:
        rows = await connection.fetch(sql.audit_events_of_kind, kind, before, limit)
    else:
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

"""Failing endpoints of all wallets, for operators, who can retry one for its owner."""

from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.errors import NotFound, StateConflict
from gateway.events import log
from gateway.events.log import Event
from gateway.postgres.pool import Connection, Statements
from gateway.webhooks import endpoint
from gateway.webhooks.delivery import PENDING_MAX
from gateway.webhooks.endpoint import Endpoint, details_of, from_row
from gateway.webhooks.vocabulary import Outcome

sql = Statements(__package__, "failing.sql")


@dataclass(frozen=True, slots=True)
class Failing:
    """An endpoint with its owner's handle, the number of pending deliveries (`PENDING_MAX` at most), and the last
    attempt: None if there was none.
    """

    endpoint: Endpoint
    handle: str
    waiting: int
    last_at: datetime | None
    outcome: Outcome | None
    status: int | None


async def failing(connection: Connection, before: UUID, limit: int) -> list[Failing]:
    """Up to `limit` endpoints older than `before`, newest first, whose recent deliveries have all failed, or that were
    disabled for that or by a 410. Endpoints that their owners disabled are left out.
    """
    return [
        Failing(
            *(from_row(row), row["handle"], row["waiting"], row["last_at"]),
            *(cast("Outcome | None", row["outcome"]), row["status"]),
        )
        for row in await connection.fetch(sql.failing, before, limit, PENDING_MAX)
    ]


async def try_again(connection: Connection, id: UUID, since: datetime | None, by: By, now: datetime) -> Endpoint:
    """Enable the endpoint, and have its pending deliveries sent at once, with all attempts allowed again. With `since`,
    events made at that time or later are redelivered, too.

    Raises NotFound, and StateConflict if its owner has disabled it.
    """
    row = await connection.fetchrow(sql.lock_any, id)
    if row is None:
        raise NotFound("such webhook")
    before = from_row(row)
    if before.disabled_by == "owner":
        raise StateConflict(before.shown_id, "disabled by its owner", "tried again")
    row = await connection.fetchrow(sql.begin_anew, id)
    assert row is not None
    found = from_row(row)
    await connection.execute(endpoint.sql.try_pending_now, id, now)
    if since is not None:
        await connection.execute(endpoint.sql.read_from, id, await log.before(connection, since))
    if before.disabled_by is not None:
        await log.append(connection, [Event("webhook.changed", found.wallet, id, details_of(found))], now)
    await audit.append(connection, [AuditEvent("webhook.retried", found.wallet, by, id, details_of(found))], now)
    return found

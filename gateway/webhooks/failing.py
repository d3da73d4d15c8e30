"""Failing endpoints of all wallets, for operators, who can have one tried again for its owner."""

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
    """An endpoint with whose it is, how many deliveries wait (`PENDING_MAX` at the most), and what the last try came
    to: None where none was made.
    """

    endpoint: Endpoint
    handle: str
    waiting: int
    last_at: datetime | None
    outcome: Outcome | None
    status: int | None


async def failing(connection: Connection, before: UUID, limit: int) -> list[Failing]:
    """Up to `limit` endpoints made before one, the newest first, whose deliveries have only failed lately, or that were
    disabled for that or by a 410. One that its owner disabled does not fail.
    """
    return [
        Failing(
            *(from_row(row), row["handle"], row["waiting"], row["last_at"]),
            *(cast("Outcome | None", row["outcome"]), row["status"]),
        )
        for row in await connection.fetch(sql.failing, before, limit, PENDING_MAX)
    ]


async def try_again(connection: Connection, id: UUID, since: datetime | None, by: By, now: datetime) -> Endpoint:
    """Enable the endpoint, and have what is pending for it sent at once, with all of its tries. With `since`, what was
    made at that time or later is sent again, too.

    Raises NotFound, and StateConflict where its owner has disabled it.
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

"""The audit log, for operators."""

import json
from collections.abc import Sequence
from typing import Annotated, Final

from litestar import get, post
from litestar.params import QueryParameter

from gateway.api.fields import HandleText
from gateway.api.operators.views import AuditEventsPage, AuditEventView, DetailView, HeadView, VerificationView
from gateway.audit import checkpoint, log, verify
from gateway.audit.log import LoggedAuditEvent
from gateway.clock import rfc3339
from gateway.custody import wallet_keys
from gateway.http.request.cursor import cursor_number, cursor_text
from gateway.http.request.parameters import Cursor, Limit
from gateway.http.services import Services
from gateway.identity import wallet as wallets
from gateway.operators.operators import Operator
from gateway.postgres.pool import Connection

#: How many checkpoints a request verifies. There is one for each second with events, so these are a minute or more; a
#: million rows take some three seconds (docs/operate/audit.md), and these are at most 120,000.
RECENT: Final = 60


@get(
    "/v1/operator/audit-events",
    tags=["Operators"],
    summary="List audit events",
    needs="operator",
    problems=("invalid_handle", "unknown_handle"),
)
async def list_audit_events(
    services: Services,
    operator: Operator,
    handle: Annotated[HandleText | None, QueryParameter(description="Only audit events of this wallet.")] = None,
    kind: Annotated[
        str | None,
        QueryParameter(
            description="Only this kind, or kinds with this prefix: `wallet` includes `wallet.frozen`.",
            schema_extra={"examples": ["wallet.frozen"]},
        ),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> AuditEventsPage:
    """Lists audit events, newest first."""
    before = cursor_number(cursor) if cursor else None
    async with services.database.reading() as connection:
        of = None if handle is None else (await wallets.by_handle(connection, handle)).id
        page = await log.read(connection, of, kind, before, limit)
        views = await audit_event_views(connection, page)
    return AuditEventsPage(views, cursor_text(str(page[-1].number)) if len(page) == limit else None)


@get("/v1/operator/audit-log/head", tags=["Operators"], summary="Get the newest checkpoint", needs="operator")
async def get_audit_head(services: Services, operator: Operator) -> HeadView:
    """Returns the newest checkpoint, in the form of `gateway audit head`."""
    async with services.database.reading() as connection:
        newest = await checkpoint.head(connection)
        since = await checkpoint.pending_since(connection)
    uncovered = rfc3339(since) if since else None
    if newest is None:
        return HeadView(None, 0, None, uncovered)
    return HeadView(str(newest), newest.number, rfc3339(newest.at), uncovered)


@post(
    "/v1/operator/audit-log/verification",
    tags=["Operators"],
    summary="Verify the latest rows of the audit log",
    status_code=200,
    needs="operator",
)
async def verify_audit_log(services: Services, operator: Operator) -> VerificationView:
    """Verifies the last sixty checkpoints, each of at most a thousand rows of the event log and of the audit log. The
    whole chain is verified at the machine: `gateway audit verify`.
    """
    async with services.database.snapshot() as connection:
        newest = await checkpoint.head(connection)
        keys = await wallet_keys.checkpoint_keys(connection, services.vault)
        found = await verify.verify_recent(connection, keys, RECENT)
    before = max(0, (newest.number if newest else 0) - RECENT)
    return VerificationView(
        found.checkpoints - before, found.rows["event"], found.rows["audit_event"], [str(one) for one in found.broken]
    )


async def audit_event_views(connection: Connection, events: Sequence[LoggedAuditEvent]) -> list[AuditEventView]:
    """The audit events, with the handles of the wallets that they concern."""
    handles = await wallets.handles(connection, {one.wallet for one in events if one.wallet is not None})
    return [
        AuditEventView(
            one.number,
            rfc3339(one.at),
            one.kind,
            one.by.kind,
            one.by.id,
            handles[one.wallet] if one.wallet is not None else None,
            one.shown_subject,
            [DetailView(name, _text(value)) for name, value in one.details.items()],
        )
        for one in events
    ]


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


ROUTES = (list_audit_events, get_audit_head, verify_audit_log)

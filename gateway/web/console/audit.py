"""The audit log, and its verification."""

from typing import Any

from litestar import Request, Response

from gateway.api.operators.audit_log import get_audit_head, list_audit_events
from gateway.errors import GatewayError
from gateway.http.services import Services
from gateway.operators.operators import Operator
from gateway.web.console.page import address, console_answer, console_page
from gateway.web.owned import reader_for
from gateway.web.problems import why_of

#: How many audit events are on a page.
_PAGE = 12


@console_page("/console/audit")
async def audit_page(request: Request[Any, Any, Any], services: Services, operator: Operator) -> Response[bytes]:
    """Audit events, newest first, filtered by `?handle=` and `?kind=`."""
    asked = request.query_params
    filters = {name: asked.get(name, "").strip()[:60] for name in ("handle", "kind")}
    found, problem = None, ""
    try:
        found = await list_audit_events.fn(
            services, operator, filters["handle"] or None, filters["kind"] or None, _PAGE, asked.get("cursor")
        )
    except GatewayError as error:
        problem = why_of(error, reader_for(request))
    kept = {name: text for name, text in filters.items() if text}
    cursor = found.next_cursor if found else None
    return console_answer(
        request,
        operator,
        "console/audit.html",
        filters=filters,
        problem=problem,
        events=found.items if found else [],
        more=address("/console/audit", **kept, cursor=cursor) if cursor else "",
        newest=address("/console/audit", **kept) if asked.get("cursor") else "",
        head=await get_audit_head.fn(services, operator),
    )

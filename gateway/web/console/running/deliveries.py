"""Failing webhook endpoints, and pending notifications."""

from typing import Any

from litestar import Request, Response

from gateway.api.operators.running.health import get_gateway_health
from gateway.api.operators.running.webhooks import list_failing_webhooks
from gateway.http.services import Services
from gateway.operators.operators import Operator
from gateway.web.console.page import address, console_answer, console_page
from gateway.web.console.running.states import outcome_name
from gateway.web.owned import reader_for

#: How many endpoints are on a page.
_PAGE = 10


@console_page("/console/deliveries")
async def deliveries_page(request: Request[Any, Any, Any], services: Services, operator: Operator) -> Response[bytes]:
    """Failing endpoints with their owners and reasons; roles that may retry webhooks have a button for it."""
    reader = reader_for(request)
    page = await list_failing_webhooks.fn(services, operator, _PAGE, request.query_params.get("cursor"))
    return console_answer(
        request,
        operator,
        "console/deliveries.html",
        failing=page.items,
        more=address("/console/deliveries", cursor=page.next_cursor) if page.next_cursor else "",
        newest=address("/console/deliveries") if request.query_params.get("cursor") else "",
        health=await get_gateway_health.fn(services, operator),
        outcome_name=lambda outcome, status: outcome_name(outcome, status, reader),
        may_retry="webhooks.redeliver" in operator.rights.does,
    )

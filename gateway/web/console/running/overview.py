"""The console's first page: totals, whether they add up, and matters that need attention."""

from typing import Any

from litestar import Request, Response
from litestar.datastructures import State

from gateway.api.operators.proposals import list_proposals
from gateway.api.operators.running.health import get_gateway_health
from gateway.api.operators.running.solvency import get_solvency_over_time
from gateway.http.services import Services
from gateway.operators.operators import Operator
from gateway.web.console.page import console_answer, console_page
from gateway.web.console.running.attention import matters
from gateway.web.console.running.totals import DAYS, totals
from gateway.web.owned import reader_for


@console_page("/console")
async def overview_page(
    request: Request[Any, Any, Any], services: Services, state: State, operator: Operator
) -> Response[bytes]:
    """The overview. It does not call the node, so it is available when the chain is not."""
    reader = reader_for(request)
    solvency = await get_solvency_over_time.fn(services, state, operator, DAYS)
    health = await get_gateway_health.fn(services, operator)
    proposals = len((await list_proposals.fn(services, operator)).items)
    return console_answer(
        request,
        operator,
        "console/overview.html",
        totals=totals(solvency, services.clock()),
        health=health,
        attention=matters(health, solvency, proposals, reader),
    )

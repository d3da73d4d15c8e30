"""The chain and the relayers."""

from typing import Any

from litestar import Request, Response

from gateway.api.operators.running.health import get_gateway_health
from gateway.api.operators.running.relayers import list_relayers
from gateway.chain.errors import NodeUnavailable
from gateway.http.services import Services
from gateway.operators.operators import Operator
from gateway.web.console.page import console_answer, console_page
from gateway.web.console.running.states import relayer_reason, relayer_state
from gateway.web.owned import reader_for
from gateway.web.problems import why_for_operators


@console_page("/console/relayers")
async def relayers_page(request: Request[Any, Any, Any], services: Services, operator: Operator) -> Response[bytes]:
    """How far the chain was read, the queues, and each relayer with the number of payments that its gas balance can pay
    for.
    """
    away, reader = "", reader_for(request)
    try:
        relayers = (await list_relayers.fn(services, operator)).items
    except NodeUnavailable as why:
        relayers, away = [], why_for_operators(why, reader)
    return console_answer(
        request,
        operator,
        "console/relayers.html",
        relayers=relayers,
        away=away,
        health=await get_gateway_health.fn(services, operator),
        coin=next(one.code for one in services.settings.assets if one.kind == "native"),
        relayer_reason=lambda one: relayer_reason(one, reader),
        relayer_state=lambda state: relayer_state(state, reader),
        may_resume="relayers.resume" in operator.rights.does,
    )

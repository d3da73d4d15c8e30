"""Frozen withdrawals with their causes, and a button for operators who may unfreeze them."""

from typing import Any

from litestar import Request, Response

from gateway.api.operators.withdrawals import list_frozen_withdrawals
from gateway.http.services import Services
from gateway.operators.operators import Operator
from gateway.web.console.page import console_answer, console_page


@console_page("/console/withdrawals")
async def withdrawals_page(request: Request[Any, Any, Any], services: Services, operator: Operator) -> Response[bytes]:
    """Frozen withdrawals by asset, with the differences."""
    frozen = (await list_frozen_withdrawals.fn(services, operator)).items
    return console_answer(request, operator, "console/withdrawals.html", frozen=frozen)

"""The console's first page."""

from typing import Any

from litestar import Request, Response

from gateway.operators.operators import Operator
from gateway.web.console.page import console_answer, console_page


@console_page("/console")
async def overview_page(request: Request[Any, Any, Any], operator: Operator) -> Response[bytes]:
    """What there is at a glance."""
    return console_answer(request, operator, "console/overview.html")

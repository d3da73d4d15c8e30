"""The list of operators, including revoked ones."""

from typing import Any

from litestar import Request, Response

from gateway.api.operators.operators import list_operators
from gateway.http.services import Services
from gateway.operators.operators import Operator
from gateway.web.console.page import console_answer, console_page


@console_page("/console/operators")
async def operators_page(request: Request[Any, Any, Any], services: Services, operator: Operator) -> Response[bytes]:
    """The operators and their roles. Operators are added at the machine."""
    people = (await list_operators.fn(services, operator)).items
    return console_answer(request, operator, "console/operators.html", people=people)

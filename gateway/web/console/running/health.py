"""Health: queues and their age, the checks that a server can run, and the sizes of the tables."""

from typing import Any

from litestar import Request, Response

from gateway.api.operators.running.health import get_gateway_health
from gateway.http.services import Services
from gateway.operators.operators import Operator
from gateway.web.console.page import console_answer, console_page
from gateway.web.console.running.states import check_message, check_name, check_state
from gateway.web.owned import reader_for

#: How many tables are shown.
_TABLES = 12


@console_page("/console/health")
async def health_page(request: Request[Any, Any, Any], services: Services, operator: Operator) -> Response[bytes]:
    """The gateway's health, as in the API."""
    reader, health = reader_for(request), await get_gateway_health.fn(services, operator)
    return console_answer(
        request,
        operator,
        "console/health.html",
        health=health,
        tables=health.tables[:_TABLES],
        size=size,
        check_name=lambda name: check_name(name, reader),
        check_message=lambda one: check_message(one, reader),
        check_state=lambda state: check_state(state, reader),
    )


def size(count: int) -> str:
    """A size in bytes, with a readable unit."""
    for unit, bytes_of_it in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= bytes_of_it:
            return f"{count / bytes_of_it:,.1f} {unit}"
    return f"{count} B"

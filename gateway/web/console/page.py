"""A page of the console: only for signed-in operators and, if it is for a task, for the roles that may do it.

It is requested like a call of the API, with the cookie of an operator's session; a wallet's session is not accepted.
Every operator may read; a role without the right to a task gets neither the button nor the call
(gateway/operators/roles.py).
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler

from gateway.clock import rfc3339
from gateway.errors import GatewayError, NotFound, Unauthenticated
from gateway.http.answer.problems import fail
from gateway.http.rate_limiting import refuse
from gateway.operators.operators import Operator
from gateway.operators.roles import Task
from gateway.web.console.words import helpers
from gateway.web.owned import answer, reader_for, sign_in_first
from gateway.web.problems import why_of

#: The sign-in page of operators.
SIGN_IN = "/console/sign-in"


def console_page(path: str, task: Task | None = None, **how: Any) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """Declares a page of the console, below /console. Its handler takes the signed-in `operator`. With `task` it is
    only for the roles that may do it.
    """
    assert path == "/console" or path.startswith("/console/"), path
    handlers: dict[int | type[Exception], Callable[[Request[Any, Any, Any], Any], Response[Any]]] = {
        Unauthenticated: _sign_in_first,
        GatewayError: _refused,
        Exception: _failed,
    }
    return get(path, include_in_schema=False, needs="operator", task=task, exception_handlers=handlers, **how)


def console_answer(
    request: Request[Any, Any, Any], operator: Operator, template: str, status: int = 200, **values: Any
) -> Response[bytes]:
    """The page of this template for this operator. In addition to the values of every page of a signed-in user, the
    template has the `operator`, with `operator.rights`.
    """
    reader = reader_for(request)
    assert operator.until is not None, "a page is asked for with a session"
    return answer(
        request,
        template,
        status,
        operator=operator,
        until=rfc3339(operator.until),
        **helpers(reader),
        **values,
    )


def address(path: str, **query: str) -> str:
    """A page of the console with this query."""
    return f"{path}?{urlencode(query)}" if query else path


def _sign_in_first(request: Request[Any, Any, Any], error: Unauthenticated) -> Response[Any]:
    return sign_in_first(request, error, SIGN_IN, "/console")


def _refused(request: Request[Any, Any, Any], error: GatewayError) -> Response[Any]:
    """The page for a refused request."""
    status, reader = refuse(request, error).status_code or 500, reader_for(request)
    if isinstance(error, NotFound):
        title, why = (
            reader.say("There is no such page"),
            reader.say("Nothing is at this address. Check how it is written."),
        )
        return answer(request, "console/refused.html", 404, title=title, why=why)
    return answer(
        request, "console/refused.html", status, title=reader.say("That did not work"), why=why_of(error, reader)
    )


def _failed(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The page after an internal error, which is logged."""
    fail(request, error)
    reader = reader_for(request)
    why = reader.say("Something went wrong on our side. Open the page again.")
    return answer(request, "console/refused.html", 500, title=reader.say("That did not work"), why=why)

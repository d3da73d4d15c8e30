"""Count a request, and refuse it if there were too many (identity/rate_limits.py)."""

from typing import Any, Final

from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from gateway.errors import GatewayError, Unauthenticated
from gateway.http.answer import problems
from gateway.http.callers import CALLER
from gateway.http.services import Services
from gateway.identity.errors import TooManyTries, UnknownHandle
from gateway.identity.rate_limits import place_of
from gateway.payments.errors import LineRefused, UnknownPayee

#: Kinds that are counted before they are done; the other kinds are noted.
_DEAR: Final = ("sign-ups", "sign-ins")

#: The answers to a caller who guesses keys or names.
_GUESSES: Final = (Unauthenticated, UnknownHandle, UnknownPayee)


async def limit(request: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Count the request as its route declares, by the client's address. Raises TooManyTries."""
    kind = handler.opt.get("counts")
    if kind is not None:
        services: Services = request.app.state.services
        place, now = place_of(services.address_of(request.scope)), services.clock()
        if kind in _DEAR:
            await services.limits.count(services.database, kind, place, now)
        else:
            services.limits.check(kind, place, now)
            services.limits.note(services.database, kind, place, now)


def refuse(request: Request[Any, Any, Any], error: GatewayError) -> Response[Any]:
    """Return the answer to one of the gateway's errors. A caller that has guessed too often only learns that."""
    cause = error.cause if isinstance(error, LineRefused) else error
    if isinstance(cause, _GUESSES):
        services: Services = request.app.state.services
        who, now = request.scope["state"].get(CALLER) or place_of(services.address_of(request.scope)), services.clock()
        try:
            services.limits.check("guesses", who, now)
        except TooManyTries as too_many:
            return problems.refuse(request, too_many)
        services.limits.note(services.database, "guesses", who, now)
    return problems.refuse(request, error)

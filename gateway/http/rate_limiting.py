"""What a request counts as, and its refusal where there were too many (identity/rate_limits.py)."""

from typing import Any, Final

from litestar import Request, Response
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from gateway.errors import GatewayError, LineRefused, TooManyTries, Unauthenticated, UnknownHandle, UnknownPayee
from gateway.http import problems
from gateway.http.services import CALLER, House
from gateway.identity.rate_limits import place_of

#: What is counted before it is done; what else a route says is noted.
_DEAR: Final = ("sign-ups", "sign-ins")

#: What whoever searches for keys or names is answered with.
_GUESSES: Final = (Unauthenticated, UnknownHandle, UnknownPayee)


async def limit(request: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
    """Count the request as what its route says, by the address that it comes from. Raises TooManyTries."""
    kind = handler.opt.get("counts")
    if kind is not None:
        house: House = request.app.state.house
        place, now = place_of(house.address_of(request.scope)), house.clock()
        if kind in _DEAR:
            await house.limits.count(house.database, kind, place, now)
        else:
            house.limits.check(kind, place, now)
            house.limits.note(house.database, kind, place, now)


def refuse(request: Request[Any, Any, Any], error: GatewayError) -> Response[Any]:
    """The answer to an error of ours; whoever has guessed too often is told nothing more than that."""
    cause = error.cause if isinstance(error, LineRefused) else error
    if isinstance(cause, _GUESSES):
        house: House = request.app.state.house
        who, now = request.scope["state"].get(CALLER) or place_of(house.address_of(request.scope)), house.clock()
        try:
            house.limits.check("guesses", who, now)
        except TooManyTries as too_many:
            return problems.refuse(request, too_many)
        house.limits.note(house.database, "guesses", who, now)
    return problems.refuse(request, error)

"""Handles: one search for everything, and a page of each wallet."""

from typing import Annotated, Any, Final

from litestar import Request, Response
from litestar.params import PathParameter
from litestar.response import Redirect

from gateway.api.operators.search import LONGEST, search
from gateway.api.operators.views import FoundKind, FoundView
from gateway.api.operators.wallets import get_wallet_as_operator
from gateway.http.services import Services
from gateway.operators.operators import Operator
from gateway.web.console.page import console_answer, console_page
from gateway.web.shown import is_some

#: The address of the page of each kind of search result.
_PAGES: Final[dict[FoundKind, str]] = {
    "wallet": "/console/handles/",
    "payment": "/console/payments/",
    "proposal": "/console/proposals/",
}


@console_page("/console/handles")
async def handles_page(request: Request[Any, Any, Any], services: Services, operator: Operator) -> Response[Any]:
    """The search (`?q=`): leads to the wallet if it is one, otherwise lists the results."""
    asked = request.query_params.get("q", "").strip()[:LONGEST]
    found = await search.fn(services, operator, asked) if asked else None
    items = found.items if found else []
    if len(items) == 1 and items[0].kind == "wallet":
        return Redirect(page_of(items[0]), status_code=303)
    return console_answer(
        request,
        operator,
        "console/handles.html",
        asked=asked,
        searched_for=found.searched_for if found else "",
        items=[(one, page_of(one)) for one in items],
    )


@console_page("/console/handles/{handle:str}")
async def handle_page(
    handle: Annotated[str, PathParameter()], request: Request[Any, Any, Any], services: Services, operator: Operator
) -> Response[bytes]:
    """A wallet: balances, restrictions, credentials, and recent payments and audit events."""
    seen = await get_wallet_as_operator.fn(handle, services, operator)
    return console_answer(
        request,
        operator,
        "console/handle.html",
        seen=seen,
        name=f"@{seen.wallet.handle}",
        balances=[one for one in seen.wallet.balances if is_some(f"{one.posted}{one.pending}")],
    )


def page_of(one: FoundView) -> str:
    """The address of a result's page; empty if it has none."""
    return f"{_PAGES[one.kind]}{one.id}" if one.kind in _PAGES else ""

"""Requests for money, by the owner and by others.

    /request        the form: payer, amount and memo; its button makes the request
    /requests       open requests, and the others
    /requests/{id}  one of them: to pay, decline or cancel it

The form has the request's idempotency key: if it is sent again after a lost answer, it is the same request. A request
is paid at /pay/check, filled in by it (wallet/pay.py).
"""

import secrets
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from litestar import Request, Response
from litestar.params import PathParameter

from gateway.api.requests.requests import get_request, list_requests
from gateway.api.requests.shapes import RequestsPage, RequestView
from gateway.http.services import Services
from gateway.identity.wallet import Wallet
from gateway.web.owned import answer, own_page
from gateway.web.wallet.people import known_to

#: How many requests are on a page.
_PAGE: Final = 30
#: How many open requests are shown above them.
_WAITING: Final = 10


@own_page("/request")
async def new_request_page(request: Request[Any, Any, Any], services: Services, caller: Wallet) -> Response[bytes]:
    """The form of a request: payer and amount. `from`, `amount`, `asset`, `memo` and `key` are filled in."""
    filled = {name: request.query_params.get(name, "").strip() for name in ("from", "amount", "asset", "memo", "key")}
    assets = services.settings.assets.spendable()
    return answer(
        request,
        "wallet/new-request.html",
        me=caller.handle,
        filled=filled | {"key": filled["key"] or secrets.token_urlsafe(16)},
        people=await known_to(services, caller),
        assets=assets,
        asset=filled["asset"] if filled["asset"] in [one.code for one in assets] else assets[0].code,
    )


@own_page("/requests", follows=True)
async def requests_page(request: Request[Any, Any, Any], services: Services, caller: Wallet) -> Response[bytes]:
    """Open requests, and the others, newest first. `?waiting=all` lists only open ones."""
    cursor, alone = request.query_params.get("cursor"), request.query_params.get("waiting") == "all"
    asked_of_me: dict[str, Any] = {"direction": "in", "in_state": "open"}
    found = await list_requests.fn(services, caller, limit=_PAGE, cursor=cursor, **(asked_of_me if alone else {}))
    waiting = RequestsPage([], None)
    if cursor is None and not alone:
        waiting = await list_requests.fn(services, caller, limit=_WAITING, **asked_of_me)
    shown = {one.id for one in waiting.items}
    path = "/requests?waiting=all" if alone else "/requests"
    return answer(
        request,
        "wallet/requests.html",
        me=caller.handle,
        here=_with(path, cursor),
        alone=alone,
        waiting=waiting.items,
        waiting_more=waiting.next_cursor is not None,
        items=[one for one in found.items if one.id not in shown],
        more=_with(path, found.next_cursor) if found.next_cursor else "",
    )


def _with(path: str, cursor: str | None) -> str:
    """The page's address, from a cursor on."""
    return f"{path}{'&' if '?' in path else '?'}{urlencode({'cursor': cursor})}" if cursor else path


@own_page("/requests/{id:str}", follows=True)
async def request_page(
    id: Annotated[str, PathParameter()], request: Request[Any, Any, Any], services: Services, caller: Wallet
) -> Response[bytes]:
    """A request: its details, its state, and the possible actions."""
    return request_shown(request, caller, await get_request.fn(id, services, caller))


def request_shown(
    request: Request[Any, Any, Any], caller: Wallet, asked: RequestView, problem: str = "", is_frozen: bool = False
) -> Response[bytes]:
    """The page of a request. `problem`: why it cannot be paid now; `is_frozen`: because the caller's wallet is
    frozen.
    """
    values: dict[str, Any] = {"me": caller.handle, "asked": asked, "problem": problem, "is_frozen": is_frozen}
    return answer(request, "wallet/request.html", 422 if problem else 200, **values)

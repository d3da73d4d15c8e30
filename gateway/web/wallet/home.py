"""The home page: balances and the latest payments; the front page for visitors who have not signed in."""

from typing import Any, Final

from litestar import Request, Response

from gateway.api.identity.passkeys import list_passkeys
from gateway.api.notifications.notifications import list_notifications
from gateway.api.payments.payments import list_payments, list_waiting_payments
from gateway.api.requests.requests import list_requests
from gateway.api.wallets.shapes import BalanceView
from gateway.api.wallets.wallets import get_wallet
from gateway.errors import Unauthenticated
from gateway.http.services import Services
from gateway.identity.wallet import Wallet
from gateway.web.content import kept
from gateway.web.owned import answer, own_page, reader_for, sign_in_first
from gateway.web.shown import is_some
from gateway.web.wallet.total import total_of

#: How many payments are shown.
_LATEST: Final = 8

#: How many requests by others are shown.
_ASKED: Final = 3

#: The cookie with the currency of the total.
_CURRENCY: Final = "currency"


def front_or_sign_in(request: Request[Any, Any, Any], error: Unauthenticated) -> Response[Any]:
    """The front page, for visitors who have not signed in. If a signed-in page reloads itself after its session has
    ended, it leads to sign-in.
    """
    led = sign_in_first(request, error)
    is_page = led.status_code != 200 and "hx-request" not in request.headers
    return answer(request, "front.html") if is_page else led


@own_page("/", follows=True, exception_handlers={Unauthenticated: front_or_sign_in})
async def home_page(request: Request[Any, Any, Any], services: Services, caller: Wallet) -> Response[bytes]:
    """The owner's wallet. `?currency=` sets the currency of the total."""
    reader = reader_for(request)
    wallet = await get_wallet.fn(services, caller)
    chosen = request.query_params.get(_CURRENCY)
    wanted = chosen or request.cookies.get(_CURRENCY)
    with_money = [one for one in wallet.balances if _has_money(one)]
    empty = [one for one in wallet.balances if not _has_money(one)]
    passkeys = await list_passkeys.fn(services, caller)
    total = await total_of(services, caller, wallet.balances, wanted, reader)
    page = answer(
        request,
        "wallet/home.html",
        me=caller.handle,
        wallet=wallet,
        total=total,
        codes=passkeys.recovery_codes_left,
        has_kept_codes=passkeys.recovery_codes_confirmed_at is not None,
        needs_codes=bool(passkeys.items),
        balances=[_Row(one) for one in with_money or empty],
        empty=[_Row(one) for one in empty] if with_money else [],
        has_money=bool(with_money),
        waiting=[one for one in (await list_waiting_payments.fn(services, caller)).items if one.approval],
        asked=(await list_requests.fn(services, caller, limit=_ASKED, direction="in", in_state="open")).items,
        unseen=_few((await list_notifications.fn(services, caller, limit=1)).unseen),
        latest=(await list_payments.fn(services, caller, limit=_LATEST)).items,
    )
    if chosen is not None and chosen == total.code:
        page.set_cookie(kept(_CURRENCY, chosen, services.public_url))
    return page


def _few(count: int) -> str:
    """A number of new items, with at most two digits; empty for zero."""
    return "99+" if count > 99 else str(count or "")


def _has_money(one: BalanceView) -> bool:
    return is_some(f"{one.posted}{one.pending}{one.available}")


class _Row:
    """A balance in the list."""

    def __init__(self, of: BalanceView) -> None:
        self.asset, self.kind, self.available, self.pending = of.asset, of.kind, str(of.available), str(of.pending)
        self.is_set_aside = is_some(self.pending)

"""Close the wallet."""

from typing import Any

from litestar import Request, Response

from gateway.api.wallets.wallets import get_wallet
from gateway.http.services import Services
from gateway.identity.wallet import Wallet
from gateway.web.owned import answer, own_page
from gateway.web.shown import is_some


@own_page("/settings/close", follows=True)
async def close_page(request: Request[Any, Any, Any], services: Services, caller: Wallet) -> Response[bytes]:
    """The consequences and the form; or the money that has to be moved first."""
    balances = (await get_wallet.fn(services, caller)).balances
    left = [one for one in balances if is_some(f"{one.posted}{one.pending}")]
    return answer(request, "wallet/close.html", me=caller.handle, left=left)

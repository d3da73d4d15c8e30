"""Unfreeze the wallet with the owner's passkey."""

from typing import Any

from litestar import Request, Response

from gateway.api.wallets.wallets import get_wallet
from gateway.http.services import Services
from gateway.identity.wallet import Wallet
from gateway.ids import show
from gateway.web.owned import answer, own_page


@own_page("/settings/unfreeze", follows=True)
async def unfreeze_page(request: Request[Any, Any, Any], services: Services, caller: Wallet) -> Response[bytes]:
    """When and by whom the wallet can be unfrozen; its script has the passkey sign, and the API refuses it if it is too
    early.
    """
    wallet = await get_wallet.fn(services, caller)
    return answer(request, "wallet/unfreeze.html", me=caller.handle, wallet_id=show("wal", caller.id), wallet=wallet)

"""Unfreezing the wallet, by the passkey of its owner."""

from typing import Any

from litestar import Request, Response

from gateway.api.wallets.wallets import get_wallet
from gateway.http.services import Services
from gateway.identity.wallet import Wallet
from gateway.ids import show
from gateway.web.owned import answer, own_page


@own_page("/settings/unfreeze", follows=True)
async def unfreeze_page(request: Request[Any, Any, Any], services: Services, caller: Wallet) -> Response[bytes]:
    """When it can be unfrozen, and by whom; its script has the passkey sign, and the API refuses what is too early."""
    wallet = await get_wallet.fn(services, caller)
    return answer(request, "wallet/unfreeze.html", me=caller.handle, wallet_id=show("wal", caller.id), wallet=wallet)

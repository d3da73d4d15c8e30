"""The key of one's address: who keeps it, its export, and an address of one's own."""

from typing import Any

from litestar import Request, Response

from gateway.api.wallets.wallets import get_wallet
from gateway.custody import export
from gateway.http.services import Services
from gateway.identity.wallet import Wallet
from gateway.web.owned import answer, own_page


@own_page("/settings/own-key")
async def own_key_page(request: Request[Any, Any, Any], services: Services, caller: Wallet) -> Response[bytes]:
    """Where one is paid, and what can be done about it. The key that is exported is of the wallet's first address."""
    async with services.database.reading() as connection:
        kept = await export.kept_address(connection, caller.id)
    wallet = await get_wallet.fn(services, caller)
    return answer(request, "wallet/own-key.html", me=caller.handle, wallet=wallet, kept=kept)

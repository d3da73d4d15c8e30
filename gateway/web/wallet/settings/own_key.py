"""The key of the wallet's address: who keeps it, its export, and binding another address."""

from typing import Any

from litestar import Request, Response

from gateway.api.wallets.wallets import get_wallet
from gateway.custody import export
from gateway.http.services import Services
from gateway.identity.wallet import Wallet
from gateway.web.owned import answer, own_page


@own_page("/settings/own-key")
async def own_key_page(request: Request[Any, Any, Any], services: Services, caller: Wallet) -> Response[bytes]:
    """The wallet's address, and the possible changes. The exported key is that of the wallet's first address."""
    async with services.database.reading() as connection:
        kept = await export.kept_address(connection, caller.id)
    wallet = await get_wallet.fn(services, caller)
    return answer(request, "wallet/own-key.html", me=caller.handle, wallet=wallet, kept=kept)

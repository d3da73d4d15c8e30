"""Who may come in, and what pays without asking: its script asks the API for the lists."""

from typing import Any

from litestar import Request, Response

from gateway.identity.wallet import Wallet
from gateway.web.owned import answer, own_page


@own_page("/settings")
async def settings_page(request: Request[Any, Any, Any], caller: Wallet) -> Response[bytes]:
    """Passkeys, sessions, recovery codes, API keys and mandates."""
    return answer(request, "wallet/settings.html", me=caller.handle)

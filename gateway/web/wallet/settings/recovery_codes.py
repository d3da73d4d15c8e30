"""Recovery codes: how many there are, whether they are kept, and new ones."""

from typing import Any

from litestar import Request, Response

from gateway.api.identity.passkeys import list_passkeys
from gateway.http.services import Services
from gateway.identity.wallet import Wallet
from gateway.web.owned import answer, own_page


@own_page("/settings/recovery-codes")
async def recovery_codes_page(request: Request[Any, Any, Any], services: Services, caller: Wallet) -> Response[bytes]:
    """How many codes are left; its script makes new ones, and confirms that they are kept."""
    there = await list_passkeys.fn(services, caller)
    left, confirmed_at = there.recovery_codes_left, there.recovery_codes_confirmed_at
    return answer(request, "wallet/recovery-codes.html", me=caller.handle, left=left, confirmed_at=confirmed_at)

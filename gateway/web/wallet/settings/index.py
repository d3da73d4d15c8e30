"""Links to every page of settings, each with its current state."""

from typing import Any

from litestar import Request, Response

from gateway.api.identity.passkeys import list_passkeys
from gateway.api.identity.shapes import PasskeysPage
from gateway.http.services import Services
from gateway.identity.wallet import Wallet
from gateway.web.owned import answer, own_page, reader_for
from gateway.web.reader import Reader


@own_page("/settings", follows=True)
async def settings_page(request: Request[Any, Any, Any], services: Services, caller: Wallet) -> Response[bytes]:
    """A row for each page."""
    there = await list_passkeys.fn(services, caller)
    codes = _codes_text(there, reader_for(request))
    return answer(request, "wallet/settings.html", me=caller.handle, codes_text=codes)


def _codes_text(there: PasskeysPage, reader: Reader) -> str:
    if there.recovery_codes_left == 0:
        return reader.say("None: without your passkeys you could not come in")
    if there.recovery_codes_confirmed_at is None:
        return reader.say("Not checked yet: type one of them")
    if there.recovery_codes_left == 1:
        return reader.say("1 recovery code is left.")
    return reader.say("{count} recovery codes are left.", count=there.recovery_codes_left)

"""Passkeys and sessions."""

from typing import Any

from litestar import Request, Response

from gateway.api.identity.passkeys import list_passkeys
from gateway.api.identity.sessions import list_sessions
from gateway.http.services import Services
from gateway.identity.credential import Credential
from gateway.web.owned import answer, own_page, reader_for


@own_page("/settings/devices", follows=True)
async def devices_page(request: Request[Any, Any, Any], services: Services, credential: Credential) -> Response[bytes]:
    """Passkeys and sessions, each with a button that ends it."""
    caller, reader = credential.wallet, reader_for(request)
    there = await list_passkeys.fn(services, caller)
    sessions = (await list_sessions.fn(services, credential)).items
    left = there.recovery_codes_left
    return answer(
        request,
        "wallet/devices.html",
        me=caller.handle,
        passkeys=there.items,
        sessions=sessions,
        recovers=any(one.current and one.sign_in_method == "recovery_code" for one in sessions),
        left=left,
        codes=reader.say("1 recovery code") if left == 1 else reader.say("{count} recovery codes", count=left),
    )

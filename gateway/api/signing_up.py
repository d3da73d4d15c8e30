"""Sign up: a handle, its first passkey and a session, in one step."""

from typing import Any
from uuid import UUID

from litestar import Request, Response, post

from gateway.api.cookie import refuse_other_origins
from gateway.api.house import House
from gateway.api.sessions import start_session
from gateway.api.shapes import HandleRequest
from gateway.api.signing_in import (
    NewPasskeyChallengeView,
    SignedUpView,
    SignUpRequest,
    new_passkey_challenge_view,
    registration_of,
)
from gateway.errors import InvalidPasskey
from gateway.identity.sign_in import sign_up
from gateway.identity.sign_in.ceremony import from_base64, party_of
from gateway.ids import WalletId, show


@post(
    "/v1/sign-ups/challenge",
    tags=["signing in"],
    summary="What to make a first passkey over",
    needs="nothing",
    counts="sign-ins",
)
async def challenge_sign_up(data: HandleRequest, house: House) -> NewPasskeyChallengeView:
    """For navigator.credentials.create(), on a page of this gateway's, for a handle that nobody has. Good once, for
    five minutes. Nothing is reserved: the handle is claimed when the passkey comes.
    """
    async with house.database.transaction() as connection:
        asked, id, handle = await sign_up.ask(connection, party_of(house.public_url), data.handle, house.clock())
    return new_passkey_challenge_view(asked, id, handle, [])


@post("/v1/sign-ups", tags=["signing in"], summary="Sign up with a passkey", needs="nothing", counts="sign-ups")
async def finish_sign_up(data: SignUpRequest, house: House, request: Request[Any, Any, Any]) -> Response[SignedUpView]:
    """The handle is claimed, with the passkey that guards it, and the answer's cookie is a session of its owner: all of
    it, or nothing. The session is as one that was begun with the passkey.
    """
    refuse_other_origins(request, party_of(house.public_url))
    made, id, now = registration_of(data), _wallet_id(data.user_id), house.clock()
    async with house.database.transaction() as connection:
        of, key, api_key = await sign_up.finish(connection, house.vault, data.handle, id, data.name, made, now)
        view, cookie = await start_session(connection, house, request, of, "passkey", key.id, now)
    return Response(SignedUpView(of.handle, show("wal", of.id), of.address, api_key, view), cookies=[cookie])


def _wallet_id(text: str) -> WalletId:
    """Raises InvalidPasskey where the text is no id of a challenge."""
    try:
        return WalletId(UUID(bytes=from_base64(text)))
    except ValueError:
        raise InvalidPasskey("challenge", "its user_id is of no challenge; send the one of the challenge") from None

"""Sign up: a handle, its first passkey and a session, in one step."""

from typing import Any
from uuid import UUID

from litestar import Request, Response, post

from gateway.api.identity.sessions import start_session
from gateway.api.identity.shapes import HandleRequest, NewPasskeyChallengeView, SignedUpView, SignUpRequest
from gateway.api.identity.sign_in import new_passkey_challenge_view, registration_of
from gateway.http.cookie import refuse_other_origins
from gateway.http.services import Services
from gateway.identity.errors import InvalidPasskey
from gateway.identity.sign_in import sign_up as signing
from gateway.identity.sign_in.passkey_verification import from_base64, party_of
from gateway.ids import WalletId, show


@post(
    "/v1/sign-ups/challenge",
    tags=["Sign-in"],
    summary="Start a sign-up",
    needs="nothing",
    counts="sign-ins",
    problems=("invalid_handle", "handle_taken"),
)
async def challenge_sign_up(data: HandleRequest, services: Services) -> NewPasskeyChallengeView:
    """Returns the options for `navigator.credentials.create()`, on a page of this gateway, for a free handle. The
    challenge is valid once, for five minutes. Nothing is reserved: the handle is claimed when the passkey arrives.
    """
    async with services.database.transaction() as connection:
        challenge, id, handle = await signing.create_challenge(
            connection, party_of(services.public_url), data.handle, services.clock()
        )
    return new_passkey_challenge_view(challenge, id, handle, [])


@post(
    "/v1/sign-ups",
    tags=["Sign-in"],
    summary="Sign up with a passkey",
    needs="nothing",
    counts="sign-ups",
    own_page=True,
    problems=("forbidden", "invalid_handle", "handle_taken", "invalid_passkey", "in_recovery"),
)
async def sign_up(data: SignUpRequest, services: Services, request: Request[Any, Any, Any]) -> Response[SignedUpView]:
    """Claims the handle together with its first passkey, and starts a session of its owner in the answer's cookie, all
    in one step. The session has the same rights as one that was started with the passkey.
    """
    refuse_other_origins(request, party_of(services.public_url))
    made, id, now = registration_of(data), _wallet_id(data.user_id), services.clock()
    async with services.database.transaction() as connection:
        of, key, api_key = await signing.finish(connection, services.vault, data.handle, id, data.name, made, now)
        view, cookie = await start_session(connection, services, request, of, "passkey", key.id, now)
    return Response(SignedUpView(of.handle, show("wal", of.id), of.address, api_key, view), cookies=[cookie])


def _wallet_id(text: str) -> WalletId:
    """The wallet id in a challenge's `user_id`. Raises InvalidPasskey if it is malformed."""
    try:
        return WalletId(UUID(bytes=from_base64(text)))
    except ValueError:
        raise InvalidPasskey("challenge", "its user_id is of no challenge; send the one of the challenge") from None

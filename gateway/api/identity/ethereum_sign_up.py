"""Sign up with an Ethereum wallet: a handle, its owner's address and a session, in one step."""

from typing import Any

from litestar import Request, Response, post
from litestar.datastructures import Cookie

from gateway.api.fields import signature_bytes
from gateway.api.identity.sessions import start_session
from gateway.api.identity.shapes import (
    ChallengeView,
    EthereumSessionRequest,
    EthereumSignUpRequest,
    SessionView,
    SignedUpView,
)
from gateway.api.identity.views import challenge_view
from gateway.custody import claim
from gateway.http.cookie import refuse_other_origins
from gateway.http.services import Services
from gateway.identity.sign_in.passkey_verification import party_of
from gateway.identity.wallet import Wallet
from gateway.ids import show
from gateway.postgres.pool import Connection


@post(
    "/v1/sign-ups/ethereum/challenge",
    tags=["Sign-in"],
    summary="Start a sign-up with an Ethereum wallet",
    needs="nothing",
    counts="sign-ins",
    problems=("invalid_handle", "handle_taken", "invalid_address", "address_taken"),
)
async def challenge_ethereum_sign_up(data: EthereumSignUpRequest, services: Services) -> ChallengeView:
    """Returns the text (EIP-4361) that the address signs to claim a free handle. It is valid once, for five minutes.
    Nothing is reserved: the handle is claimed when the signature arrives.
    """
    origin = party_of(services.public_url).origin
    async with services.database.transaction() as connection:
        return challenge_view(
            await claim.create_challenge(
                connection, services.settings, data.handle, data.address, origin, services.clock()
            )
        )


@post(
    "/v1/sign-ups/ethereum",
    tags=["Sign-in"],
    summary="Sign up with an Ethereum wallet",
    needs="nothing",
    counts="sign-ups",
    own_page=True,
    problems=(
        *("forbidden", "invalid_challenge", "invalid_signature", "handle_taken", "address_taken"),
        "in_recovery",
    ),
)
async def sign_up_with_ethereum(
    data: EthereumSessionRequest, services: Services, request: Request[Any, Any, Any]
) -> Response[SignedUpView]:
    """Takes the text of the challenge, signed by the address: by its key, or by the contract at it (ERC-1271). Claims
    the handle, binds it to the address, and starts a session of its owner in the answer's cookie, all in one step.
    Until the wallet has a passkey, its API key acts as its owner.
    """
    refuse_other_origins(request, party_of(services.public_url))
    signed, now = signature_bytes(data.signature), services.clock()

    async def begin(connection: Connection, of: Wallet) -> tuple[SessionView, Cookie]:
        return await start_session(connection, services, request, of, "ethereum", None, now)

    of, api_key, (view, cookie) = await claim.claim(
        *(services.database, services.node, services.settings, services.vault, data.message, signed), begin, now
    )
    return Response(SignedUpView(of.handle, show("wal", of.id), of.address, api_key, view), cookies=[cookie])

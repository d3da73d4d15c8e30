"""Sign in (in one of three ways), list sessions, end sessions."""

from datetime import datetime
from typing import Annotated, Any

from litestar import Request, Response, delete, get, post
from litestar.datastructures import Cookie
from litestar.params import PathParameter

from gateway.api.fields import signature_bytes
from gateway.api.identity.shapes import (
    AssertionChallengeView,
    AssertionRequest,
    ChallengeView,
    EthereumChallengeRequest,
    EthereumSessionRequest,
    LinkSessionRequest,
    RecoverySessionRequest,
    SessionsPage,
    SessionView,
)
from gateway.api.identity.sign_in import assertion_challenge_view, assertion_of, session_view
from gateway.api.identity.views import challenge_view
from gateway.custody.bind import chain_id_of
from gateway.http.cookie import holding, refuse_other_origins, set_with_answer, token_of
from gateway.http.request.parameters import id_of
from gateway.http.services import Services
from gateway.identity import wallet as wallets
from gateway.identity.credential import Credential
from gateway.identity.sign_in import ethereum, link, passkey, recovery_codes, session
from gateway.identity.sign_in.passkey_verification import party_of
from gateway.identity.sign_in.session import SignInMethod
from gateway.identity.wallet import Wallet
from gateway.ids import PasskeyId
from gateway.postgres.pool import Connection


@post(
    "/v1/sessions/passkey/challenge",
    tags=["Sign-in"],
    summary="Start signing in with a passkey",
    needs="nothing",
    counts="sign-ins",
)
async def challenge_passkey_session(services: Services) -> AssertionChallengeView:
    """Returns a challenge for any passkey of this gateway: the signature identifies the wallet. Pass it to
    `navigator.credentials.get()`. It is valid once, for five minutes.
    """
    async with services.database.transaction() as connection:
        challenge = await passkey.create_challenge(
            connection, party_of(services.public_url), None, passkey.SIGN_IN, (), services.clock()
        )
    return assertion_challenge_view(challenge, [])


@post(
    "/v1/sessions/passkey",
    tags=["Sign-in"],
    summary="Sign in with a passkey",
    needs="nothing",
    counts="sign-ins",
    own_page=True,
    problems=("forbidden", "invalid_passkey"),
)
async def start_passkey_session(
    data: AssertionRequest, services: Services, request: Request[Any, Any, Any]
) -> Response[SessionView]:
    """Starts a session, in the answer's cookie. For five minutes it acts as the owner; after that it only reads."""
    refuse_other_origins(request, party_of(services.public_url))
    assertion, now = assertion_of(data), services.clock()
    async with services.database.transaction() as connection:
        used = await passkey.verify(connection, None, passkey.SIGN_IN, (), assertion, now)
        of = await wallets.by_id(connection, used.wallet)
        view, cookie = await start_session(connection, services, request, of, "passkey", used.id, now)
    return Response(view, cookies=[cookie])


@post(
    "/v1/sessions/ethereum/challenge",
    tags=["Sign-in"],
    summary="Start signing in with an Ethereum wallet",
    needs="nothing",
    counts="sign-ins",
    problems=("invalid_handle", "unknown_handle", "invalid_challenge"),
)
async def challenge_ethereum_session(data: EthereumChallengeRequest, services: Services) -> ChallengeView:
    """Returns the text (EIP-4361) to sign with the address that the handle is bound to. It is valid once, for five
    minutes.
    """
    async with services.database.reading() as connection:
        of = await wallets.open_by_handle(connection, data.handle)
    await services.limits.count(services.database, "sign-ins", f"@{of.handle}", services.clock())
    async with services.database.transaction() as connection:
        origin = party_of(services.public_url).origin
        return challenge_view(
            await ethereum.create_challenge(connection, of, origin, chain_id_of(services.settings), services.clock())
        )


@post(
    "/v1/sessions/ethereum",
    tags=["Sign-in"],
    summary="Sign in with an Ethereum wallet",
    needs="nothing",
    counts="sign-ins",
    own_page=True,
    problems=("forbidden", "invalid_challenge", "invalid_signature"),
)
async def start_ethereum_session(
    data: EthereumSessionRequest, services: Services, request: Request[Any, Any, Any]
) -> Response[SessionView]:
    """Takes the text of the challenge, signed by the address that the wallet is bound to: by its owner's key, or by the
    contract at it (ERC-1271). Once a wallet has a passkey, only a passkey makes its session the owner's.
    """
    refuse_other_origins(request, party_of(services.public_url))
    now = services.clock()
    signed = await ethereum.find(services.database, services.node, data.message, signature_bytes(data.signature), now)
    async with services.database.transaction() as connection:
        await ethereum.use(connection, signed, now)
        view, cookie = await start_session(connection, services, request, signed.wallet, "ethereum", None, now)
    return Response(view, cookies=[cookie])


@post(
    "/v1/sessions/recovery-code",
    tags=["Sign-in"],
    summary="Sign in with a recovery code",
    needs="nothing",
    counts="sign-ins",
    own_page=True,
    problems=("forbidden", "invalid_handle", "unknown_handle", "invalid_recovery_code"),
)
async def start_recovery_session(
    data: RecoverySessionRequest, services: Services, request: Request[Any, Any, Any]
) -> Response[SessionView]:
    """Starts a session with a recovery code, for an owner who has lost every passkey. It can read, and for five minutes
    it can add one passkey. At most ten attempts are accepted in fifteen minutes.
    """
    refuse_other_origins(request, party_of(services.public_url))
    now = services.clock()
    async with services.database.reading() as connection:
        of = await wallets.open_by_handle(connection, data.handle)
    await services.limits.count(services.database, "sign-ins", f"@{of.handle}", now)
    code = await recovery_codes.find(services.database, of.id, data.code, now)
    async with services.database.transaction() as connection:
        await recovery_codes.use(connection, code, now)
        view, cookie = await start_session(connection, services, request, of, "recovery_code", None, now)
    return Response(view, cookies=[cookie])


@post(
    "/v1/sessions/link",
    tags=["Sign-in"],
    summary="Sign in with a sandbox's link",
    needs="nothing",
    counts="sign-ins",
    own_page=True,
    problems=("forbidden", "invalid_link"),
)
async def start_link_session(
    data: LinkSessionRequest, services: Services, request: Request[Any, Any, Any]
) -> Response[SessionView]:
    """Starts a session with the code of the link that `gateway up` printed. It works once, for a wallet without a
    passkey.
    """
    refuse_other_origins(request, party_of(services.public_url))
    now = services.clock()
    async with services.database.transaction() as connection:
        of = await link.use(connection, data.code, now)
        view, cookie = await start_session(connection, services, request, of, "link", None, now)
    return Response(view, cookies=[cookie])


@get("/v1/sessions", tags=["Sign-in"], summary="List sessions", needs="read")
async def list_sessions(services: Services, credential: Credential) -> SessionsPage:
    """Lists the open sessions, newest first."""
    of, now = credential.wallet, services.clock()
    async with services.database.reading() as connection:
        there = await session.sessions(connection, of.id, now)
    return SessionsPage([session_view(one, of, one.id == credential.id, now) for one in there])


@delete(
    "/v1/sessions/{id:str}",
    tags=["Sign-in"],
    summary="Sign out",
    status_code=200,
    needs="read",
    problems=("not_found",),
)
async def end_session(
    id: Annotated[
        str, PathParameter(description="The session's id, or `current`.", schema_extra={"examples": ["current"]})
    ],
    services: Services,
    credential: Credential,
    request: Request[Any, Any, Any],
) -> Response[SessionView]:
    """Ends a session at once: one of the list, or `current`, the caller's own. An API key needs the `owner` scope for
    this.
    """
    if credential.kind != "session":
        credential.check("owner")
    which = credential.id if id == "current" else id_of(session.PREFIX, id, "such session")
    of, now = credential.wallet, services.clock()
    async with services.database.transaction() as connection:
        ended = await session.end(connection, of.id, which, credential.by, now)
    if which != credential.id:
        return Response(session_view(ended, of, False, now))
    set_with_answer(request.scope, None)
    return Response(session_view(ended, of, True, now), cookies=[holding("", party_of(services.public_url), now, now)])


async def start_session(
    connection: Connection,
    services: Services,
    request: Request[Any, Any, Any],
    of: Wallet,
    by: SignInMethod,
    signed_by: PasskeyId | None,
    now: datetime,
) -> tuple[SessionView, Cookie]:
    """Start a session, and set its cookie. The answer is sent once everything is committed."""
    party, device = party_of(services.public_url), request.headers.get("user-agent", "")
    before = token_of(request.scope["headers"], party)
    started, token = await session.start(connection, of.id, by, signed_by, device, before, now)
    return session_view(started, of, True, now), holding(token, party, started.expires_at, now)

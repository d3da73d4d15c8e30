"""Sign in, in three ways; see one's sessions; end them."""

from datetime import datetime
from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.datastructures import Cookie

from gateway.api.cookie import holding, refuse_other_origins, set_with_answer, token_of
from gateway.api.house import House
from gateway.api.shapes import ChallengeView, signature_bytes
from gateway.api.signing_in import (
    AssertionChallengeView,
    AssertionRequest,
    EthereumChallengeRequest,
    EthereumSessionRequest,
    RecoverySessionRequest,
    SessionsPage,
    SessionView,
    assertion_challenge_view,
    assertion_of,
    id_of,
    session_view,
)
from gateway.api.views import challenge_view
from gateway.identity import wallet as wallets
from gateway.identity.credential import Credential
from gateway.identity.sign_in import ethereum, passkey, recovery_codes, session
from gateway.identity.sign_in.ceremony import party_of
from gateway.identity.sign_in.session import BegunBy
from gateway.identity.wallet import Wallet
from gateway.ids import PasskeyId
from gateway.payments.bind import chain_id_of
from gateway.postgres.pool import Connection


@post(
    "/v1/sessions/passkey/challenge",
    tags=["signing in"],
    summary="What to sign in with a passkey over",
    needs="nothing",
    counts="sign-ins",
)
async def challenge_passkey_session(house: House) -> AssertionChallengeView:
    """For navigator.credentials.get(), on a page of this gateway's. Good once, for five minutes, for any passkey: who
    signs it says whose it is.
    """
    async with house.database.transaction() as connection:
        asked = await passkey.ask(connection, party_of(house.public_url), None, passkey.SIGN_IN, (), house.clock())
    return assertion_challenge_view(asked, [])


@post("/v1/sessions/passkey", tags=["signing in"], summary="Sign in with a passkey", needs="nothing", counts="sign-ins")
async def start_passkey_session(
    data: AssertionRequest, house: House, request: Request[Any, Any, Any]
) -> Response[SessionView]:
    """The answer's cookie is the session. For five minutes it may do what only an owner may; then sign in again."""
    refuse_other_origins(request, party_of(house.public_url))
    assertion, now = assertion_of(data), house.clock()
    async with house.database.transaction() as connection:
        used = await passkey.verify(connection, None, passkey.SIGN_IN, (), assertion, now)
        of = await wallets.by_id(connection, used.wallet)
        view, cookie = await start_session(connection, house, request, of, "passkey", used.id, now)
    return Response(view, cookies=[cookie])


@post(
    "/v1/sessions/ethereum/challenge",
    tags=["signing in"],
    summary="What to sign in with an Ethereum wallet over",
    needs="nothing",
    counts="sign-ins",
)
async def challenge_ethereum_session(data: EthereumChallengeRequest, house: House) -> ChallengeView:
    """The text to sign (EIP-4361) with the address that the handle is bound to, good once, for five minutes."""
    async with house.database.reading() as connection:
        of = await wallets.by_handle(connection, data.handle)
    await house.limits.count(house.database, "sign-ins", f"@{of.handle}", house.clock())
    async with house.database.transaction() as connection:
        origin = party_of(house.public_url).origin
        return challenge_view(await ethereum.ask(connection, of, origin, chain_id_of(house.terms), house.clock()))


@post(
    "/v1/sessions/ethereum",
    tags=["signing in"],
    summary="Sign in with an Ethereum wallet",
    needs="nothing",
    counts="sign-ins",
)
async def start_ethereum_session(
    data: EthereumSessionRequest, house: House, request: Request[Any, Any, Any]
) -> Response[SessionView]:
    """The text as it was, signed by the address that the wallet is bound to: its owner's key, or the contract that it
    is (ERC-1271). Once a wallet has a passkey, only that does what an owner may.
    """
    refuse_other_origins(request, party_of(house.public_url))
    now = house.clock()
    signed = await ethereum.find(house.database, house.node, data.message, signature_bytes(data.signature), now)
    async with house.database.transaction() as connection:
        await ethereum.use(connection, signed, now)
        view, cookie = await start_session(connection, house, request, signed.wallet, "ethereum", None, now)
    return Response(view, cookies=[cookie])


@post(
    "/v1/sessions/recovery-code",
    tags=["signing in"],
    summary="Sign in with a recovery code",
    needs="nothing",
    counts="sign-ins",
)
async def start_recovery_session(
    data: RecoverySessionRequest, house: House, request: Request[Any, Any, Any]
) -> Response[SessionView]:
    """For who has lost every passkey: the session reads, and adds a passkey, for five minutes. Ten tries in a quarter
    of an hour are looked at.
    """
    refuse_other_origins(request, party_of(house.public_url))
    now = house.clock()
    async with house.database.reading() as connection:
        of = await wallets.by_handle(connection, data.handle)
    await house.limits.count(house.database, "sign-ins", f"@{of.handle}", now)
    code = await recovery_codes.find(house.database, of.id, data.code, now)
    async with house.database.transaction() as connection:
        await recovery_codes.use(connection, code, now)
        view, cookie = await start_session(connection, house, request, of, "recovery_code", None, now)
    return Response(view, cookies=[cookie])


@get("/v1/sessions", tags=["signing in"], summary="Where the caller is signed in", needs="read")
async def list_sessions(house: House, credential: Credential) -> SessionsPage:
    """The sessions that last, newest first."""
    of, now = credential.wallet, house.clock()
    async with house.database.reading() as connection:
        there = await session.sessions(connection, of.id, now)
    return SessionsPage([session_view(one, of, one.id == credential.id, now) for one in there])


@delete("/v1/sessions/{id:str}", tags=["signing in"], summary="Sign out", status_code=200, needs="read")
async def end_session(
    id: str, house: House, credential: Credential, request: Request[Any, Any, Any]
) -> Response[SessionView]:
    """It ends at once: one of the list, or `current`, the caller's own. An API key needs to be an owner's for it."""
    if credential.kind != "session":
        credential.check("owner")
    which = credential.id if id == "current" else id_of(session.PREFIX, id, "such session")
    of, now = credential.wallet, house.clock()
    async with house.database.transaction() as connection:
        ended = await session.end(connection, of.id, which, credential.by, now)
    if which != credential.id:
        return Response(session_view(ended, of, False, now))
    set_with_answer(request.scope, None)
    return Response(session_view(ended, of, True, now), cookies=[holding("", party_of(house.public_url), now, now)])


async def start_session(
    connection: Connection,
    house: House,
    request: Request[Any, Any, Any],
    of: Wallet,
    by: BegunBy,
    signed_by: PasskeyId | None,
    now: datetime,
) -> tuple[SessionView, Cookie]:
    """A session, and the cookie that it lies in. The answer is sent once all is committed."""
    party, device = party_of(house.public_url), request.headers.get("user-agent", "")
    before = token_of(request.scope["headers"], party)
    begun, token = await session.start(connection, of.id, by, signed_by, device, before, now)
    return session_view(begun, of, True, now), holding(token, party, begun.expires_at, now)

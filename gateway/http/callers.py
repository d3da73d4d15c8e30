"""Authentication: the caller's credential, and whether it is enough for the route."""

from collections.abc import Iterable, Sequence
from inspect import signature
from typing import Any, Final

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers import HTTPRouteHandler

from gateway.errors import Unauthenticated
from gateway.group_commit import GroupCommit
from gateway.http import cookie, instrumentation
from gateway.http.request import fields
from gateway.http.services import Services
from gateway.identity import api_key as api_keys
from gateway.identity.credential import SCOPES, Credential
from gateway.identity.sign_in import session
from gateway.identity.sign_in.passkey_verification import party_of
from gateway.identity.wallet import Wallet
from gateway.ids import show
from gateway.metrics.histogram import Histogram
from gateway.secret import hash_of

#: Where a request stores the caller that its requests are counted for: an API key's hash, or a session's wallet.
CALLER: Final = "caller"


class Callers:
    """Authenticates callers. Look-ups that arrive while one is running share the next one (group_commit.py), so each
    starts after its request arrived; a lone one does not wait. Alone, a look-up costs half as much as a request.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._api_keys: GroupCommit[bytes, Credential | None] = GroupCommit(self._by_api_keys)
        self._sessions: GroupCommit[bytes, Credential | None] = GroupCommit(self._by_sessions)

    def sizes(self) -> dict[str, Histogram]:
        """How many look-ups shared a statement, by kind of credential."""
        return {"api_keys": self._api_keys.sizes, "sessions": self._sessions.sizes}

    async def by_api_key(self, hashed: bytes) -> Credential | None:
        """The credential of the API key with this SHA-256; None if it has to be looked up on its own."""
        return await self._api_keys.submit(hashed)

    async def by_session(self, hashed: bytes) -> Credential | None:
        """The credential of the session whose token has this SHA-256; None if it has to be looked up on its own."""
        return await self._sessions.submit(hashed)

    async def _by_api_keys(self, hashes: Sequence[bytes]) -> list[Credential | None]:
        async with self._services.database.reading(answers=False) as connection:
            found = await api_keys.authenticate_all(connection, hashes, self._services.clock(), note=True)
        return [found.get(hashed) for hashed in hashes]

    async def _by_sessions(self, hashes: Sequence[bytes]) -> list[Credential | None]:
        async with self._services.database.reading(answers=False) as connection:
            found = await session.open_all(connection, hashes, self._services.clock())
        return [found.get(hashed) for hashed in hashes]


async def credential_of(request: Request[Any, Any, Any], services: Services) -> Credential:
    """Return the caller's credential, which is enough for the route: an API key, or else the session of the cookie.
    With a cookie, a request that changes something must come from one of the gateway's pages.

    Raises Unauthenticated (RFC 6750) without a valid credential, Forbidden if it is not enough, and TooManyTries if the
    caller has sent too many requests, or has guessed too many names and the route names somebody (`names`).
    """
    if "authorization" in request.headers:
        api_key = bearer_of(request)
        hashed = hash_of(api_key)
        who = hashed.hex()
        services.limits.check("requests", who, services.clock())
        callers: Callers = request.app.state.callers
        shown = await callers.by_api_key(hashed) or await _by_api_key(request, services, api_key)
    else:
        shown = await _by_session(request, services)
        who = str(shown.wallet.id)
        services.limits.check("requests", who, services.clock())
    request.scope["state"][CALLER] = who
    instrumentation.note_wallet(request.scope, show("wal", shown.wallet.id))
    services.limits.note(services.database, "requests", who, services.clock())
    if request.route_handler.opt.get("names"):
        services.limits.check("guesses", who, services.clock())
    shown.check(request.route_handler.opt["needs"], capped=request.route_handler.opt.get("capped", False))
    check_conditions(request)
    return shown


def check_conditions(request: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Raise PreconditionFailed if the request's conditions do not hold. A caller that may not call at all gets that
    error first.
    """
    headers = request.scope["headers"]
    if any(name in fields.CONDITIONS for name, _ in headers):
        fields.check_conditions(headers, "GET" in request.app.state.methods.of(request.scope["path"]))


def bearer_of(request: Request[Any, Any, Any]) -> str:
    """Return the API key or token of the request (RFC 6750). Raises Unauthenticated."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated
    return token.strip()


async def _by_api_key(request: Request[Any, Any, Any], services: Services, api_key: str) -> Credential:
    async with services.database.reading(answers=False) as connection:
        at = services.address_of(request.scope)
        return await api_keys.authenticate(connection, api_key, at, services.clock())


async def _by_session(request: Request[Any, Any, Any], services: Services) -> Credential:
    party, now = party_of(services.public_url), services.clock()
    token = cookie.token_of(request.scope["headers"], party)
    if token is None:
        raise Unauthenticated
    cookie.refuse_other_origins(request, party)
    callers: Callers = request.app.state.callers
    if (shown := await callers.by_session(hash_of(token))) is not None:
        return shown
    found = await session.open(services.database, token, now)
    if found.token is not None:
        next_one = cookie.holding(found.token, party, found.session.expires_at, now)
        cookie.set_with_answer(request.scope, next_one)
    return found.session.credential(found.wallet, now)


async def caller_of(credential: Credential) -> Wallet:
    """Return the wallet that the caller acts for."""
    return credential.wallet


def check_needs(handlers: Iterable[HTTPRouteHandler]) -> None:
    """Check that each route declares what it needs of its caller (`needs`, of credential.py), so that none forgets it.
    It must take the operator or the credential that it needs, because otherwise nobody checks them. A route that needs
    nothing declares what it counts as (`counts`, of rate_limits.py; None: nothing).
    """
    for handler in handlers:
        assert handler.opt.get("needs") in (*SCOPES, "nothing", "passkey", "operator"), f"{handler.paths} needs what?"
        assert handler.opt["needs"] != "nothing" or "counts" in handler.opt, f"{handler.paths} counts as what?"
        asks = signature(handler.fn).parameters
        assert ("operator" in asks) == (handler.opt["needs"] == "operator"), (
            f"{handler.paths} asks for an operator, or should"
        )
        needs_credential = handler.opt["needs"] in (*SCOPES, "passkey")
        assert not needs_credential or asks.keys() & {"caller", "credential"}, f"{handler.paths} asks for no credential"

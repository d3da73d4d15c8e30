"""The session cookies, and whether a request with one comes from one of the gateway's own pages.

Over https a wallet's cookie is `__Host-session`: for this host alone, sent over https alone, and no other host can set
it (RFC 6265bis, 4.1.3.2). Over http, which browsers treat as safe on the same machine only, it is `session`. An
operator's is named `operator` instead: one browser may have both, and they are never confused. No script can read them,
and pages of other sites cannot have them sent. Pages of another port of the same host can, so a request that changes
something must also state the gateway's own origin, which no script can forge in a browser (Fetch Metadata, RFC 6454).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Literal

from litestar import Request
from litestar.datastructures import Cookie
from litestar.types import Scope

from gateway.errors import Forbidden
from gateway.identity.sign_in.passkey_verification import Party

#: Whose session a cookie is for.
Name = Literal["session", "operator"]
WALLET: Final[Name] = "session"
OPERATOR: Final[Name] = "operator"

#: Where a request stores the cookie that its answer sets.
_STATE = "session_cookie"

#: Methods that only read, and so may come from anywhere (RFC 9110, 9.2.1).
_SAFE = ("GET", "HEAD", "OPTIONS")


def token_of(headers: Iterable[tuple[bytes, bytes]], party: Party, of: Name = WALLET) -> str | None:
    """Return the token in the request's cookie; None if there is none, or two."""
    name = name_of(party, of).encode() + b"="
    pairs = [pair.strip() for key, value in headers if key == b"cookie" for pair in value.split(b";")]
    found = [pair[len(name) :] for pair in pairs if pair.startswith(name)]
    return found[0].decode("latin-1") if len(found) == 1 else None


def refuse_other_origins(request: Request, party: Party) -> None:  # type: ignore[type-arg] # of any state
    """Raise Forbidden for a request that changes something and does not come from one of the gateway's pages."""
    if request.method not in _SAFE and not is_own(dict(request.scope["headers"]), party):
        raise Forbidden(f"a request with a session comes from a page of {party.origin}, and this one does not say so")


def is_own(headers: Mapping[bytes, bytes], party: Party) -> bool:
    """Return whether a request comes from one of the gateway's pages."""
    if (origin := headers.get(b"origin")) is not None:
        return origin == party.origin.encode()
    return headers.get(b"sec-fetch-site") == b"same-origin"


def holding(token: str, party: Party, expires_at: datetime, now: datetime, of: Name = WALLET) -> Cookie:
    """Return the cookie for the browser. An empty token removes it."""
    secure = party.origin.startswith("https:")
    seconds = max(0, int((expires_at - now).total_seconds())) if token else 0
    return Cookie(name_of(party, of), value=token, max_age=seconds, secure=secure, httponly=True, samesite="strict")


def set_with_answer(scope: Scope, cookie: Cookie | None) -> None:
    """Set this cookie with the answer to this request, whatever it is; None sets none."""
    scope["state"][_STATE] = cookie


def set_by(scope: Scope) -> list[tuple[bytes, bytes]]:
    """Return the header of that cookie, if there is one."""
    cookie: Cookie | None = scope["state"].get(_STATE)
    return [(b"set-cookie", cookie.to_header(header="").strip().encode())] if cookie else []


def name_of(party: Party, of: Name = WALLET) -> str:
    return f"__Host-{of}" if party.origin.startswith("https:") else of

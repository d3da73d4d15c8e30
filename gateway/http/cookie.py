"""The cookies that the tokens of sessions lie in, and whether a request with one comes from one of our own pages.

Over https a wallet's cookie is `__Host-session`: of this host alone, sent over https alone, set by nobody else (RFC
6265bis, 4.1.3.2). Over http, which browsers take as safe on one's own machine only, it is `session`. An operator's is
named `operator` instead: one browser may have both, and neither is taken for the other. No script reads them, and no
other site's page has them sent. Yet a page of another port of the same host does, so what changes something also has
to say that it comes from our own origin, which no script can make a browser say wrongly (Fetch Metadata, RFC 6454).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Literal

from litestar import Request
from litestar.datastructures import Cookie
from litestar.types import Scope

from gateway.errors import Forbidden
from gateway.identity.sign_in.ceremony import Party

#: Whose session a cookie is of.
Name = Literal["session", "operator"]
WALLET: Final[Name] = "session"
OPERATOR: Final[Name] = "operator"

#: Where a request keeps the cookie that its answer will bring.
_STATE = "session_cookie"

#: What reads only, and so needs to come from nowhere in particular (RFC 9110, 9.2.1).
_SAFE = ("GET", "HEAD", "OPTIONS")


def token_of(headers: Iterable[tuple[bytes, bytes]], party: Party, of: Name = WALLET) -> str | None:
    """The token that the request brings; None where it brings none, or two."""
    name = name_of(party, of).encode() + b"="
    pairs = [pair.strip() for key, value in headers if key == b"cookie" for pair in value.split(b";")]
    found = [pair[len(name) :] for pair in pairs if pair.startswith(name)]
    return found[0].decode("latin-1") if len(found) == 1 else None


def refuse_other_origins(request: Request, party: Party) -> None:  # type: ignore[type-arg] # of any state
    """Raises Forbidden for a request that changes something and does not come from a page of ours."""
    if request.method not in _SAFE and not is_own(dict(request.scope["headers"]), party):
        raise Forbidden(f"a request with a session comes from a page of {party.origin}, and this one does not say so")


def is_own(headers: Mapping[bytes, bytes], party: Party) -> bool:
    """Whether a request says that it comes from a page of ours."""
    if (origin := headers.get(b"origin")) is not None:
        return origin == party.origin.encode()
    return headers.get(b"sec-fetch-site") == b"same-origin"


def holding(token: str, party: Party, expires_at: datetime, now: datetime, of: Name = WALLET) -> Cookie:
    """The cookie to give the browser. An empty token takes it away."""
    secure = party.origin.startswith("https:")
    seconds = max(0, int((expires_at - now).total_seconds())) if token else 0
    return Cookie(name_of(party, of), value=token, max_age=seconds, secure=secure, httponly=True, samesite="strict")


def set_with_answer(scope: Scope, cookie: Cookie | None) -> None:
    """Have the answer to this request, whichever it is, bring the browser this cookie; or none, after all."""
    scope["state"][_STATE] = cookie


def set_by(scope: Scope) -> list[tuple[bytes, bytes]]:
    """The header of that cookie, if there is one."""
    cookie: Cookie | None = scope["state"].get(_STATE)
    return [(b"set-cookie", cookie.to_header(header="").strip().encode())] if cookie else []


def name_of(party: Party, of: Name = WALLET) -> str:
    return f"__Host-{of}" if party.origin.startswith("https:") else of

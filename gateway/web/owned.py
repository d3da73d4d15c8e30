"""Pages of one's own: made on the server for whoever has signed in, of what the API answers them.

A page is asked for like a call of the API, by the session's cookie, and refused like one; a refusal is a page, too. No
browser keeps it. Its live parts are htmx's (node_modules, from package-lock.json): an element with `hx-` attributes
needs this answer's nonce, and so does what makes HTML of an answer (Trusted Types), which is nothing else.
"""

import secrets
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from gateway.errors import GatewayError, NotFound, Unauthenticated
from gateway.events import event_id, log
from gateway.http.answer.content import HEADERS, HTML
from gateway.http.answer.problems import fail
from gateway.http.rate_limiting import refuse
from gateway.identity.credential import Need
from gateway.web.content import has_live_parts, render
from gateway.web.problems import why_of
from gateway.web.reader import Reader, reader_of
from gateway.web.shown import helpers

#: What a page of one's own may do: htmx asks us alone. `trusted` names the policies by which texts become more than
#: text (Trusted Types): htmx makes HTML by its own, and the page that starts the service worker names that script.
_POLICY: Final = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    "; require-trusted-types-for 'script'; trusted-types {trusted}"
)


def own_page(
    path: str, needs: Need = "read", follows: bool = False, **how: Any
) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """Declares a page of whoever has signed in. `follows`: it has the event stream (`parts.stream()`)."""
    handlers: dict[int | type[Exception], Callable[[Request[Any, Any, Any], Any], Response[Any]]] = {
        Unauthenticated: sign_in_first,
        GatewayError: refused,
        Exception: failed,
    }
    handlers |= how.pop("exception_handlers", {})
    how = {"exception_handlers": handlers, **({"before_request": _note_reach} if follows else {}), **how}
    return get(path, include_in_schema=False, needs=needs, **how)


async def _note_reach(request: Request[Any, Any, Any]) -> None:
    """Notes up to which event the log is known before anything of the page is read: the page's event stream goes on
    from there, so nothing is missed that happens until it is open. Of a page that asks for itself again, the stream is
    open already.
    """
    request.state.reach = ""
    if request.cookies and "hx-request" not in request.headers:  # without a cookie nobody has signed in
        services = request.app.state.services
        async with services.database.reading() as connection:
            request.state.reach = event_id.show(await log.complete_to(connection), services.clock())


def answer(
    request: Request[Any, Any, Any], template: str, status: int = 200, trusted: str = "htmx", **values: Any
) -> Response[bytes]:
    """The page of this template with these values. It knows its `reader` and the `nonce` of its live parts."""
    reader, nonce = reader_for(request), secrets.token_urlsafe(16)
    known = {"reader": reader, "nonce": nonce, "live": has_live_parts(), "unseen": "", **helpers(reader), **values}
    if hasattr(request.state, "reach"):  # without it a template that has the stream fails
        known["reach"] = request.state.reach
    body = render(template, reader.locale, request.url.path, known)
    policy = _POLICY.format(nonce=nonce, trusted=trusted)
    headers = {**HEADERS, "Cache-Control": "no-store", "Content-Security-Policy": policy}
    return Response(body, status_code=status, headers=headers, media_type=HTML)


def reader_for(request: Request[Any, Any, Any]) -> Reader:
    """Who reads the answer to this request."""
    return reader_of(request, request.app.state.services.clock())


def sign_in_first(
    request: Request[Any, Any, Any], error: Unauthenticated, door: str = "/sign-in", home: str = "/"
) -> Response[Any]:
    """Where to sign in, and to come back from. A browser that follows a link from another site sends no cookie at first
    (SameSite=Strict): it is had to ask once more, from a page of ours.
    """
    if request.headers.get("sec-fetch-site") == "cross-site" and request.headers.get("sec-fetch-mode") == "navigate":
        return answer(request, "same-site-reload.html")
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return Redirect(f"{door}?next={quote(asked, safe='/')}" if asked != home else door, status_code=303)


def failed(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """What is said after a mistake of ours, which goes to the log."""
    fail(request, error)
    why = reader_for(request).say("Something went wrong on our side. Open the page again.")
    return answer(request, "refused.html", 500, why=why)


def refused(request: Request[Any, Any, Any], error: GatewayError) -> Response[Any]:
    """What is said where the page's call is refused."""
    status = refuse(request, error).status_code or 500
    if isinstance(error, NotFound):
        return answer(request, "not-found.html", 404)
    return answer(request, "refused.html", status, why=why_of(error, reader_for(request)))

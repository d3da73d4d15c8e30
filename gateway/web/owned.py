"""Pages of a signed-in owner, rendered on the server from the API's answers.

A page is requested like a call of the API, with the session's cookie, and refused like one; a refusal is a page, too.
Browsers do not cache it. htmx (node_modules, from package-lock.json) updates its live parts: an element with `hx-`
attributes needs this answer's nonce, and so does the only code that turns an answer into HTML (Trusted Types).
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

#: The Content-Security-Policy of an owner's page: htmx sends requests to the gateway only. `trusted` are the Trusted
#: Types policies that may turn text into HTML or script URLs: htmx's own, and that of the page that starts the service
#: worker.
_POLICY: Final = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    "; require-trusted-types-for 'script'; trusted-types {trusted}"
)


def own_page(
    path: str, needs: Need = "read", follows: bool = False, **how: Any
) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """Declares a page of a signed-in owner. `follows`: it has the event stream (`parts.stream()`)."""
    handlers: dict[int | type[Exception], Callable[[Request[Any, Any, Any], Any], Response[Any]]] = {
        Unauthenticated: sign_in_first,
        GatewayError: refused,
        Exception: failed,
    }
    handlers |= how.pop("exception_handlers", {})
    how = {"exception_handlers": handlers, **({"before_request": _note_reach} if follows else {}), **how}
    return get(path, include_in_schema=False, needs=needs, **how)


async def _note_reach(request: Request[Any, Any, Any]) -> None:
    """Record the number of the newest event before the page's data is read: the page's event stream starts after it, so
    no event is missed before the stream is open. When a page reloads itself, the stream is already open.
    """
    request.state.reach = ""
    if request.cookies and "hx-request" not in request.headers:  # without a cookie the visitor has not signed in
        services = request.app.state.services
        async with services.database.reading() as connection:
            request.state.reach = event_id.show(await log.complete_to(connection), services.clock())


def answer(
    request: Request[Any, Any, Any], template: str, status: int = 200, trusted: str = "htmx", **values: Any
) -> Response[bytes]:
    """The page of this template with these values. The template has its `reader` and the `nonce` of its live parts."""
    reader, nonce = reader_for(request), secrets.token_urlsafe(16)
    known = {"reader": reader, "nonce": nonce, "live": has_live_parts(), "unseen": "", **helpers(reader), **values}
    if hasattr(request.state, "reach"):  # without it a template that has the stream fails
        known["reach"] = request.state.reach
    body = render(template, reader.locale, request.url.path, known)
    policy = _POLICY.format(nonce=nonce, trusted=trusted)
    headers = {**HEADERS, "Cache-Control": "no-store", "Content-Security-Policy": policy}
    return Response(body, status_code=status, headers=headers, media_type=HTML)


def reader_for(request: Request[Any, Any, Any]) -> Reader:
    """The reader of the answer to this request."""
    return reader_of(request, request.app.state.services.clock())


def sign_in_first(
    request: Request[Any, Any, Any], error: Unauthenticated, door: str = "/sign-in", home: str = "/"
) -> Response[Any]:
    """The redirect to the sign-in page, which leads back here. A browser that follows a link from another site sends no
    cookie at first (SameSite=Strict): it gets a page that requests this one again from the gateway's own site.
    """
    if request.headers.get("sec-fetch-site") == "cross-site" and request.headers.get("sec-fetch-mode") == "navigate":
        return answer(request, "same-site-reload.html")
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return Redirect(f"{door}?next={quote(asked, safe='/')}" if asked != home else door, status_code=303)


def failed(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The page after an internal error, which is logged."""
    fail(request, error)
    why = reader_for(request).say("Something went wrong on our side. Open the page again.")
    return answer(request, "refused.html", 500, why=why)


def refused(request: Request[Any, Any, Any], error: GatewayError) -> Response[Any]:
    """The page for a refused request."""
    status = refuse(request, error).status_code or 500
    if isinstance(error, NotFound):
        return answer(request, "not-found.html", 404)
    return answer(request, "refused.html", status, why=why_of(error, reader_for(request)))

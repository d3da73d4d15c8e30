"""Pages and their files, read once."""

from importlib.resources import files
from typing import Any, Final

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException

from gateway.http.answer.content import HTML, Content
from gateway.identity.sign_in.ceremony import party_of

#: What a page may do (Content Security Policy Level 3): what is ours, and nothing inline; no text becomes HTML or a
#: script (Trusted Types), nobody frames it, and it sends no form: its scripts ask the API.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    "; require-trusted-types-for 'script'; trusted-types 'none'"
)

#: The one page that starts the service worker may name that script, by a policy of this name (Trusted Types). A policy
#: can be made once: the page's own script has made it before anything else runs.
_STARTS_WORKER: Final = POLICY.replace("trusted-types 'none'", "trusted-types service-worker")
_STARTING: Final = "notification-settings.html"

_TYPES = {
    "html": HTML,
    "js": "text/javascript",
    "css": "text/css",
    "svg": "image/svg+xml",
    "png": "image/png",
    "webmanifest": "application/manifest+json",
}


def _read(folder: str) -> dict[str, Content]:
    found = {}
    for entry in files(__package__).joinpath(folder).iterdir():
        _, _, kind = entry.name.rpartition(".")
        if kind in _TYPES:
            policy = _STARTS_WORKER if entry.name == _STARTING else POLICY
            found[entry.name] = Content.of(entry.read_bytes(), _TYPES[kind], policy)
    return found


_PAGES, _STATIC = _read("pages"), _read("static")


@get("/", include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def wallet_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """One's wallet, once signed in."""
    return _PAGES["wallet.html"].answer(request)


@get("/sign-in", include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def sign_in_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """With a passkey, an Ethereum wallet or a recovery code."""
    return _PAGES["sign-in.html"].answer(request)


@get("/sign-up", include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def sign_up_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """A handle, and the first passkey."""
    return _PAGES["sign-up.html"].answer(request)


@get("/report", include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def report_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Reports the payment of a link in a notification as unauthorized."""
    return _PAGES["report.html"].answer(request)


@get("/unsubscribe", include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def unsubscribe_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Stops the kind of notification that a link came with."""
    return _PAGES["unsubscribe.html"].answer(request)


@get("/notifications", include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def notifications_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """What the wallet's owner is told of."""
    return _PAGES["notifications.html"].answer(request)


@get("/notifications/settings", include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def notification_settings_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Which notices are sent, and where."""
    return _PAGES[_STARTING].answer(request)


@get("/sw.js", include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def service_worker(request: Request[Any, Any, Any]) -> Response[bytes]:
    """What shows push messages: at the root, so that it may open every page (Service Workers, "Path restriction")."""
    return _PAGES["sw.js"].answer(request)


@get("/static/{name:str}", include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def static_file(name: str, request: Request[Any, Any, Any]) -> Response[bytes]:
    """A script, or the style sheet."""
    if name not in _STATIC:
        raise NotFoundException
    return _STATIC[name].answer(request)


@get("/site.json", include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def site(request: Request[Any, Any, Any]) -> dict[str, object]:
    """Where this gateway's pages are, as passkeys have it, and whether browsers make passkeys there: a page that was
    opened at another address points there before anything is done.
    """
    party = party_of(request.app.state.services.public_url)
    return {"origin": party.origin, "has_passkeys": party.has_passkeys}


#: What the application serves beside the API.
PAGES = [
    wallet_page,
    sign_in_page,
    sign_up_page,
    notifications_page,
    notification_settings_page,
    report_page,
    unsubscribe_page,
    service_worker,
    static_file,
    site,
]


def missing(request: Request[Any, Any, Any]) -> Response[bytes] | None:
    """What a browser shows at an address that is no page's; None where a program asks, or the API is asked."""
    if request.url.path.startswith("/v1/") or "text/html" not in request.headers.get("accept", ""):
        return None
    page = _PAGES["missing.html"]
    return Response(page.body, status_code=404, headers=page.headers(), media_type=page.media_type)

"""Pages that are the same for everybody; their scripts get personal data from the API."""

import re
from typing import Any, Final

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect

from gateway.identity.sign_in.passkey_verification import party_of
from gateway.web.console.pages import CONSOLE
from gateway.web.content import fixed, kept
from gateway.web.content import static as static_content
from gateway.web.design import design_page
from gateway.web.language import COOKIE, LANGUAGES
from gateway.web.wallet.bank import convert_page, top_up_page, withdraw_page
from gateway.web.wallet.home import home_page
from gateway.web.wallet.notifications import notifications_page
from gateway.web.wallet.pay import check_page, pay_page
from gateway.web.wallet.payments import payment_page, payments_page, receipt_page
from gateway.web.wallet.receive import receive_page
from gateway.web.wallet.requests import new_request_page, request_page, requests_page
from gateway.web.wallet.settings.close import close_page
from gateway.web.wallet.settings.devices import devices_page
from gateway.web.wallet.settings.index import settings_page
from gateway.web.wallet.settings.keys import keys_page, new_key_page, replace_key_page
from gateway.web.wallet.settings.limits import limits_page
from gateway.web.wallet.settings.mandates import check_mandate_page, mandates_page, new_mandate_page
from gateway.web.wallet.settings.notifications import notification_settings_page
from gateway.web.wallet.settings.own_key import own_key_page
from gateway.web.wallet.settings.recovery_codes import recovery_codes_page
from gateway.web.wallet.settings.unfreeze import unfreeze_page
from gateway.web.wallet.settings.webhooks import edit_webhook_page, new_webhook_page, webhook_page, webhooks_page
from gateway.web.wallet.statements import statements_page

#: A page of the gateway: a path, which no browser can read as the address of another host (WHATWG URL, 4.4).
_OURS: Final = re.compile(r"/(?![/\\])[\x21-\x7e]*")


def _page(path: str, template: str, name: str, what: str) -> HTTPRouteHandler:
    async def serve(request: Request[Any, Any, Any]) -> Response[bytes]:
        return fixed(request, template)

    serve.__name__ = name
    serve.__doc__ = what
    return get(path, include_in_schema=False, opt={"needs": "nothing", "counts": None})(serve)


@get("/language/{code:str}", include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def choose_language(code: str, request: Request[Any, Any, Any]) -> Response[Any]:
    """Sets the language of pages, and goes back to the page `next`."""
    if code not in LANGUAGES:
        raise NotFoundException
    back = request.query_params.get("next", "/")
    chosen = kept(COOKIE, code, request.app.state.services.public_url)
    return Redirect(back if _OURS.fullmatch(back) else "/", status_code=303, cookies=[chosen])


@get("/sw.js", include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def service_worker(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The service worker, which shows push messages. It is at the root, so that it may open every page (Service
    Workers, "Path restriction").
    """
    return _file("sw.js", request)


@get("/static/{name:str}", include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def static_file(name: str, request: Request[Any, Any, Any]) -> Response[bytes]:
    """A script, the style sheet or an image."""
    return _file(name, request)


def _file(name: str, request: Request[Any, Any, Any]) -> Response[bytes]:
    if (content := static_content(name)) is None:
        raise NotFoundException
    return content.answer(request)


@get("/site.json", include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def site(request: Request[Any, Any, Any]) -> dict[str, object]:
    """The relying party of this gateway's passkeys, and whether browsers create passkeys for it. A page that was opened
    at another address links there first.
    """
    party = party_of(request.app.state.services.public_url)
    return {"origin": party.origin, "has_passkeys": party.has_passkeys}


#: The routes of pages, for the application.
PAGES = [
    _page("/sign-in", "sign-in.html", "sign_in_page", "With a passkey, an Ethereum wallet or a recovery code."),
    _page("/sign-up", "sign-up.html", "sign_up_page", "A handle, and the first passkey."),
    _page("/report", "report.html", "report_page", "Reports the payment of a notification's link as unauthorized."),
    _page("/unsubscribe", "unsubscribe.html", "unsubscribe_page", "Stops the kind of notification a link came with."),
    choose_language,
    service_worker,
    static_file,
    site,
    design_page,
    home_page,
    pay_page,
    check_page,
    receive_page,
    new_request_page,
    requests_page,
    request_page,
    top_up_page,
    withdraw_page,
    convert_page,
    payments_page,
    payment_page,
    receipt_page,
    notifications_page,
    notification_settings_page,
    settings_page,
    limits_page,
    *CONSOLE,
    statements_page,
    recovery_codes_page,
    devices_page,
    close_page,
    unfreeze_page,
    own_key_page,
    webhooks_page,
    new_webhook_page,
    webhook_page,
    edit_webhook_page,
    keys_page,
    new_key_page,
    replace_key_page,
    mandates_page,
    new_mandate_page,
    check_mandate_page,
]


def missing(request: Request[Any, Any, Any]) -> Response[bytes] | None:
    """The page for an unknown address; None for programs and for paths of the API."""
    if request.url.path.startswith("/v1/") or "text/html" not in request.headers.get("accept", ""):
        return None
    return fixed(request, "not-found.html", 404)

"""Pages and their files, read once, each with an ETag and the headers that hold a browser to them."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException

from gateway.errors import PreconditionFailed
from gateway.identity.sign_in.ceremony import party_of

#: What a page may do (Content Security Policy Level 3): what is ours, and nothing inline; no text becomes HTML or a
#: script (Trusted Types), nobody frames it, and it sends no form: its scripts ask the API.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)

_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "publickey-credentials-create=(self), publickey-credentials-get=(self), camera=(), "
    "microphone=(), geolocation=(), payment=()",
    "Cache-Control": "no-cache",  # asked again each time, and answered with 304
}

#: Litestar adds the charset to those of text.
_TYPES = {
    "html": "text/html",
    "js": "text/javascript",
    "css": "text/css",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    media_type: str
    etag: str


def _read(folder: str) -> dict[str, _File]:
    found = {}
    for entry in files(__package__).joinpath(folder).iterdir():
        _, _, kind = entry.name.rpartition(".")
        if kind in _TYPES:
            content = entry.read_bytes()
            etag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
            found[entry.name] = _File(content, _TYPES[kind], etag)
    return found


_PAGES, _STATIC = _read("pages"), _read("static")


@get("/", include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def wallet_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """One's wallet, once signed in."""
    return _answer(request, _PAGES["wallet.html"])


@get("/sign-in", include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def sign_in_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """With a passkey, an Ethereum wallet or a recovery code."""
    return _answer(request, _PAGES["sign-in.html"])


@get("/sign-up", include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def sign_up_page(request: Request[Any, Any, Any]) -> Response[bytes]:
    """A handle, and the first passkey."""
    return _answer(request, _PAGES["sign-up.html"])


@get("/static/{name:str}", include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def static_file(name: str, request: Request[Any, Any, Any]) -> Response[bytes]:
    """A script, or the style sheet."""
    if name not in _STATIC:
        raise NotFoundException
    return _answer(request, _STATIC[name])


@get("/site.json", include_in_schema=False, opt={"needs": "nothing", "counts": None})
async def site(request: Request[Any, Any, Any]) -> dict[str, object]:
    """Where this gateway's pages are, as passkeys have it, and whether browsers make passkeys there: a page that was
    opened at another address points there before anything is done.
    """
    party = party_of(request.app.state.house.public_url)
    return {"origin": party.origin, "has_passkeys": party.has_passkeys}


#: What the application serves beside the API.
PAGES = [wallet_page, sign_in_page, sign_up_page, static_file, site]


def missing(request: Request[Any, Any, Any]) -> Response[bytes] | None:
    """What a browser shows at an address that is no page's; None where a program asks, or the API is asked."""
    if request.url.path.startswith("/v1/") or "text/html" not in request.headers.get("accept", ""):
        return None
    return Response(_PAGES["missing.html"].content, status_code=404, headers=_HEADERS, media_type=_TYPES["html"])


def _answer(request: Request[Any, Any, Any], file: _File) -> Response[bytes]:
    headers = {**_HEADERS, "ETag": file.etag}
    if "if-match" in request.headers and not _names(request.headers.getall("if-match"), file.etag):
        raise PreconditionFailed("If-Match")
    if _names(request.headers.getall("if-none-match", []), file.etag):
        return Response(b"", status_code=304, headers=headers, media_type=file.media_type)
    return Response(file.content, headers=headers, media_type=file.media_type)


def _names(lists: Iterable[str], etag: str) -> bool:
    """Whether one of these lists of entity tags has this one, or any (RFC 9110, 13.1). A weak one stands for it too:
    a file's bytes are its tag.
    """
    return any(one in ("*", etag) for text in lists for one in re.findall(r'"[^"]*"|\*', text))

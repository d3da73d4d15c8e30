"""The security headers of every answer: browsers run no script of it, do not frame or cache it, and guess no type.
Pages have their own in addition (web/pages.py); a header that an answer sets itself is kept.
"""

from typing import Final

from litestar.types import BeforeMessageSendHookHandler, Message, Scope

from gateway.http.cookie import set_by
from gateway.http.request_id import request_id

Header = tuple[bytes, bytes]

_ALWAYS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)

#: Browsers use only https for this host for a year (RFC 6797).
_HTTPS: Final[Header] = (b"strict-transport-security", b"max-age=31536000")


def security_headers(public_url: str) -> tuple[Header, ...]:
    """Return the headers of every answer of a gateway at this URL."""
    return (*_ALWAYS, _HTTPS) if public_url.startswith("https:") else _ALWAYS


def finishing(public_url: str) -> BeforeMessageSendHookHandler:
    """Return a hook that completes the headers of every answer of a handler: the missing security headers, the next
    cookie of its session, and the request's id.
    """
    security = security_headers(public_url)

    async def finish(message: Message, scope: Scope) -> None:
        if message["type"] == "http.response.start":
            own = [*message["headers"], *set_by(scope)]
            there = {bytes(name).lower() for name, _ in own}
            missing = (header for header in security if header[0] not in there)
            message["headers"] = [*own, *missing, (b"x-request-id", request_id(scope))]

    return finish

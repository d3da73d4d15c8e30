"""What every answer tells browsers: to run and to frame nothing of it, to keep none of it, and to guess no type. Pages
say more of their own (web/pages.py); what an answer says itself stays.
"""

from collections.abc import Iterable
from typing import Final

from litestar.types import BeforeMessageSendHookHandler, Message, Scope

from gateway.api.cookie import set_by
from gateway.api.request_id import request_id

Header = tuple[bytes, bytes]

_ALWAYS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)

#: For a year this host is asked over https alone (RFC 6797).
_HTTPS: Final[Header] = (b"strict-transport-security", b"max-age=31536000")


def security_headers(public_url: str) -> tuple[Header, ...]:
    """Those of every answer of a gateway that people find there."""
    return (*_ALWAYS, _HTTPS) if public_url.startswith("https:") else _ALWAYS


def finished(own: Iterable[Header], scope: Scope, security: Iterable[Header]) -> list[Header]:
    """An answer's own headers, those of security that it has not, and its request's id."""
    there = dict(own)
    return [*own, *(header for header in security if header[0] not in there), (b"x-request-id", request_id(scope))]


def finishing(public_url: str) -> BeforeMessageSendHookHandler:
    """What finishes the headers of every answer of a handler's: with the next cookie of its session, too."""
    security = security_headers(public_url)

    async def finish(message: Message, scope: Scope) -> None:
        if message["type"] == "http.response.start":
            own = [(bytes(name).lower(), bytes(value)) for name, value in message["headers"]]
            message["headers"] = finished([*own, *set_by(scope)], scope, security)

    return finish

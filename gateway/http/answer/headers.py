"""What every answer tells browsers: to run and to frame nothing of it, to keep none of it, and to guess no type. Pages
say more of their own (web/pages.py); what an answer says itself stays.
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

#: For a year this host is asked over https alone (RFC 6797).
_HTTPS: Final[Header] = (b"strict-transport-security", b"max-age=31536000")


def security_headers(public_url: str) -> tuple[Header, ...]:
    """Those of every answer of a gateway that people find there."""
    return (*_ALWAYS, _HTTPS) if public_url.startswith("https:") else _ALWAYS


def finishing(public_url: str) -> BeforeMessageSendHookHandler:
    """What finishes the headers of every answer of a handler's: those of security that it has not, the next cookie of
    its session, and its request's id.
    """
    security = security_headers(public_url)

    async def finish(message: Message, scope: Scope) -> None:
        if message["type"] == "http.response.start":
            own = [*message["headers"], *set_by(scope)]
            there = {bytes(name).lower() for name, _ in own}
            missing = (header for header in security if header[0] not in there)
            message["headers"] = [*own, *missing, (b"x-request-id", request_id(scope))]

    return finish

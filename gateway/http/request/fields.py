"""Header fields that change the meaning of a request, the same for every route (RFC 9110). Pure.

A field that is not supported here and would change the meaning is refused, never ignored. Fields that a server may
ignore are ignored: Range, Accept, Content-Language, Upgrade and all unknown ones. framing.py decides where a request
ends.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from gateway.errors import InvalidRequest, PreconditionFailed
from gateway.http.errors import UnsupportedMediaType
from gateway.http.request.framing import Field, members

JSON: Final = "application/json"

#: Fields that have one value. If there are two, one would win silently.
ONCE: Final = {
    b"authorization": "Authorization",
    b"content-type": "Content-Type",
    b"cookie": "Cookie",
    b"idempotency-key": "Idempotency-Key",
    b"origin": "Origin",
    b"sec-fetch-site": "Sec-Fetch-Site",
}

#: What `check_conditions` reads.
CONDITIONS: Final = (b"if-match", b"if-none-match")

#: Fields that override the request line's method: a client that sends one means another method.
_OTHER_METHOD: Final = (b"x-http-method-override", b"x-http-method", b"x-method-override")

#: Fields that the fast path of payments (api/payments/fast) leaves to the ordinary handler, where `check` reads them.
NOT_PLAIN: Final = frozenset((*_OTHER_METHOD, b"content-encoding", b"content-range", *CONDITIONS))


def check(fields: Iterable[Field]) -> None:
    """Raise InvalidRequest for a repeated field, a partial body or another method, and UnsupportedMediaType for an
    encoded body.
    """
    seen = set[bytes]()
    for name, value in fields:
        if name in ONCE:
            if name in seen:
                raise InvalidRequest("repeated_header", f"the header {ONCE[name]} is there twice; send it once")
            seen.add(name)
        elif name in _OTHER_METHOD:
            raise InvalidRequest("method", f"the method is that of the request line; leave {name.decode()} out")
        elif name == b"content-range":  # RFC 9110, 14.4
            raise InvalidRequest(
                "content_range", "a part of a body cannot be sent; send the whole, without Content-Range"
            )
        elif name == b"content-encoding" and set(members(value)) - {b"", b"identity"}:
            coding = value.decode("latin-1")[:60]
            raise UnsupportedMediaType(
                "content_encoding", f"the body is encoded ({coding}); send it as it is, without Content-Encoding", ()
            )


def check_conditions(fields: Iterable[Field], represented: bool) -> None:
    """Raise PreconditionFailed if a condition is false (RFC 9110, 13.1). `represented`: GET reads something at the
    path. None of it has an entity tag or a date: If-Match holds for `*` alone, If-None-Match for every tag, and
    conditions on dates are ignored.
    """
    for name, value in fields:
        if name == b"if-match" and not (represented and value == b"*"):
            raise PreconditionFailed("If-Match")
        if name == b"if-none-match" and represented and value == b"*":
            raise PreconditionFailed("If-None-Match")


@lru_cache(maxsize=256)
def media_type(content_type: bytes) -> tuple[str, str]:
    """Return the media type and the charset ("" for none) of a Content-Type, in lower case; unknown parameters are
    ignored. ("", "") if it is malformed.
    """
    kind, *parameters = content_type.decode("latin-1").lower().split(";")
    charset = ""
    for parameter in parameters:
        name, equals, value = parameter.partition("=")
        if parameter.strip() and not equals:
            return "", ""
        if name.strip() == "charset":
            charset = value.strip().strip('"')
    return kind.strip(), charset


def is_json(content_type: bytes) -> bool:
    """Return whether a body of this type is read as JSON in UTF-8."""
    kind, charset = media_type(content_type)
    return kind == JSON and charset in _UTF_8


def check_media_type(content_type: bytes | None, *accepted: str) -> str:
    """Return which of these media types the body has: the first if none is declared. Raises UnsupportedMediaType."""
    if content_type is None:
        return accepted[0]
    kind, charset = media_type(content_type)
    if kind not in accepted:
        told = content_type.decode("latin-1")[:80]
        curl = " (curl: --json in place of -d)" if kind == "application/x-www-form-urlencoded" else ""
        raise UnsupportedMediaType(
            "media_type", f"the body is {told!r}; send {' or '.join(accepted)} as Content-Type{curl}", accepted
        )
    if charset not in _UTF_8:
        raise UnsupportedMediaType("charset", f"the body's charset is {charset[:40]!r}; send it in UTF-8", accepted)
    return kind


_UTF_8: Final = ("", "utf-8", "utf8")

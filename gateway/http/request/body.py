"""A request's body: one flat JSON object, read strictly into the struct that its handler takes.

The struct's own decoder reads the bytes, so nothing is ever built that the struct does not have. Litestar would build
whatever the JSON says and convert that into the struct: a body of open brackets then overflows the C stack and ends the
process, `"false"` and `0` pass for a boolean, and of two values for one key the last wins silently.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from litestar import Request
from litestar.exceptions import InternalServerException

from gateway.errors import GatewayError, InvalidRequest
from gateway.http.errors import BodyTooLarge, UnsupportedMediaType
from gateway.http.request.fields import JSON, check_media_type
from gateway.http.request.json_faults import refusal_of

Body = TypeVar("Body", bound=msgspec.Struct)

#: The first bytes of a body in another encoding, or compressed (RFC 1952, 8878, 1950): the longest first.
_ENCODINGS = (
    (b"\xef\xbb\xbf", "UTF-8 with a byte order mark"),
    (b"\xfe\xff", "in UTF-16"),
    (b"\xff\xfe", "in UTF-16 or UTF-32"),
    (b"\x1f\x8b", "compressed (gzip)"),
    (b"\x28\xb5\x2f\xfd", "compressed (zstd)"),
    (b"\x78\x9c", "compressed (deflate)"),
)

#: The longest line of NDJSON that is read, in bytes.
_LINE_BYTES_MAX = 64 * 1024

#: The largest body of a call that does not set its own limit, in bytes: the application and the fast path refuse more.
BODY_BYTES_MAX = 64 * 1024


class StrictRequest(Request[Any, Any, Any]):
    """A request whose JSON is read into the type of its handler's `data`."""

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the body as it arrives. Raises InvalidRequest if the client disconnects in the middle of it: Litestar
        reports that as a server error, which it is not.
        """
        try:
            async for part in super().stream():
                yield part
        except InternalServerException:
            raise InvalidRequest("cut_off", "the body ended before all of it had come") from None

    async def json(self) -> Any:
        """Return the body. Raises UnsupportedMediaType, InvalidRequest, and InvalidAmount for an amount that is not a
        string.
        """
        self.check_media_type(JSON)
        field = self.route_handler.parsed_data_field
        assert field is not None, "only a handler that takes data has its body read"
        return read(await self.body(), field.annotation)

    def check_media_type(self, *accepted: str) -> str:
        """Return which of these media types the body declares. Raises UnsupportedMediaType."""
        return check_media_type(dict(self.scope["headers"]).get(b"content-type"), *accepted)


def read(body: bytes, body_type: type[Body]) -> Body:
    """Return the struct of the body. Raises InvalidRequest, and InvalidAmount for an amount that is not a string."""
    try:
        asked: Body = _decoder(body_type).decode(body)
    except msgspec.ValidationError as fault:
        raise refusal_of(str(fault), body_type) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        refuse_encoding(body)
        raise InvalidRequest("json", "the body is not valid JSON in UTF-8") from None
    if b"\\" in body or body.count(b"{") > 1:
        _refuse_repeated_fields(body)
    else:
        for name in _names(body_type):
            if body.count(name) > 1:  # it may be in a value
                _refuse_repeated_fields(body)
                break
    return asked


def read_each(bodies: Sequence[bytes], body_type: type[Body]) -> list[Body | GatewayError]:
    """Read each body. Returns its struct, or the error that `read` raises for it."""
    try:
        asked: list[Body | GatewayError] = list(map(_decoder(body_type).decode, bodies))
        whole = b",".join(bodies)
        if b"\\" not in whole and whole.count(b"{") == len(bodies) and _names_once(whole, asked, body_type):
            return asked
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass  # one of them is wrong; which and why is found out below
    asked = []
    for body in bodies:
        try:
            asked.append(read(body, body_type))
        except GatewayError as refusal:
            asked.append(refusal)
    return asked


async def read_limited(request: Request[Any, Any, Any], bytes_max: int) -> bytes:
    """Return the body of a route with a limit of its own. Raises BodyTooLarge as soon as the limit is exceeded."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > bytes_max:
            raise BodyTooLarge(bytes_max)
        parts.append(part)
    return b"".join(parts)


def read_array(body: bytes, maximum: int) -> list[bytes]:
    """Return the elements of a JSON array, each as its own bytes, to be read one by one. Raises InvalidRequest."""
    try:
        elements = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        refuse_encoding(body)
        raise InvalidRequest("array", "the body should be a JSON array") from None
    if not 1 <= len(elements) <= maximum:
        raise InvalidRequest("array", f"the array should have 1 to {maximum} elements; it has {len(elements)}")
    return [bytes(element) for element in elements]


def refuse_encoding(body: bytes) -> None:
    """Raise UnsupportedMediaType for bytes that are not JSON in UTF-8 (RFC 8259, 8.1) but another known encoding."""
    for start, what in _ENCODINGS:
        if body.startswith(start):
            raise UnsupportedMediaType("encoding", f"the body is {what}; send plain JSON in UTF-8", ())
    if b"\0" in body[:4] and len(body) > 1:
        raise UnsupportedMediaType("encoding", "the body is in UTF-16 or UTF-32; send it in UTF-8", ())


async def lines(request: Request[Any, Any, Any]) -> AsyncIterator[bytes]:
    """The lines of an NDJSON body as they arrive, without empty ones. Raises BodyTooLarge for a line that is too large,
    and UnsupportedMediaType, before the first line, if the body is not in UTF-8.
    """
    rest, started = b"", False
    async for part in request.stream():
        *whole, rest = (rest + part).split(b"\n")
        if whole and not started:
            refuse_encoding(whole[0])
            started = True
        for line in whole:
            if line.strip():
                yield line
        if len(rest) > _LINE_BYTES_MAX:
            raise BodyTooLarge(_LINE_BYTES_MAX)
    if rest.strip():
        if not started:
            refuse_encoding(rest)
        yield rest


@lru_cache
def _decoder(body_type: type[Body]) -> msgspec.json.Decoder[Body]:
    return msgspec.json.Decoder(body_type)


@lru_cache
def _names(body_type: type[msgspec.Struct]) -> tuple[bytes, ...]:
    """Return the fields as they are written in a body. If each appears at most once and nothing is escaped, none is
    repeated.
    """
    return tuple(b'"%s"' % field.encode_name.encode() for field in msgspec.structs.fields(body_type))


def _names_once(whole: bytes, asked: Sequence[object], body_type: type[msgspec.Struct]) -> bool:
    """Return whether no body among these, without escapes, has a field twice: each field appears as often as it was
    read. A field whose value is its default (`"memo": null`) does not count as read, so this may return False
    needlessly.
    """
    for name, (attribute, default) in zip(_names(body_type), _defaults(body_type), strict=True):
        there = whole.count(name)
        if there and there != sum([getattr(one, attribute) != default for one in asked]):
            return False
    return True


@lru_cache
def _defaults(body_type: type[msgspec.Struct]) -> tuple[tuple[str, object], ...]:
    """Return the struct's attributes, in the order of `_names`, with the default of each."""
    fields = msgspec.structs.fields(body_type)
    assert all(field.default_factory is msgspec.NODEFAULT for field in fields), "they would be equal to nothing"
    return tuple((field.name, field.default) for field in fields)


def _refuse_repeated_fields(body: bytes) -> None:
    """Refuse repeated fields: in `{"amount": "1.00", "amount": "100.00"}` it is unclear which is meant (RFC 8259,
    section 4).
    """

    def refuse_repeated(pairs: list[tuple[str, object]]) -> None:
        seen = set[str]()
        for name, _ in pairs:
            if name in seen:
                raise InvalidRequest("repeated_field", f"the field {name!r} is there more than once; send it once")
            seen.add(name)

    json.loads(body, object_pairs_hook=refuse_repeated)

"""Where a request ends and which host it is for, by the head of an HTTP/1.1 request (RFC 9110, 9112). Pure.

llhttp parses the head and refuses what is not in the grammar: two lengths, a length beside a transfer coding, folded
lines, bare line ends, a space before a colon. These are the rules that it leaves to the server. A request that breaks
one is answered and its connection is closed, because it is unknown where the next request would begin.
"""

import re
from collections.abc import Iterable
from typing import Final

Field = tuple[bytes, bytes]

#: The fields that `check_fields` reads: most requests have one of them.
_FRAMING: Final = frozenset((b"host", b"transfer-encoding", b"expect"))

#: A Host: a name, an IPv4 address or an IPv6 address in brackets, and perhaps a port (RFC 3986, 3.2.2). No userinfo.
_HOST: Final = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(:[0-9]*)?")

#: The absolute form of a request target, which a server has to accept (RFC 9112, 3.2.2).
_ABSOLUTE: Final = re.compile(rb"https?://([^/?#]*)(.*)", re.IGNORECASE)


class Malformed(Exception):
    """A request that cannot be read: an HTTP status, a slug, and a sentence that says what to do instead."""

    def __init__(self, status: int, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail


def without_upgrade(method: bytes, target: bytes, version: str, fields: list[Field]) -> bytes:
    """Return the head without the offer of another protocol: a server may ignore an Upgrade (RFC 9110, 7.8), and then
    the request is the same without it. The parser would take what follows for the other protocol.
    """
    kept = field_lines(field for field in fields if field[0] != b"upgrade")
    return b"%b %b HTTP/%b\r\n%b\r\n" % (method, target, version.encode(), kept)


def field_lines(fields: Iterable[Field]) -> bytes:
    """Return fields as the lines of a head."""
    return b"".join([b"%b: %b\r\n" % field for field in fields])


def check_protocol(method: bytes, version: str) -> None:
    """Raise Malformed for an unsupported protocol version or method."""
    if version not in ("1.0", "1.1"):
        raise Malformed(505, "version", f"this is HTTP/{version}; send the request as HTTP/1.1")
    if method == b"CONNECT":
        raise Malformed(501, "method", "this server is no proxy: send the request itself, and not CONNECT")


def origin_form(method: bytes, target: bytes, fields: list[Field]) -> bytes:
    """Return the target as path and query. An absolute one names the host, which then replaces the Host field.

    Raises Malformed for a fragment, for userinfo, and for `*` with another method than OPTIONS.
    """
    if target.startswith(b"/") and b"#" not in target:
        return target
    if target == b"*" and method == b"OPTIONS":
        return target
    if (absolute := _ABSOLUTE.fullmatch(target)) and b"#" not in target:
        host, rest = absolute.groups()
        fields[:] = [(b"host", host), *(field for field in fields if field[0] != b"host")]
        return rest if rest.startswith(b"/") else b"/" + rest
    raise Malformed(400, "target", "the request target should be a path such as /v1/wallet, without a fragment")


def check_fields(version: str, fields: list[Field]) -> bool:
    """Return whether the client waits for 100 (Continue) before it sends the body. Raises Malformed."""
    found = [field for field in fields if field[0] in _FRAMING]
    _check_host(version, found)
    if found[1:]:
        _check_transfer_coding(version, found)
        return _expects_continue(version, found)
    return False


def members(value: bytes) -> list[bytes]:
    """Return the members of a list (RFC 9110, 5.6.1), in lower case; an empty one is b""."""
    return [member.strip(b" \t").lower() for member in value.split(b",")]


def _check_host(version: str, fields: list[Field]) -> None:
    """Raise Malformed unless there is one Host, or none in HTTP/1.0, and it names a host (RFC 9112, 3.2)."""
    hosts = [value for name, value in fields if name == b"host"]
    if len(hosts) > 1:
        raise Malformed(400, "repeated_header", "the header Host is there more than once; send it once")
    if not hosts and version == "1.1":
        raise Malformed(400, "missing_header", "the header Host is missing; HTTP/1.1 asks for one")
    if hosts and not _HOST.fullmatch(hosts[0]):
        raise Malformed(400, "host", "the header Host should be a name or an address, and perhaps a port")


def _check_transfer_coding(version: str, fields: list[Field]) -> None:
    """Raise Malformed for an unsupported transfer coding (RFC 9112, 6.1 and 6.3)."""
    codings = [coding for name, value in fields if name == b"transfer-encoding" for coding in members(value)]
    if not codings:
        return
    if version == "1.0":
        raise Malformed(400, "transfer_encoding", "HTTP/1.0 has no Transfer-Encoding; send a Content-Length")
    if codings[-1] != b"chunked":
        raise Malformed(400, "transfer_encoding", "the last Transfer-Encoding should be chunked: no other has an end")
    if codings != [b"chunked"]:
        raise Malformed(501, "transfer_encoding", "of Transfer-Encoding only chunked is read here; send nothing else")


def _expects_continue(version: str, fields: list[Field]) -> bool:
    """Return whether the client waits for 100 (Continue) before it sends the body. HTTP/1.0 has no such answer.

    Raises Malformed (417) for any other expectation (RFC 9110, 10.1.1).
    """
    expected = {expectation for name, value in fields if name == b"expect" for expectation in members(value)} - {b""}
    if expected - {b"100-continue"}:
        raise Malformed(417, "expectation", "of Expect only 100-continue is met here; leave the rest out")
    return bool(expected) and version == "1.1"

"""Content for browsers: bytes with an ETag, and security headers.

A page may do what its Content-Security-Policy allows and nothing else. Browsers revalidate content each time, and get
304 while it is the same (RFC 9110, 13).
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from litestar import Request, Response

from gateway.errors import PreconditionFailed

HTML: Final = "text/html"


def permissions(camera: str) -> str:
    """Return the features that a page may use (Permissions Policy); `camera` is an allowlist: `()` or `(self)`."""
    return (
        f"publickey-credentials-create=(self), publickey-credentials-get=(self), camera={camera}, "
        "microphone=(), geolocation=(), payment=()"
    )


#: The security headers of a page, besides its policy.
HEADERS: Final = {
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": permissions("()"),
    "Cache-Control": "no-cache",  # revalidated each time, and answered with 304
}


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes of a media type, and the policy of a page of them. Litestar adds the charset to the types of text."""

    body: bytes
    media_type: str
    policy: str
    etag: str

    @classmethod
    def of(cls, body: bytes, media_type: str, policy: str) -> "Content":
        """Return content whose ETag is a hash of its bytes."""
        return cls(body, media_type, policy, f'"{hashlib.sha256(body).hexdigest()[:32]}"')

    def answer(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """Return the answer to a request for it. Raises PreconditionFailed."""
        headers = {**self.headers(), "ETag": self.etag}
        if "if-match" in request.headers and not _names(request.headers.getall("if-match"), self.etag):
            raise PreconditionFailed("If-Match")
        if _names(request.headers.getall("if-none-match", []), self.etag):
            return Response(b"", status_code=304, headers=headers, media_type=self.media_type)
        return Response(self.body, headers=headers, media_type=self.media_type)

    def headers(self) -> dict[str, str]:
        """Return its security headers."""
        return {"Content-Security-Policy": self.policy, **HEADERS}


def _names(lists: Iterable[str], etag: str) -> bool:
    """Return whether one of these lists of entity tags has this tag, or `*` (RFC 9110, 13.1). A weak tag matches too,
    because the tag is a hash of the content's bytes.
    """
    return any(one in ("*", etag) for text in lists for one in re.findall(r'"[^"]*"|\*', text))

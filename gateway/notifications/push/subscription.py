"""A subscription: where a browser takes pushes, and the keys that they are encrypted with. Pure."""

import hashlib
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from msgspec import Struct

from gateway.errors import InvalidRequest
from gateway.notifications.push.vapid import from_base64
from gateway.outbound.allowed import Allowed

_POINT_BYTES: Final = 65
_SECRET_BYTES: Final = 16

#: How much of an endpoint's hash is shown to tell browsers apart, in bytes.
_SHOWN_BYTES: Final = 4


class BrowserKeys(Struct):
    """Both in base64url."""

    p256dh: str
    auth: str


class BrowserSubscription(Struct):
    """`PushSubscription.toJSON()` (W3C Push API, 8). Other fields are ignored."""

    endpoint: str
    keys: BrowserKeys


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription. `key` is a point of P-256, uncompressed (65 bytes), and `secret` 16 bytes. `text` is the stored
    JSON.
    """

    endpoint: str
    key: bytes
    secret: bytes
    text: str

    def __repr__(self) -> str:
        return f"Subscription({self.shown})"  # the rest of the URL is a capability

    @property
    def shown(self) -> str:
        """The push service's host, and a part of the endpoint's hash."""
        digest = hashlib.sha256(self.endpoint.encode()).digest()[:_SHOWN_BYTES]
        return f"{urlsplit(self.endpoint).hostname} {digest.hex()}"


def checked(allowed: Allowed, given: BrowserSubscription) -> Subscription:
    """Return a browser's subscription, if pushes can be sent there. Raises InvalidRequest."""
    allowed.check_url(given.endpoint, "endpoint")
    key, secret = _bytes("p256dh", given.keys.p256dh, _POINT_BYTES), _bytes("auth", given.keys.auth, _SECRET_BYTES)
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), key)
    except ValueError:
        raise InvalidRequest("p256dh", "keys.p256dh is not a point of the curve P-256") from None
    return Subscription(given.endpoint, key, secret, msgspec.json.encode(given).decode())


def of_text(text: str) -> Subscription:
    """Return a stored subscription, which was validated before."""
    kept = msgspec.json.decode(text, type=BrowserSubscription)
    return Subscription(kept.endpoint, from_base64(kept.keys.p256dh), from_base64(kept.keys.auth), text)


def _bytes(name: str, text: str, size: int) -> bytes:
    try:
        raw = from_base64(text[:200])
    except ValueError:
        raw = b""
    if len(raw) != size:
        raise InvalidRequest(
            name, f"keys.{name} should be {size} bytes in base64url: send the browser's subscription as it is"
        )
    return raw

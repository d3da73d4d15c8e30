"""A browser that takes pushes, as far as it can be without one: its keys, and what it makes of what a push service got.

What it decrypts and verifies with is not the gateway's code: `http_ece` and `py_vapid`.
"""

import secrets
from dataclasses import dataclass, field
from typing import Any

import http_ece
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from py_vapid import Vapid02, b64urldecode

from gateway.notifications.push.encryption import point_of
from gateway.notifications.push.subscription import BrowserKeys, BrowserSubscription, Subscription, checked
from gateway.notifications.push.vapid import to_base64
from gateway.outbound.allowed import Allowed, networks
from tests.webhooks.receiver import Received

LOOPBACK = Allowed(("https", "http"), networks(["127.0.0.0/8"]))


@dataclass
class Browser:
    endpoint: str
    key: EllipticCurvePrivateKey = field(default_factory=lambda: generate_private_key(SECP256R1()))
    auth: bytes = field(default_factory=lambda: secrets.token_bytes(16))

    @property
    def json(self) -> dict[str, Any]:
        """`PushSubscription.toJSON()`."""
        keys = {"p256dh": to_base64(point_of(self.key.public_key())), "auth": to_base64(self.auth)}
        return {"endpoint": self.endpoint, "expirationTime": None, "keys": keys}

    @property
    def subscription(self) -> Subscription:
        return checked(LOOPBACK, BrowserSubscription(self.endpoint, BrowserKeys(**self.json["keys"])))

    @property
    def address(self) -> str:
        """What the gateway keeps of it."""
        return self.subscription.text

    def reads(self, body: bytes) -> bytes:
        """What a push to this browser says."""
        return bytes(http_ece.decrypt(body, private_key=self.key, auth_secret=self.auth, version="aes128gcm"))


def claims(request: Received) -> Any:
    """What the sender of a push says of itself; its signature is right."""
    scheme, _, parts = request.headers["authorization"].partition(" ")
    assert scheme == "vapid"
    token, key = (part.strip() for part in parts.split(","))
    assert Vapid02.verify(f"vapid {token},{key}")
    head, body, _ = token.removeprefix("t=").split(".")
    assert msgspec.json.decode(b64urldecode(head.encode())) == {"typ": "JWT", "alg": "ES256"}
    return msgspec.json.decode(b64urldecode(body.encode()))

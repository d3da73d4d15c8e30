"""The gateway's key for push services, and its identity towards them (VAPID, RFC 8292). Pure.

Browsers subscribe to this key: a push that another key has signed is refused, so a leaked subscription is useless to
others. The key should never change: with another one, every browser has to subscribe again.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.errors import Misconfigured
from gateway.notifications.push.encryption import point_of

#: How long a token is valid: RFC 8292 allows a day at most, and clocks differ.
_GOOD_FOR: Final = timedelta(hours=12)

#: How many bytes are taken modulo the order. 32 would do; 48 make every key equally likely (FIPS 186-5, A.2.1).
SECRET_BYTES: Final = 48

#: The order of P-256 (SEC 2, 2.4.2): a private key is from 1 to the order minus 1.
_ORDER: Final = 0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551


class Vapid:
    """Signs for the gateway. `subject` is a mailto: or https: URL at which a push service reaches the operator."""

    def __init__(self, key: EllipticCurvePrivateKey, subject: str | None) -> None:
        self._key, self._subject = key, subject
        self.public_key: Final = to_base64(
            point_of(key.public_key())
        )  # As browsers take it for `applicationServerKey`.

    def __repr__(self) -> str:
        return f"Vapid({self.public_key})"

    def headers(self, endpoint: str, now: datetime) -> Mapping[str, str]:
        """Return the `Authorization` header of a push to this endpoint: a token for the origin of its URL (RFC 8292, 2
        and 3).
        """
        parts = urlsplit(endpoint)
        claims: dict[str, str | int] = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": int((now + _GOOD_FOR).timestamp()),
        }
        if self._subject:
            claims["sub"] = self._subject
        signed = f"{_part({'typ': 'JWT', 'alg': 'ES256'})}.{_part(claims)}"
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ECDSA(SHA256())))
        signature = to_base64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))  # RFC 7518, 3.4
        return {"Authorization": f"vapid t={signed}.{signature}, k={self.public_key}"}


def read_key(text: str) -> EllipticCurvePrivateKey:
    """Return the key in a setting: 32 bytes in base64url, as `web-push generate-vapid-keys` prints it, or PEM. Raises
    Misconfigured, which never shows it.
    """
    try:
        if text.startswith("-----BEGIN"):
            loaded = load_pem_private_key(text.encode(), password=None)
            if isinstance(loaded, EllipticCurvePrivateKey) and isinstance(loaded.curve, SECP256R1):
                return loaded
        else:
            raw = from_base64(text)
            if len(raw) == 32:
                return derive_private_key(int.from_bytes(raw, "big"), SECP256R1())
    except (ValueError, TypeError, UnsupportedAlgorithm):
        pass
    raise Misconfigured(
        "GATEWAY_VAPID_PRIVATE_KEY is not a private key of P-256: set it to 32 bytes in base64url, as "
        "'npx web-push generate-vapid-keys' prints them, or to a PEM"
    )


def key_of(secret: bytes) -> EllipticCurvePrivateKey:
    """Return the key that is derived from these secret bytes."""
    assert len(secret) == SECRET_BYTES
    return derive_private_key(1 + int.from_bytes(secret, "big") % (_ORDER - 1), SECP256R1())


def to_base64(raw: bytes) -> str:
    """base64url without padding (RFC 4648, 5)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64(text: str) -> bytes:
    """Decode base64url, with or without padding. Raises ValueError if the text is not that."""
    bare = text.rstrip("=")
    raw = urlsafe_b64decode(bare.encode("ascii") + b"=" * (-len(bare) % 4))
    if to_base64(raw) != bare:
        raise ValueError("it is not written in base64url")
    return raw


def _part(fields: Mapping[str, str | int]) -> str:
    return to_base64(msgspec.json.encode(fields))

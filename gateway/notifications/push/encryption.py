"""Encrypt a push for one browser (RFC 8291, by the content coding aes128gcm of RFC 8188). Pure.

The browser's key pair and its secret are those of its subscription; the gateway's key pair is new for each push. One
record holds everything: a push service need not accept more than 4,096 bytes (RFC 8030, 7.2), of which 103 are
overhead.

`pywebpush` does the same with `http_ece`, which has no wheel, and brings a second HTTP client, which follows redirects.
Without it, a few calls of `cryptography` suffice; the tests compare them with the RFC's example and with `http_ece`.
"""

import secrets
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

#: The most bytes of a message: 4,096 without the head of 86, the tag of 16, and the byte that ends the last record.
MESSAGE_BYTES_MAX: Final = 3_993

_RECORD_BYTES: Final = 4_096
_LAST: Final = b"\x02"
_SALT_BYTES: Final = 16


def encrypt(
    message: bytes,
    browser: bytes,
    secret: bytes,
    ours: EllipticCurvePrivateKey | None = None,
    salt: bytes | None = None,
) -> bytes:
    """Return the body of a push. `browser` is the subscription's `p256dh` (65 bytes, a point of P-256), `secret` its
    `auth` (16 bytes). `ours` and `salt` are given for the RFC's example only; by default they are random, as they must
    be.

    Raises ValueError if `browser` is not a point of the curve.
    """
    assert len(message) <= MESSAGE_BYTES_MAX, "who writes a message keeps it short enough"
    ours = ours or generate_private_key(SECP256R1())
    salt = salt or secrets.token_bytes(_SALT_BYTES)
    our_point = point_of(ours.public_key())
    shared = ours.exchange(ECDH(), EllipticCurvePublicKey.from_encoded_point(SECP256R1(), browser))
    key = _derived(shared, secret, b"WebPush: info\0" + browser + our_point, 32)
    cipher = AESGCM(_derived(key, salt, b"Content-Encoding: aes128gcm\0", 16))
    nonce = _derived(key, salt, b"Content-Encoding: nonce\0", 12)
    head = salt + _RECORD_BYTES.to_bytes(4, "big") + bytes([len(our_point)]) + our_point
    return head + cipher.encrypt(nonce, message + _LAST, None)


def point_of(key: EllipticCurvePublicKey) -> bytes:
    """Return the point, uncompressed, in 65 bytes (SEC 1, 2.3.3)."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _derived(of: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(of)

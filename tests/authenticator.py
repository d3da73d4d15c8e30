"""An authenticator in software, and the browser in front of it: makes passkeys and signs with them, rightly or as told.

Both are written from the specification (W3C Web Authentication, sections 5.8.1, 6.1 and 6.5), with nothing of the
gateway's in them.
"""

import hashlib
import json
import os
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

PRESENT, VERIFIED, BACKUP_ELIGIBLE, BACKED_UP, ATTESTED = 0x01, 0x04, 0x08, 0x10, 0x40


def base64url(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass
class Authenticator:
    """One passkey, on a page of `origin`, for the relying party `rp_id`; what is set otherwise, it does otherwise."""

    origin: str = "http://localhost:8000"
    rp_id: str = "localhost"
    algorithm: int = -7
    flags: int = PRESENT | VERIFIED
    sign_count: int = 0
    counts: bool = True
    cross_origin: bool = False
    credential_id: bytes = field(default_factory=lambda: os.urandom(32))
    key: Any = None

    def __post_init__(self) -> None:
        if self.key is None:
            self.key = {
                -7: lambda: ec.generate_private_key(ec.SECP256R1()),
                -8: ed25519.Ed25519PrivateKey.generate,
                -257: lambda: rsa.generate_private_key(65537, 2048),
            }[self.algorithm]()

    def client_data(self, kind: str, challenge: bytes) -> bytes:
        said = {
            "type": kind,
            "challenge": base64url(challenge),
            "origin": self.origin,
            "crossOrigin": self.cross_origin,
        }
        return json.dumps(said).encode()

    def make(self, challenge: bytes) -> tuple[bytes, bytes]:
        """Registration: the client data, and the attestation object."""
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + self.public_key()
        data = self._data(self.flags | ATTESTED) + attested
        return self.client_data("webauthn.create", challenge), cbor2.dumps(
            {"fmt": "none", "attStmt": {}, "authData": data}
        )

    def sign(self, challenge: bytes) -> tuple[bytes, bytes, bytes, bytes]:
        """Assertion: the credential's id, the client data, the authenticator's, and the signature over both."""
        if self.counts:
            self.sign_count += 1
        client_data, data = self.client_data("webauthn.get", challenge), self._data(self.flags)
        return self.credential_id, client_data, data, self.signature(data + hashlib.sha256(client_data).digest())

    def signature(self, message: bytes) -> bytes:
        if self.algorithm == -7:
            return bytes(self.key.sign(message, ec.ECDSA(hashes.SHA256())))
        if self.algorithm == -8:
            return bytes(self.key.sign(message))
        return bytes(self.key.sign(message, padding.PKCS1v15(), hashes.SHA256()))

    def public_key(self) -> bytes:
        """In COSE (RFC 9053)."""
        public = self.key.public_key()
        if isinstance(public, ec.EllipticCurvePublicKey):
            point, size = public.public_numbers(), (public.key_size + 7) // 8
            curve = {"secp256r1": 1, "secp384r1": 2}[public.curve.name]
            axes = (point.x.to_bytes(size, "big"), point.y.to_bytes(size, "big"))
            return cbor2.dumps({1: 2, 3: self.algorithm, -1: curve, -2: axes[0], -3: axes[1]})
        if isinstance(public, ed25519.Ed25519PublicKey):
            return cbor2.dumps({1: 1, 3: self.algorithm, -1: 6, -2: public.public_bytes_raw()})
        numbers = public.public_numbers()
        modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
        return cbor2.dumps({1: 3, 3: self.algorithm, -1: modulus, -2: numbers.e.to_bytes(3, "big")})

    def _data(self, flags: int) -> bytes:
        return hashlib.sha256(self.rp_id.encode()).digest() + bytes([flags]) + self.sign_count.to_bytes(4, "big")

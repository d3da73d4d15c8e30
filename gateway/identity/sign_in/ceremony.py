"""The two ceremonies of a passkey, as far as they can be judged without the database (W3C Web Authentication). Pure.

A browser makes a passkey (registration), and has it sign (assertion), each time over a challenge of ours. What it sends
is what the browser says (the client data: what for, which challenge, on which origin) and what the authenticator says
(for which relying party, whether somebody was there and was verified, how often it has signed).

Accepted is: our origin and no frame inside another's page, our relying party, a person who was there and was verified
(by finger, face or PIN), a key of ES256, EdDSA or RS256. Attestation is not asked for and not believed: it would say of
what make an authenticator is, which nothing here depends on.
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NoBase64
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from webauthn import verify_authentication_response, verify_registration_response
from webauthn.helpers import (
    decode_credential_public_key,
    decoded_public_key_to_cryptography,
    parse_attestation_object,
    parse_authenticator_data,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.structs import (
    AuthenticationCredential,
    AuthenticatorAssertionResponse,
    AuthenticatorAttestationResponse,
    AuthenticatorData,
    RegistrationCredential,
)

from gateway.identity.errors import InvalidPasskey

#: What a key may sign by, the best first (IANA COSE Algorithms): EdDSA, ES256, RS256.
ALGORITHMS = (-8, -7, -257)

#: The most bytes of each thing that is read: several times what browsers send, and too few for deep nesting.
_CLIENT_DATA_MAX, _AUTHENTICATOR_MAX, _SIGNATURE_MAX = 2048, 4096, 1024

#: A credential's id has at most so many bytes (Web Authentication, section 4).
CREDENTIAL_ID_MAX = 1023

_RSA_BITS = range(2048, 4097)

#: The first part of what is hashed into a challenge, so that no other hash of ours is one.
_DOMAIN = "wallet-gateway challenge 1"


@dataclass(frozen=True, slots=True)
class Party:
    """Who asks: the relying party's id, a host's name, and the origin that its pages have (RFC 6454)."""

    id: str
    origin: str

    @property
    def has_passkeys(self) -> bool:
        """Whether browsers make passkeys for it: for a name, over https or on this machine, and for no IP address."""
        try:
            ip_address(self.id)
        except ValueError:
            return self.origin.startswith("https:") or self.id == "localhost" or self.id.endswith(".localhost")
        return False


@dataclass(frozen=True, slots=True)
class Registration:
    """What a browser sends after it has created a passkey: client data (JSON) and an attestation object (CBOR)."""

    client_data: bytes
    attestation: bytes


@dataclass(frozen=True, slots=True)
class Assertion:
    """What a browser sends of a passkey that has signed."""

    credential_id: bytes
    client_data: bytes
    authenticator_data: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class NewKey:
    """What is kept of a passkey that was made; `public_key` is in COSE. `backed_up`: it lives on several devices."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    backed_up: bool


class _ClientData(msgspec.Struct, rename="camel"):
    type: str
    challenge: str
    origin: str
    cross_origin: bool = False


def party_of(public_url: str) -> Party:
    """The relying party whose pages are at `public_url`. An address of this machine (loopback, or 0.0.0.0 for all of
    them) is called localhost there, for browsers make passkeys for names only.
    """
    parts = urlsplit(public_url)
    host = parts.hostname or ""
    try:
        at = ip_address(host)
        if at.is_loopback or at.is_unspecified:
            host = "localhost"
    except ValueError:
        pass  # a name already
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    port = f":{parts.port}" if parts.port not in (None, usual) else ""
    return Party(host, f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}")


def challenge_of(purpose: str, wallet: str, details: Sequence[str], nonce: bytes) -> bytes:
    """The 32 bytes that an assertion is over: SHA-256 of what is meant, each part in UTF-8 behind its length in four
    bytes, big-endian, so that no two lists of parts are the same bytes. A page can make it again from what it shows.
    """
    parts = [part.encode() for part in (_DOMAIN, purpose, wallet, *details)] + [nonce]
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()


def challenge_in(client_data: bytes) -> bytes:
    """The challenge that the browser says it was given. Raises InvalidPasskey."""
    return from_base64(_client_data(client_data).challenge)


def register(registration: Registration, challenge: bytes, party: Party) -> NewKey:
    """The key that was made over this challenge, for this party. Raises InvalidPasskey, saying why not."""
    said = _client_data(registration.client_data)
    if len(registration.attestation) > _AUTHENTICATOR_MAX:
        raise InvalidPasskey("malformed", f"its attestation has more than {_AUTHENTICATOR_MAX} bytes")
    try:
        data = parse_attestation_object(registration.attestation).auth_data
        key = data.attested_credential_data
        if key is None or not 0 < len(key.credential_id) <= CREDENTIAL_ID_MAX:
            raise ValueError("no credential")
    except Exception:  # noqa: BLE001 - the library reads CBOR of strangers, and does not name all its errors
        raise InvalidPasskey("malformed", "its attestation object is not one") from None
    _judge(said, data, "webauthn.create", challenge, party)
    _check_key(key.credential_public_key)
    response = AuthenticatorAttestationResponse(registration.client_data, registration.attestation)
    try:
        verified = verify_registration_response(
            credential=RegistrationCredential(to_base64(key.credential_id), key.credential_id, response),
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            require_user_verification=True,
            supported_pub_key_algs=[COSEAlgorithmIdentifier(one) for one in ALGORITHMS],
        )
    except Exception:  # noqa: BLE001 - as above; whatever it did not like, this is no passkey
        raise InvalidPasskey("malformed", "its attestation does not hold") from None
    return NewKey(
        verified.credential_id, verified.credential_public_key, verified.sign_count, verified.credential_backed_up
    )


def check(assertion: Assertion, public_key: bytes, challenge: bytes, party: Party) -> int:
    """How often the authenticator says that it has signed, once it is sure that it has signed this. Whether that may be
    is for whoever knows the count so far: it is said after the signature, so that nobody else can raise doubts.

    Raises InvalidPasskey, saying why not.
    """
    said = _client_data(assertion.client_data)
    if len(assertion.authenticator_data) > _AUTHENTICATOR_MAX or len(assertion.signature) > _SIGNATURE_MAX:
        raise InvalidPasskey("malformed", "it is longer than any browser makes it")
    try:
        data = parse_authenticator_data(assertion.authenticator_data)
    except Exception:  # noqa: BLE001 - as in `register`
        raise InvalidPasskey("malformed", "its authenticator data is none") from None
    _judge(said, data, "webauthn.get", challenge, party)
    response = AuthenticatorAssertionResponse(
        assertion.client_data, assertion.authenticator_data, assertion.signature, None
    )
    try:
        verified = verify_authentication_response(
            credential=AuthenticationCredential(to_base64(assertion.credential_id), assertion.credential_id, response),
            expected_challenge=challenge,
            expected_rp_id=party.id,
            expected_origin=party.origin,
            credential_public_key=public_key,
            credential_current_sign_count=0,  # the library would look at the count before the signature
            require_user_verification=True,
        )
    except Exception:  # noqa: BLE001 - as in `register`
        raise InvalidPasskey("signature", "this passkey has not signed it") from None
    return verified.new_sign_count


def is_cloned(count: int, before: int) -> bool:
    """Whether an authenticator's count of signatures, which only grows where it counts at all, says that there are two
    of it (Web Authentication, section 6.1.1).
    """
    return count <= before and bool(count or before)


def _judge(said: _ClientData, data: AuthenticatorData, kind: str, challenge: bytes, party: Party) -> None:
    """What must be so of both ceremonies; the library looks again, but does not tell one from another."""
    if said.type != kind:
        raise InvalidPasskey("type", f"it is of another ceremony than {kind}")
    if from_base64(said.challenge) != challenge:
        raise InvalidPasskey("challenge", "it is over another challenge")
    if said.origin != party.origin or said.cross_origin:
        raise InvalidPasskey("origin", f"it was made on a page that is not {party.origin}'s own")
    if data.rp_id_hash != hashlib.sha256(party.id.encode()).digest():
        raise InvalidPasskey("relying_party", f"it is for another relying party than {party.id}")
    if not (data.flags.up and data.flags.uv):
        raise InvalidPasskey("user_verification", "the authenticator has not verified who was there")


def _check_key(public_key: bytes) -> None:
    """Raises InvalidPasskey unless it is a key that a signature can be held to, by one of the algorithms."""
    try:
        decoded = decode_credential_public_key(public_key)
        key = decoded_public_key_to_cryptography(decoded)
        algorithm = int(decoded.alg)
    except Exception:  # noqa: BLE001 - as in `register`
        raise InvalidPasskey("algorithm", "its key is none that can be read") from None
    if isinstance(key, RSAPublicKey) and key.key_size not in _RSA_BITS:
        raise InvalidPasskey("algorithm", f"an RSA key has {_RSA_BITS[0]} to {_RSA_BITS[-1]} bits")
    fits = (
        (algorithm == -8 and isinstance(key, Ed25519PublicKey))
        or (algorithm == -7 and isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1))
        or (algorithm == -257 and isinstance(key, RSAPublicKey))
    )
    if not fits:
        raise InvalidPasskey("algorithm", "its key is not of ES256, EdDSA or RS256")


def _client_data(raw: bytes) -> _ClientData:
    if len(raw) > _CLIENT_DATA_MAX:
        raise InvalidPasskey("malformed", f"its client data has more than {_CLIENT_DATA_MAX} bytes")
    try:
        return msgspec.json.decode(raw, type=_ClientData)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise InvalidPasskey("malformed", "its client data is not what a browser makes") from None


def to_base64(raw: bytes) -> str:
    """base64url without padding, as everything of passkeys is written (RFC 4648, section 5)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64(text: str) -> bytes:
    """Raises InvalidPasskey where the text is no base64url without padding."""
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (NoBase64, ValueError):
        raise InvalidPasskey("malformed", "it is not written in base64url") from None
    if to_base64(raw) != text:
        raise InvalidPasskey("malformed", "it is not written in base64url without padding")
    return raw

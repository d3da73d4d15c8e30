"""The two ceremonies of a passkey, as far as they can be verified without the database (W3C Web Authentication). Pure.

A browser creates a passkey (registration) or lets it sign (assertion), each over a challenge of the gateway. It sends
the client data by the browser (purpose, challenge, origin) and the authenticator data (relying party, whether a person
was present and verified, signature count).

Accepted are: the gateway's own origin and no frame in another's page, its relying party, a person who was present and
verified (by finger, face or PIN), a key of ES256, EdDSA or RS256. Attestation is neither requested nor trusted: it
would name the authenticator's make, which nothing here depends on.

webauthn is imported by the functions that need it: with all the formats of attestation that it knows, it is a sixth of
what a worker or a command of an operator would import. The server imports it at its start (cli/processes/serve.py).
"""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NoBase64
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from gateway.identity.errors import InvalidPasskey

if TYPE_CHECKING:
    from webauthn.helpers.structs import AuthenticatorData

#: The signature algorithms, preferred first (IANA COSE Algorithms): EdDSA, ES256, RS256.
ALGORITHMS = (-8, -7, -257)

#: The most bytes of each input: several times what browsers send, and too few for deep nesting.
_CLIENT_DATA_MAX, _AUTHENTICATOR_MAX, _SIGNATURE_MAX = 2048, 4096, 1024

#: The most bytes of a credential's id (Web Authentication, section 4).
CREDENTIAL_ID_MAX = 1023

_RSA_BITS = range(2048, 4097)

#: The prefix of the data that is hashed into a challenge, so that no other hash of the gateway can serve as one.
_DOMAIN = "wallet-gateway challenge 1"


@dataclass(frozen=True, slots=True)
class Party:
    """The relying party: its id, which is a host name, and the origin of its pages (RFC 6454)."""

    id: str
    origin: str

    @property
    def has_passkeys(self) -> bool:
        """Whether browsers create passkeys for it: for a name, over https or on this machine, and not for an IP
        address.
        """
        try:
            ip_address(self.id)
        except ValueError:
            return self.origin.startswith("https:") or self.id == "localhost" or self.id.endswith(".localhost")
        return False


@dataclass(frozen=True, slots=True)
class Registration:
    """A browser's answer after it has created a passkey: client data (JSON) and an attestation object (CBOR)."""

    client_data: bytes
    attestation: bytes


@dataclass(frozen=True, slots=True)
class Assertion:
    """A browser's answer after a passkey has signed."""

    credential_id: bytes
    client_data: bytes
    authenticator_data: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class NewKey:
    """The stored fields of a new passkey; `public_key` is in COSE. `backed_up`: it is synchronized between several
    devices.
    """

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
    """Return the relying party whose pages are at `public_url`. A local address (loopback, or 0.0.0.0 for all of them)
    becomes localhost, because browsers create passkeys for names only.
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
    """Return the 32 bytes that an assertion signs: SHA-256 of the parts, each in UTF-8 after its length in four bytes,
    big-endian, so that no two lists of parts are the same bytes. A page can compute it from what it shows.
    """
    parts = [part.encode() for part in (_DOMAIN, purpose, wallet, *details)] + [nonce]
    return hashlib.sha256(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).digest()


def challenge_in(client_data: bytes) -> bytes:
    """Return the challenge that the browser says it was given. Raises InvalidPasskey."""
    return from_base64(_client_data(client_data).challenge)


def register(registration: Registration, challenge: bytes, party: Party) -> NewKey:
    """Return the key that was created over this challenge, for this party. Raises InvalidPasskey, with the reason."""
    from webauthn import verify_registration_response
    from webauthn.helpers import parse_attestation_object
    from webauthn.helpers.cose import COSEAlgorithmIdentifier
    from webauthn.helpers.structs import AuthenticatorAttestationResponse, RegistrationCredential

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
    _check_ceremony(said, data, "webauthn.create", challenge, party)
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
    except Exception:  # noqa: BLE001 - as above; whatever the reason, this is not a valid passkey
        raise InvalidPasskey("malformed", "its attestation does not hold") from None
    return NewKey(
        verified.credential_id, verified.credential_public_key, verified.sign_count, verified.credential_backed_up
    )


def check(assertion: Assertion, public_key: bytes, challenge: bytes, party: Party) -> int:
    """Verify the signature. Returns the authenticator's signature count. The caller compares it with the stored count:
    that comes after the signature, so that nobody else can raise a suspicion.

    Raises InvalidPasskey, with the reason.
    """
    from webauthn import verify_authentication_response
    from webauthn.helpers import parse_authenticator_data
    from webauthn.helpers.structs import AuthenticationCredential, AuthenticatorAssertionResponse

    said = _client_data(assertion.client_data)
    if len(assertion.authenticator_data) > _AUTHENTICATOR_MAX or len(assertion.signature) > _SIGNATURE_MAX:
        raise InvalidPasskey("malformed", "it is longer than any browser makes it")
    try:
        data = parse_authenticator_data(assertion.authenticator_data)
    except Exception:  # noqa: BLE001 - as in `register`
        raise InvalidPasskey("malformed", "its authenticator data is none") from None
    _check_ceremony(said, data, "webauthn.get", challenge, party)
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
            credential_current_sign_count=0,  # the library would check the count before the signature
            require_user_verification=True,
        )
    except Exception:  # noqa: BLE001 - as in `register`
        raise InvalidPasskey("signature", "this passkey has not signed it") from None
    return verified.new_sign_count


def is_cloned(count: int, before: int) -> bool:
    """Return whether an authenticator's signature count, which only grows if it counts at all, shows that the passkey
    was cloned (Web Authentication, section 6.1.1).
    """
    return count <= before and bool(count or before)


def _check_ceremony(said: _ClientData, data: "AuthenticatorData", kind: str, challenge: bytes, party: Party) -> None:
    """Check what both ceremonies require. The library checks it again, but does not say which check has failed."""
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
    """Raise InvalidPasskey unless signatures can be verified with the key, by one of the algorithms."""
    from webauthn.helpers import decode_credential_public_key, decoded_public_key_to_cryptography

    try:
        decoded = decode_credential_public_key(public_key)
        key = decoded_public_key_to_cryptography(decoded)
        algorithm = int(decoded.alg)
    except Exception:  # noqa: BLE001 - as in `register`
        raise InvalidPasskey("algorithm", "its key cannot be read") from None
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
    """Encode as base64url without padding, as everything about passkeys is written (RFC 4648, section 5)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64(text: str) -> bytes:
    """Decode base64url without padding. Raises InvalidPasskey if the text is not that."""
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (NoBase64, ValueError):
        raise InvalidPasskey("malformed", "it is not written in base64url") from None
    if to_base64(raw) != text:
        raise InvalidPasskey("malformed", "it is not written in base64url without padding")
    return raw

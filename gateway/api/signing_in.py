"""What comes in and goes out where people sign in, and what of passkeys is bytes: base64url without padding."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from gateway.clock import rfc3339
from gateway.errors import InvalidRequest, NotFound
from gateway.identity.sign_in.ceremony import ALGORITHMS, Assertion, Registration, from_base64, to_base64
from gateway.identity.sign_in.challenge import Asked
from gateway.identity.sign_in.passkey import Passkey
from gateway.identity.sign_in.session import Session
from gateway.identity.wallet import Wallet
from gateway.ids import WalletId, read, show

Base64 = Annotated[str, Meta(description="Bytes in base64url without padding.", max_length=8192)]
PasskeyName = Annotated[str, Meta(description="What its owner calls it, 1 to 60 letters.", examples=["Laptop"])]


class AssertionRequest(Struct, forbid_unknown_fields=True):
    """What navigator.credentials.get() gives: its rawId, and of its response clientDataJSON, authenticatorData and
    signature.
    """

    credential_id: Base64
    client_data: Base64
    authenticator_data: Base64
    signature: Base64


class PasskeyRequest(Struct, forbid_unknown_fields=True):
    """What navigator.credentials.create() gives: of its response clientDataJSON and attestationObject."""

    name: PasskeyName
    client_data: Base64
    attestation: Base64


class SignUpRequest(Struct, forbid_unknown_fields=True):
    """The passkey that was made over a sign-up's challenge, with the handle and the user_id of that challenge."""

    handle: Annotated[str, Meta(description="As it was asked for.", examples=["alice"])]
    user_id: Base64
    name: PasskeyName
    client_data: Base64
    attestation: Base64


class EthereumChallengeRequest(Struct, forbid_unknown_fields=True):
    handle: Annotated[str, Meta(description="Whose wallet is bound to the address.", examples=["alice"])]


class EthereumSessionRequest(Struct, forbid_unknown_fields=True):
    message: Annotated[str, Meta(description="The text of the challenge, byte for byte.")]
    signature: Annotated[str, Meta(description="0x and hex digits: 65 bytes, or what the contract accepts.")]


class RecoverySessionRequest(Struct, forbid_unknown_fields=True):
    handle: Annotated[str, Meta(description="Whose code it is.", examples=["alice"])]
    code: Annotated[str, Meta(description="One of the recovery codes.", examples=["k7fm-2q9x-0c4t-hhz3"])]


class NewPasskeyChallengeView(Struct):
    """What navigator.credentials.create() is to be given. `algorithms` are COSE's, the best first; `exclude` are the
    credentials that the wallet has already.
    """

    challenge: Base64
    rp_id: str
    user_id: Base64
    user_name: str
    algorithms: list[int]
    exclude: list[Base64]
    expires_at: str


class AssertionChallengeView(Struct):
    """What navigator.credentials.get() is to be given, with user verification required. Of which passkeys is the
    browser's to know, where `allow` is empty. The challenge is a hash over what is meant and the nonce: a page makes it
    again from what it shows, and so has signed what was seen.
    """

    challenge: Base64
    nonce: Base64
    rp_id: str
    allow: list[Base64]
    expires_at: str


class PasskeyView(Struct):
    id: str
    name: str
    backed_up: Annotated[bool, Meta(description="Whether it lives on several devices of its owner's.")]
    created_at: str
    last_used_at: str | None


class PasskeysPage(Struct):
    items: list[PasskeyView]
    recovery_codes_left: int


class SessionView(Struct):
    id: str
    handle: str
    wallet_id: str
    begun_by: Literal["passkey", "ethereum", "recovery_code"]
    device: str
    current: Annotated[bool, Meta(description="Whether it is the session that asks.")]
    created_at: str
    last_used_at: str
    expires_at: str
    fresh_until: Annotated[
        str | None, Meta(description="Until when it may do what only an owner may; null: it may not.")
    ]


class SignedUpView(Struct):
    handle: str
    wallet_id: str
    address: str
    api_key: Annotated[str, Meta(description="For programs. Shown this once.")]
    session: SessionView


class SessionsPage(Struct):
    items: list[SessionView]


class RecoveryCodesView(Struct):
    """Shown once."""

    codes: list[str]


def id_of(prefix: str, text: str, what: str) -> UUID:
    """The id that a path says. Raises NotFound where it says none: there is nothing by that name."""
    try:
        return read(prefix, text)
    except InvalidRequest:
        raise NotFound(what) from None


def assertion_of(asked: AssertionRequest) -> Assertion:
    """Raises InvalidPasskey where something is not base64url."""
    return Assertion(
        *(from_base64(asked.credential_id), from_base64(asked.client_data)),
        *(from_base64(asked.authenticator_data), from_base64(asked.signature)),
    )


def registration_of(asked: PasskeyRequest | SignUpRequest) -> Registration:
    """Raises InvalidPasskey where something is not base64url."""
    return Registration(from_base64(asked.client_data), from_base64(asked.attestation))


def new_passkey_challenge_view(asked: Asked, id: WalletId, handle: str, there: list[bytes]) -> NewPasskeyChallengeView:
    return NewPasskeyChallengeView(
        challenge=to_base64(asked.challenge),
        rp_id=asked.party.id,
        user_id=to_base64(id.bytes),
        user_name=f"@{handle}",
        algorithms=list(ALGORITHMS),
        exclude=[to_base64(one) for one in there],
        expires_at=rfc3339(asked.expires_at),
    )


def assertion_challenge_view(asked: Asked, allowed: list[bytes]) -> AssertionChallengeView:
    """`allowed` are credential ids."""
    allow = [to_base64(one) for one in allowed]
    return AssertionChallengeView(
        *(to_base64(asked.challenge), to_base64(asked.nonce), asked.party.id, allow, rfc3339(asked.expires_at))
    )


def passkey_view(of: Passkey) -> PasskeyView:
    used = rfc3339(of.last_used_at) if of.last_used_at else None
    return PasskeyView(of.shown_id, of.name, of.backed_up, rfc3339(of.created_at), used)


def session_view(of: Session, wallet: Wallet, current: bool, now: datetime) -> SessionView:
    fresh = "owner" in of.credential(wallet, now).scopes
    return SessionView(
        id=of.shown_id,
        handle=wallet.handle,
        wallet_id=show("wal", wallet.id),
        begun_by=of.by,
        device=of.device,
        current=current,
        created_at=rfc3339(of.created_at),
        last_used_at=rfc3339(of.last_used_at),
        expires_at=rfc3339(of.expires_at),
        fresh_until=rfc3339(of.fresh_until) if fresh else None,
    )

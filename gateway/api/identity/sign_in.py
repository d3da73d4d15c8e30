"""What comes in and goes out where people sign in, and what of passkeys is bytes: base64url without padding."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta, Struct

from gateway.api.fields import Address, Handle, HandleText, Time, WalletIdText
from gateway.clock import rfc3339
from gateway.errors import InvalidRequest, NotFound
from gateway.http.schema import typed_id
from gateway.identity.sign_in.ceremony import ALGORITHMS, Assertion, Registration, from_base64, to_base64
from gateway.identity.sign_in.challenge import Asked
from gateway.identity.sign_in.passkey import PREFIX as PASSKEY_PREFIX
from gateway.identity.sign_in.passkey import Passkey
from gateway.identity.sign_in.session import PREFIX as SESSION_PREFIX
from gateway.identity.sign_in.session import Session
from gateway.identity.wallet import Wallet
from gateway.ids import WalletId, read, show

Base64 = Annotated[str, Meta(description="Bytes in base64url without padding.", max_length=8192)]
PasskeyName = Annotated[str, Meta(description="What its owner calls it: 1 to 60 characters.", examples=["Laptop"])]


class AssertionRequest(Struct, forbid_unknown_fields=True):
    """What `navigator.credentials.get()` returned: its `rawId`, and of its response `clientDataJSON`,
    `authenticatorData` and `signature`.
    """

    credential_id: Base64
    client_data: Base64
    authenticator_data: Base64
    signature: Base64


class PasskeyRequest(Struct, forbid_unknown_fields=True):
    """What `navigator.credentials.create()` returned: of its response `clientDataJSON` and `attestationObject`."""

    name: PasskeyName
    client_data: Base64
    attestation: Base64


class SignUpRequest(Struct, forbid_unknown_fields=True):
    """The passkey that was made over a sign-up's challenge, with the handle and the `user_id` of that challenge."""

    handle: HandleText
    user_id: Base64
    name: PasskeyName
    client_data: Base64
    attestation: Base64


class EthereumChallengeRequest(Struct, forbid_unknown_fields=True):
    handle: HandleText


class EthereumSessionRequest(Struct, forbid_unknown_fields=True):
    message: Annotated[str, Meta(description="The text of the challenge, byte for byte.")]
    signature: Annotated[str, Meta(description="0x and hex digits: 65 bytes, or what the contract accepts.")]


class RecoverySessionRequest(Struct, forbid_unknown_fields=True):
    handle: HandleText
    code: Annotated[str, Meta(description="One of the recovery codes.", examples=["k7fm-2q9x-0c4t-hhz3"])]


class NewPasskeyChallengeView(Struct):
    """What to pass to `navigator.credentials.create()`."""

    challenge: Base64
    rp_id: Annotated[str, Meta(description="The relying party: the gateway's host.", examples=["pay.example"])]
    user_id: Base64
    user_name: Annotated[str, Meta(examples=["@alice"])]
    algorithms: Annotated[list[int], Meta(description="COSE algorithms, the best first.")]
    exclude: Annotated[list[Base64], Meta(description="The credentials that the wallet has already.")]
    expires_at: Time


class AssertionChallengeView(Struct):
    """What to pass to `navigator.credentials.get()`, with user verification required. The challenge is a hash over what
    is meant and the nonce: a page makes it again from what it shows, so that what was seen is what is signed.
    """

    challenge: Base64
    nonce: Base64
    rp_id: Annotated[str, Meta(description="The relying party: the gateway's host.", examples=["pay.example"])]
    allow: Annotated[
        list[Base64], Meta(description="The credentials that may sign; empty: any that the browser knows.")
    ]
    expires_at: Time


class PasskeyView(Struct):
    id: Annotated[str, typed_id(PASSKEY_PREFIX, "A passkey's id.")]
    name: PasskeyName
    backed_up: Annotated[bool, Meta(description="Whether it is on several devices of its owner.")]
    created_at: Time
    last_used_at: Time | None


class PasskeysPage(Struct):
    items: list[PasskeyView]
    recovery_codes_left: int


class SessionView(Struct):
    id: Annotated[str, typed_id(SESSION_PREFIX, "A session's id.")]
    handle: Handle
    wallet_id: WalletIdText
    begun_by: Annotated[Literal["passkey", "ethereum", "recovery_code"], Meta(description="How it was started.")]
    device: Annotated[str, Meta(description="The User-Agent that started it.")]
    current: Annotated[bool, Meta(description="Whether the request was made with it.")]
    created_at: Time
    last_used_at: Time
    expires_at: Time
    fresh_until: Annotated[
        Time | None, Meta(description="Until when it may do what only the owner may; null: it may not.")
    ]


class SignedUpView(Struct):
    handle: Handle
    wallet_id: WalletIdText
    address: Address
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

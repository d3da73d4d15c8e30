"""The bodies of requests and answers. Requests refuse unknown fields."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from gateway.api.fields import (
    Address,
    AssetCode,
    CustodyText,
    Handle,
    HandleText,
    ScopeText,
    Signature,
    Time,
    WalletIdText,
)
from gateway.http.schema import typed_id
from gateway.identity.scope import Scope
from gateway.payments.model.route import RailName


class HandleRequest(Struct, forbid_unknown_fields=True):
    handle: HandleText


ApiKeyHash = Annotated[
    str,
    Meta(
        description="SHA-256, in hex, of an API key that you make from 256 random bits and keep before you call; "
        "without it the gateway makes a key and shows it once.",
        pattern="^[0-9a-f]{64}$",
    ),
]


class ClaimRequest(Struct, forbid_unknown_fields=True):
    """With `api_key_hash` the claim can be retried if its answer was lost: it then returns the wallet that it
    created.
    """

    handle: HandleText
    api_key_hash: ApiKeyHash | None = None


class AddressRequest(Struct, forbid_unknown_fields=True):
    address: Address


class BindRequest(Struct, forbid_unknown_fields=True):
    message: Annotated[str, Meta(description="The challenge's message, byte for byte.", max_length=4_000)]
    signature: Signature


class HandleView(Struct):
    handle: Handle
    wallet_id: WalletIdText
    address: Address
    custody: CustodyText


class NewHandleView(Struct):
    handle: Handle
    wallet_id: WalletIdText
    address: Address
    api_key: Annotated[str | None, Meta(description="Shown only once; null if the caller generated it.")]


class ChallengeView(Struct):
    message: Annotated[str, Meta(description="The text to sign, byte for byte.")]
    address: Address
    expires_at: Time


class BoundView(Struct):
    handle: Handle
    wallet_id: WalletIdText
    address: Address
    custody: CustodyText


# ---- sign-in: what of passkeys is bytes is base64url without padding ------------------------------------------------

Base64 = Annotated[str, Meta(description="Bytes in base64url without padding.", max_length=8192)]

PasskeyName = Annotated[str, Meta(description="What its owner calls it: 1 to 60 characters.", examples=["Laptop"])]


class AssertionRequest(Struct, forbid_unknown_fields=True):
    """The result of `navigator.credentials.get()`: its `rawId`, and `clientDataJSON`, `authenticatorData` and
    `signature` of its response.
    """

    credential_id: Base64
    client_data: Base64
    authenticator_data: Base64
    signature: Base64


class PasskeyRequest(Struct, forbid_unknown_fields=True):
    """The result of `navigator.credentials.create()`: `clientDataJSON` and `attestationObject` of its response."""

    name: PasskeyName
    client_data: Base64
    attestation: Base64


class SignUpRequest(Struct, forbid_unknown_fields=True):
    """The passkey that was created over a sign-up's challenge, with the handle and the `user_id` of that challenge."""

    handle: HandleText
    user_id: Base64
    name: PasskeyName
    client_data: Base64
    attestation: Base64


class EthereumSignUpRequest(Struct, forbid_unknown_fields=True):
    handle: HandleText
    address: Address


class EthereumChallengeRequest(Struct, forbid_unknown_fields=True):
    handle: HandleText


class EthereumSessionRequest(Struct, forbid_unknown_fields=True):
    message: Annotated[str, Meta(description="The text of the challenge, byte for byte.")]
    signature: Annotated[str, Meta(description="0x and hex digits: 65 bytes, or what the contract accepts.")]


class RecoverySessionRequest(Struct, forbid_unknown_fields=True):
    handle: HandleText
    code: Annotated[str, Meta(description="One of the recovery codes.", examples=["k7fm-2q9x-0c4t-hhz3"])]


class LinkSessionRequest(Struct, forbid_unknown_fields=True):
    code: Annotated[str, Meta(description="The part of the link after `#link=`.", max_length=100, examples=["gl_FNb…"])]


class RecoveryCodesConfirmationRequest(Struct, forbid_unknown_fields=True):
    code: Annotated[str, Meta(description="One of the recovery codes.", examples=["k7fm-2q9x-0c4t-hhz3"])]


class NewPasskeyChallengeView(Struct):
    """The challenge to pass to `navigator.credentials.create()`."""

    challenge: Base64
    rp_id: Annotated[str, Meta(description="The relying party: the gateway's host.", examples=["pay.example"])]
    user_id: Base64
    user_name: Annotated[str, Meta(examples=["@alice"])]
    algorithms: Annotated[list[int], Meta(description="COSE algorithms, preferred first.")]
    exclude: Annotated[list[Base64], Meta(description="The wallet's existing credentials.")]
    expires_at: Time


class AssertionChallengeView(Struct):
    """The challenge to pass to `navigator.credentials.get()`, with user verification required. It is a hash of the
    details and the nonce. A page computes it again from the details that it shows, so that people sign what they see.
    """

    challenge: Base64
    nonce: Base64
    rp_id: Annotated[str, Meta(description="The relying party: the gateway's host.", examples=["pay.example"])]
    allow: Annotated[
        list[Base64], Meta(description="The credentials that may sign; empty: any that the browser knows.")
    ]
    expires_at: Time


class PasskeyView(Struct):
    id: Annotated[str, typed_id("psk", "A passkey's id.")]
    name: PasskeyName
    backed_up: Annotated[bool, Meta(description="Whether it is on several devices of its owner.")]
    created_at: Time
    last_used_at: Time | None


ConfirmedAt = Annotated[
    Time | None,
    Meta(description="When one of the current recovery codes was last used or confirmed; null: never."),
]


class PasskeysPage(Struct):
    items: list[PasskeyView]
    recovery_codes_left: int
    recovery_codes_confirmed_at: ConfirmedAt


class RecoveryCodesStatusView(Struct):
    recovery_codes_left: int
    recovery_codes_confirmed_at: ConfirmedAt


class SessionView(Struct):
    id: Annotated[str, typed_id("ses", "A session's id.")]
    handle: Handle
    wallet_id: WalletIdText
    sign_in_method: Annotated[
        Literal["passkey", "ethereum", "recovery_code", "link"], Meta(description="How it was started.")
    ]
    device: Annotated[str, Meta(description="The User-Agent of the browser that started it.")]
    current: Annotated[bool, Meta(description="Whether the request was made with it.")]
    created_at: Time
    last_used_at: Time
    expires_at: Time
    fresh_until: Annotated[Time | None, Meta(description="Until when it acts as the owner; null: it only reads.")]


class SignedUpView(Struct):
    handle: Handle
    wallet_id: WalletIdText
    address: Address
    api_key: Annotated[str, Meta(description="For programs. Shown only once.")]
    session: SessionView


class SessionsPage(Struct):
    items: list[SessionView]


class RecoveryCodesView(Struct):
    """Shown once."""

    codes: list[str]


# ---- API keys -------------------------------------------------------------------------------------------------------

Seconds = Annotated[int, Meta(ge=1, le=10 * 365 * 86_400)]


class CapView(Struct, forbid_unknown_fields=True):
    """The limits of a key's payments in an asset."""

    asset: AssetCode
    rail: Annotated[RailName | None, Meta(description="On this rail only; null: on any.")] = None
    payee: Annotated[str | None, Meta(description="To this handle only; null: to anybody.", examples=["@bob"])] = None
    payment: Annotated[str | None, Meta(description="The most in one payment; null: no limit.", examples=["50.00"])] = (
        None
    )
    day: Annotated[str | None, Meta(description="The most in any 24 hours; null: no limit.", examples=["200.00"])] = (
        None
    )


class KeyRequest(Struct, forbid_unknown_fields=True):
    """A key with caps can make payments that at least one of its caps covers, up to the limits of every cap that covers
    them, without an approval.
    """

    name: Annotated[str, Meta(description="What its owner calls it: 1 to 60 characters.", examples=["Web shop"])]
    scopes: Annotated[
        list[ScopeText],
        Meta(
            description="`read`, `pay`, `refund` and `webhooks`, which is for notifications: report links and the "
            "deliveries of webhooks.",
            examples=[["read", "pay"]],
        ),
    ]
    caps: list[CapView] = []
    networks: Annotated[
        list[str],
        Meta(description="Networks that it may be used from (CIDR); empty: any.", examples=[["192.0.2.0/24"]]),
    ] = []
    expires_in: Annotated[
        Seconds | None, Meta(description="How long it is valid, in seconds; null: until it is revoked.")
    ] = None


class ReplaceKeyRequest(Struct, forbid_unknown_fields=True):
    overlap: Annotated[int, Meta(ge=0, le=604_800, description="How long the old key stays valid, in seconds.")] = 3600


class KeyView(Struct):
    id: Annotated[str, typed_id("key", "An API key's id.")]
    name: str
    scopes: list[Scope]
    caps: list[CapView]
    networks: list[str]
    created_at: Time
    expires_at: Time | None
    last_used_at: Annotated[Time | None, Meta(description="To the minute.")]
    current: Annotated[bool, Meta(description="Whether the request was made with it.")]
    needs_approval: Annotated[
        bool,
        Meta(description="It has caps and was created before the first passkey: it cannot pay until it is approved."),
    ]


class NewKeyView(KeyView, kw_only=True):
    api_key: Annotated[str, Meta(description="Shown only once.")]


class KeysPage(Struct):
    items: list[KeyView]

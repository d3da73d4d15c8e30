"""What comes in and goes out. Requests refuse unknown fields."""

from typing import Annotated

from msgspec import Meta, Struct

from gateway.api.fields import Address, CustodyText, Handle, HandleText, Signature, Time, WalletIdText


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
    """With `api_key_hash` the claim can be repeated when its answer was lost: it finds the wallet that it made."""

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
    api_key: Annotated[str | None, Meta(description="Shown this once; null where the caller has made it.")]


class ChallengeView(Struct):
    message: Annotated[str, Meta(description="What to sign, byte for byte.")]
    address: Address
    expires_at: Time


class BoundView(Struct):
    handle: Handle
    wallet_id: WalletIdText
    address: Address
    custody: CustodyText

"""Types of fields that several subjects share. Money is a decimal string, never a JSON number.

A type has the description, format, pattern and example that the OpenAPI document shows. The pattern or `one_of` of a
request's field is documentation only and is not checked here: the code that reads the value refuses it with a better
message.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta

from gateway.errors import InvalidRequest
from gateway.http.schema import one_of, typed_id
from gateway.identity.scope import Scope
from gateway.payments.model.policy import Reason
from gateway.payments.model.state import State

Amount = Annotated[
    str,
    Meta(
        description="A positive decimal, as a string, with no more decimals than the asset has.",
        examples=["12.50"],
        extra_json_schema={"pattern": r"^(0|[1-9]\d*)(\.\d+)?$"},
    ),
]
Decimal = Annotated[
    str,
    Meta(
        description="A decimal, as a string, with all decimals of the asset.",
        examples=["12.50"],
        extra_json_schema={"pattern": r"^-?(0|[1-9]\d*)(\.\d+)?$"},
    ),
]
AssetCode = Annotated[str, Meta(description="ISO 4217 code, or the code of a token.", examples=["EUR", "USDX"])]
PayeeText = Annotated[str, Meta(description="@handle, or a 0x address.", examples=["@bob"])]
Party = Annotated[str, Meta(description="@handle, or the address of a party without one.", examples=["@alice"])]
HandleText = Annotated[
    str,
    Meta(
        description="A handle: 2 to 30 of a-z, 0-9 and _. Other cases and a leading @ are accepted.",
        examples=["alice"],
    ),
]
Handle = Annotated[str, Meta(description="A handle, without the @.", examples=["alice"])]
Address = Annotated[
    str,
    Meta(
        description="An Ethereum address, with the checksum of EIP-55.",
        examples=["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"],
        extra_json_schema={"pattern": "^0x[0-9a-fA-F]{40}$"},
    ),
]
TxHash = Annotated[
    str,
    Meta(
        description="The chain transaction that carries it; null: none yet, or not on the chain.",
        extra_json_schema={"pattern": "^0x[0-9a-f]{64}$"},
    ),
]
Time = Annotated[
    str,
    Meta(
        description="RFC 3339, in UTC, to the microsecond.",
        examples=["2030-01-31T12:00:00.000000Z"],
        extra_json_schema={"format": "date-time"},
    ),
]
PaymentIdText = Annotated[str, typed_id("pay", "A payment's id.")]
RequestIdText = Annotated[str, typed_id("req", "A request's id.")]
WalletIdText = Annotated[str, typed_id("wal", "A wallet's id. It stays the same when the wallet gets another address.")]
PaymentState = Annotated[str, one_of([state.value for state in State], "The payment's state.")]
ReasonText = Annotated[str, one_of(get_args(Reason), "Why an approval is needed.")]
ScopeText = Annotated[str, one_of(get_args(Scope), "What a key may do.")]
MemoText = Annotated[str, Meta(description="Up to 280 characters. Both sides see it.", examples=["lunch"])]
NextCursor = Annotated[
    str | None, Meta(description="Pass it as `cursor` for the next page; null: this is the last page.")
]
Reference = Annotated[
    str,
    Meta(
        description="Your own reference, such as an order number: 1 to 64 printable characters. Only you see it.",
        examples=["order-17"],
    ),
]
MetadataObject = Annotated[
    dict[str, str | int | float | bool],
    Meta(
        title="Metadata",
        description="For your own systems: keys of 1 to 40 printable characters, 2,048 bytes in all as JSON. Only you "
        "see it. Numbers are those that every JSON reader has (RFC 8259, section 6).",
        examples=[{"shop": "berlin", "basket": 3}],
    ),
]
TypedData = Annotated[
    dict[str, Any],
    Meta(
        title="TypedData",
        description="EIP-712 typed data to sign, as ethers and viem take it. eth_signTypedData_v4 needs EIP712Domain "
        "(name, version, chainId, verifyingContract) among its types too.",
        extra_json_schema={
            "required": ["domain", "types", "primaryType", "message"],
            "properties": {
                "domain": {"type": "object", "additionalProperties": True},
                "types": {
                    "type": "object",
                    "additionalProperties": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["name", "type"],
                            "properties": {"name": {"type": "string"}, "type": {"type": "string"}},
                        },
                    },
                },
                "primaryType": {"type": "string"},
                "message": {"type": "object", "additionalProperties": True},
            },
        },
    ),
]
Signature = Annotated[
    str,
    Meta(
        description="0x and hex digits: 65 bytes (r, s, v), EIP-2098's 64, or what the contract there accepts.",
        extra_json_schema={"pattern": "^0x([0-9a-fA-F]{2})*$"},
    ),
]
CustodyText = Annotated[
    Literal["gateway", "owner", "contract"],
    Meta(description="Who keeps the address's key: the gateway or its owner; or the address is a contract."),
]


def check_time(name: str, moment: datetime) -> None:
    """Raises InvalidRequest for a time whose year leaves the range 1 to 9999 when it is converted to UTC, in which
    PostgreSQL gets all times.
    """
    try:
        moment.astimezone(UTC)
    except OverflowError:
        raise InvalidRequest(name, f"{name} is outside the years 1 to 9999 in UTC") from None


def signature_bytes(text: str) -> bytes:
    """The bytes of a signature in hex. Raises InvalidRequest."""
    digits = text.removeprefix("0x")
    if not text.startswith("0x") or len(digits) % 2 or not set(digits) <= set("0123456789abcdefABCDEF"):
        raise InvalidRequest("signature", "a signature is 0x and hex digits, two for each byte")
    return bytes.fromhex(digits)

"""EIP-3009 messages: the signed EIP-712 data of an authorization, and the calls of the contract. Pure, except for
`signature.py`, which verifies signatures.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

from eth_hash.auto import keccak
from msgspec import Struct

from gateway.address import ZERO, to_bytes
from gateway.chain import signature
from gateway.chain.errors import InvalidSignature
from gateway.chain.token.contract import Contract, Movement, selector

Kind = Literal["transfer", "redemption", "mint", "sweep"]
KINDS: tuple[Kind, ...] = ("transfer", "redemption", "mint", "sweep")

#: Who signs: the gateway with the payer's key, when it is batched; the payer's own key; or the payer's contract.
By = Literal["gateway", "owner", "contract"]

#: The key by which the contract knows an authorization: asset code, from (zero for a mint), nonce (a mint's reference).
Key = tuple[str, str, int]


class Authorization(Struct, frozen=True):
    """An order with its nonce, and its signature once it has one. A redemption's `to_address` is the contract."""

    id: UUID
    kind: Kind
    asset: str
    from_address: str
    to_address: str
    value: int
    nonce: int
    valid_before: int
    signature: bytes | None
    by: By = "gateway"
    valid_after: int = 0

    @property
    def key(self) -> Key:
        return (self.asset, self.from_address, self.nonce)

    def is_settled_by(self, movement: Movement) -> bool:
        """Return whether the movement is exactly this authorization's, with the same payee and amount.

        An owner can sign another message with the same nonce: then that one has moved tokens, and this one never will.
        """
        nonce, payee = movement.nonce, ZERO if self.kind == "redemption" else self.to_address
        if self.kind == "mint":
            nonce = movement.reference
        moved = (movement.asset_code, movement.from_address, nonce, movement.to_address, movement.value)
        return moved == (*self.key, payee, self.value)


# ---- what is signed (EIP-712, EIP-3009) -----------------------------------------------------------------------------

_DOMAIN_TYPE = keccak(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
_TRANSFER_TYPE = keccak(
    b"TransferWithAuthorization"
    b"(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
)
_VERSION = "1"


@lru_cache(maxsize=1000)
def domain_separator(contract: Contract) -> bytes:
    name, version = keccak(contract.name.encode()), keccak(_VERSION.encode())
    return keccak(_DOMAIN_TYPE + name + version + _word(contract.chain_id) + _word_of(contract.address))


def digest(contract: Contract, authorization: Authorization) -> bytes:
    """Return the 32 bytes that the payer signs."""
    return digests(contract, [authorization])[0]


def digests(contract: Contract, authorizations: Sequence[Authorization]) -> list[bytes]:
    """Return the digests of many authorizations of one token."""
    assert all(one.kind != "mint" for one in authorizations)
    before = b"\x19\x01" + domain_separator(contract)
    messages = [
        _TRANSFER_TYPE
        + _word_of(one.from_address)
        + _word_of(one.to_address)
        + _word(one.value)
        + _word(one.valid_after)
        + _word(one.valid_before)
        + _word(one.nonce)
        for one in authorizations
    ]
    return [keccak(before + keccak(message)) for message in messages]


def check(contract: Contract, authorization: Authorization) -> None:
    """Raise InvalidSignature unless the contract would accept the signature as the payer's key's, in the one form it
    accepts.
    """
    signer, signed = authorization.from_address, authorization.signature
    if signature.check(signer, digest(contract, authorization), signed) != signed:
        raise InvalidSignature(signer, "it should be 65 bytes, r, s and v, where v is 27 or 28")


def typed_data(contract: Contract, authorization: Authorization) -> dict[str, Any]:
    """Return the EIP-712 message for an owner's wallet to sign, as ethers v6 and viem take it: without `EIP712Domain`
    among the types, which ethers refuses, and with a number as the chain id, because viem signs none that is a string.
    The message's own numbers are decimal strings. A raw eth_signTypedData_v4 needs the type of the domain as well.
    """
    message = {"from": "address", "to": "address", "value": "uint256", "validAfter": "uint256"}
    message |= {"validBefore": "uint256", "nonce": "bytes32"}
    return {
        "types": {"TransferWithAuthorization": _members(message)},
        "primaryType": "TransferWithAuthorization",
        "domain": {
            "name": contract.name,
            "version": _VERSION,
            "chainId": contract.chain_id,
            "verifyingContract": contract.address,
        },
        "message": {
            "from": authorization.from_address,
            "to": authorization.to_address,
            "value": str(authorization.value),
            "validAfter": str(authorization.valid_after),
            "validBefore": str(authorization.valid_before),
            "nonce": "0x" + _word(authorization.nonce).hex(),
        },
    }


def _members(types: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "type": type_} for name, type_ in types.items()]


def _word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def _word_of(address: str) -> bytes:
    return bytes(12) + to_bytes(address)


# ---- what the contract takes ----------------------------------------------------------------------------------------

_SETTLE = selector("settle")
_MINT = selector("mint")


# Encoded by hand, as the contract ABI specification lays it out ("Formal Specification of the Encoding"): a general
# encoder took as long for a payment as signing it does.

_ARRAY_AT, _SIGNATURE_AT = _word(32), _word(7 * 32)


def settle_data(authorizations: Sequence[Authorization]) -> bytes:
    """Return the call that settles them, in order: `settle((address,address,uint256,uint256,uint256,bytes32,bytes)[])`.
    Each must be signed.
    """
    entries = [_entry(a) for a in authorizations]
    places, at = [], 32 * len(entries)
    for entry in entries:
        places.append(_word(at))
        at += len(entry)
    return b"".join([_SETTLE, _ARRAY_AT, _word(len(entries)), *places, *entries])


def _entry(a: Authorization) -> bytes:
    assert a.signature is not None
    length = len(a.signature)
    return b"".join(
        [
            _word_of(a.from_address),
            _word_of(a.to_address),
            _word(a.value),
            _word(a.valid_after),
            _word(a.valid_before),
            _word(a.nonce),
            _SIGNATURE_AT,
            _word(length),
            a.signature,
            bytes(-length % 32),
        ]
    )


def mint_data(authorizations: Sequence[Authorization]) -> bytes:
    """Return the call that mints them, in order: `mint((address,uint256,bytes32)[])`."""
    entries = [_word_of(a.to_address) + _word(a.value) + _word(a.nonce) for a in authorizations]
    return b"".join([_MINT, _ARRAY_AT, _word(len(entries)), *entries])

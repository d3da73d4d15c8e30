"""Verify the signatures of others: of a key (secp256k1), or of a contract, which is called (ERC-1271).

The token's contract tries the key first and then, if there is code at the address, the contract (`_isSignedBy` in
Token.sol). This module does the same, so that both accept the same signatures.
"""

from typing import Literal

from coincurve import PublicKey
from eth_abi.abi import encode

from gateway.address import of_public_key
from gateway.chain.errors import InvalidSignature
from gateway.chain.node import Node

#: The largest s of a signature; the mirrored s above it would be a second signature of the same message (EIP-2).
_S_MAX = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0

#: The most bytes of a contract's signature: enough for a dozen keys. Longer ones would crowd others out of batches.
BYTES_MAX = 1024

#: isValidSignature(bytes32,bytes): its selector, which is also the answer that accepts (ERC-1271).
_MAGIC = bytes.fromhex("1626ba7e")

#: The most gas that the token lets a contract use to verify a signature (`ERC1271_GAS` in Token.sol).
CONTRACT_GAS = 100_000


def canonical(signature: bytes) -> bytes:
    """Return a key's signature in the one form that contracts accept: r, s and v, where v is 27 or 28.

    Ledger devices sign with a v of 0 or 1, and EIP-2098 folds v into the top bit of s, in 64 bytes. A signature in no
    such form is returned unchanged. A contract's signature is never altered: its last byte means something else (a
    Safe's v of 1: approved before).
    """
    if len(signature) == 64:
        s, is_odd = signature[32] & 0x7F, signature[32] >> 7
        return signature[:32] + bytes([s]) + signature[33:] + bytes([27 + is_odd])
    if len(signature) == 65 and signature[64] in (0, 1):
        return signature[:64] + bytes([27 + signature[64]])
    return signature


def check(signer: str, digest: bytes, signature: bytes | None) -> bytes:
    """Return the signature in its `canonical` form if the key of `signer` has made it over the digest. Raises
    InvalidSignature, with the reason.
    """
    signed = canonical(signature or b"")
    if len(signed) != 65 or signed[64] not in (27, 28):
        raise InvalidSignature(signer, "it should be r, s and v in 65 bytes, or the 64 bytes of EIP-2098")
    if int.from_bytes(signed[32:64], "big") > _S_MAX:
        raise InvalidSignature(signer, "its s is in the upper half, which contracts refuse (EIP-2)")
    recoverable = signed[:64] + bytes([signed[64] - 27])
    try:
        key = PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
    except Exception:  # noqa: BLE001 - coincurve raises bare Exception for an r that is on no point
        raise InvalidSignature(signer, "no key has made it") from None
    if of_public_key(key.format(compressed=False)) != signer:
        raise InvalidSignature(signer, "another key has made it, or over another message")
    return signed


def is_same(kept: bytes | None, signature: bytes) -> bool:
    """Return whether the stored signature is this one, in either form."""
    return kept in (signature, canonical(signature))


async def check_any(
    node: Node, signer: str, digest: bytes, signature: bytes
) -> tuple[Literal["owner", "contract"], bytes]:
    """Return who has signed for `signer`, its owner's key or the contract at the address, and the signature as the
    token accepts it. Calls the node if no key has.

    Raises InvalidSignature, or NodeUnavailable if the contract cannot be called.
    """
    try:
        return "owner", check(signer, digest, signature)
    except InvalidSignature as no_key:
        if not await node.code(signer):
            raise no_key from None
    await check_contract(node, signer, digest, signature)
    return "contract", signature


async def check_contract(node: Node, contract: str, digest: bytes, signature: bytes) -> None:
    """Call the contract to verify the signature, with as much gas as the token allows it. Network only.

    Raises InvalidSignature unless the answer is exactly ERC-1271's magic value; NodeUnavailable.
    """
    if len(signature) > BYTES_MAX:
        raise InvalidSignature(contract, f"it has more than {BYTES_MAX} bytes")
    data = _MAGIC + encode(["bytes32", "bytes"], [digest, signature])
    answer = await node.view(contract, data, CONTRACT_GAS)
    if answer is None:
        raise InvalidSignature(contract, f"the contract refuses to answer, or not with {CONTRACT_GAS} gas (ERC-1271)")
    if len(answer) < 32 or answer[:32] != _MAGIC.ljust(32, b"\0"):
        raise InvalidSignature(contract, "the contract says that it has not signed this (ERC-1271)")

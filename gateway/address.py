"""Addresses: 20 bytes on the chain, and text with EIP-55's checksum everywhere in the gateway. Pure.

The case of the letters is the checksum, so each address has exactly one text. Texts can be compared and used as keys.
"""

from functools import lru_cache

import rlp
from eth_hash.auto import keccak
from eth_utils.address import to_checksum_address

#: The sender of mints and the recipient of redemptions.
ZERO = "0x" + 40 * "0"


@lru_cache(maxsize=100_000)
def checksum(raw: bytes) -> str:
    """Return the text of an address of 20 bytes (EIP-55)."""
    return to_checksum_address(raw)


def to_bytes(address: str) -> bytes:
    """Return the 20 bytes of a checksummed address."""
    raw = bytes.fromhex(address[2:])
    assert len(raw) == 20
    return raw


def read(text: str) -> str | None:
    """Return the address in a user's `text`: 0x and 40 digits, all in one case or with the right checksum. None if it
    is not an address; a mistyped checksum makes it invalid (EIP-55).
    """
    digits = text[2:]
    if not text.startswith("0x") or len(digits) != 40 or not set(digits) <= set("0123456789abcdefABCDEF"):
        return None
    address = checksum(bytes.fromhex(digits))
    return address if text == address or digits in (digits.lower(), digits.upper()) else None


def of_public_key(uncompressed: bytes) -> str:
    """Return the address of a key: the end of the hash of its public point's 64 bytes, without the leading 0x04."""
    assert len(uncompressed) == 65
    return checksum(keccak(uncompressed[1:])[12:])


def of_deployment(sender: str, nonce: int) -> str:
    """Return the address of the contract that `sender` creates with its transaction `nonce` (Yellow Paper, section
    7).
    """
    return checksum(keccak(rlp.encode([to_bytes(sender), nonce]))[12:])

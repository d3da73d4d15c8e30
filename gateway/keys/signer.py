"""Relayers' keys, and the transactions that they sign.

Signatures are deterministic (RFC 6979) and have a low s (EIP-2), as coincurve makes them.
"""

from dataclasses import dataclass
from typing import Final, Protocol

import rlp
from coincurve import PrivateKey
from eth_hash.auto import keccak

from gateway.address import checksum, of_public_key, to_bytes
from gateway.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class TransactionFields:
    """The fields of a type 2 transaction (EIP-1559), without the access list, which is always empty here. `to` is None
    if it creates a contract.
    """

    chain_id: int
    nonce: int
    tip_wei_max: int
    fee_wei_max: int
    gas_limit: int
    to: str | None
    value_wei: int
    data: bytes

    def unsigned(self) -> list[int | bytes | list[bytes]]:
        to = b"" if self.to is None else to_bytes(self.to)
        fees = [self.tip_wei_max, self.fee_wei_max]
        return [self.chain_id, self.nonce, *fees, self.gas_limit, to, self.value_wei, self.data, []]


#: EIP-1559's transaction type, the first byte of its encoding.
_TYPE_2 = b"\x02"


class Signer(Protocol):
    """Signs a relayer's transactions. Here with a key in memory; another implementation may be a hardware module."""

    @property
    def address(self) -> str: ...

    def sign_transaction(self, fields: TransactionFields) -> tuple[bytes, bytes]:
        """Return the transaction's hash, and its raw bytes as a node takes them."""


class RelayerSigner:
    """A signer whose key is in this process."""

    def __init__(self, private_key: bytes) -> None:
        self._key = PrivateKey(private_key)
        self._address = of_public_key(self._key.public_key.format(compressed=False))

    def __repr__(self) -> str:
        return f"RelayerSigner({self._address})"

    @property
    def address(self) -> str:
        return self._address

    def sign_transaction(self, fields: TransactionFields) -> tuple[bytes, bytes]:
        unsigned = fields.unsigned()
        signature = self._key.sign_recoverable(keccak(_TYPE_2 + rlp.encode(unsigned)), hasher=None)
        r, s, parity = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"), signature[64]
        raw = _TYPE_2 + rlp.encode([*unsigned, parity, r, s])
        return keccak(raw), raw


def fields_of(raw: bytes) -> TransactionFields:
    """Decode a raw transaction that this module has signed."""
    assert raw[:1] == _TYPE_2
    chain_id, nonce, tip, fee, gas_limit, to, value, data = rlp.decode(raw[1:])[:8]
    return TransactionFields(
        chain_id=_int(chain_id),
        nonce=_int(nonce),
        tip_wei_max=_int(tip),
        fee_wei_max=_int(fee),
        gas_limit=_int(gas_limit),
        to=checksum(to) if to else None,
        value_wei=_int(value),
        data=data,
    )


def _int(raw: bytes) -> int:
    return int.from_bytes(raw, "big")


# ---- keys everybody knows -------------------------------------------------------------------------------------------

#: anvil's first key, which pays for gas on the embedded chain: of the mnemonic "test test … junk", and publicly known.
LOCAL_RELAYER_KEY: Final = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")

#: The embedded chain's relayers: that key, and anvil's ninth, which people who experiment rarely use (the tenth is
#: scripts/wallet's). There are two so that one works while the other is stopped. A block of that chain has room for
#: three full batches, and one relayer fills it, so a third would only add two more grants to the first start.
LOCAL_RELAYER_KEYS: Final = (
    LOCAL_RELAYER_KEY,
    bytes.fromhex("dbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97"),
)

#: The ten addresses whose keys anvil prints when it starts. On a public chain, whatever they own is taken within
#: seconds.
WELL_KNOWN_ADDRESSES: Final = frozenset(
    {
        "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
        "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
        "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
        "0x15d34AAf54267DB7D7c367839AAf71A00a2C6A65",
        "0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc",
        "0x976EA74026E726554dB657fA54763abd0C3a0aa9",
        "0x14dC79964da2C08b23698B3D3cc7Ca32193d9955",
        "0x23618e81E3f5cdF7f54C3d65f7FBc0aBf5B21E8f",
        "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720",
    }
)


def refuse_well_known(signer: Signer, embedded: bool) -> None:
    """Raise Misconfigured if the signer has a publicly known key and the chain is not the embedded one."""
    if not embedded and signer.address in WELL_KNOWN_ADDRESSES:
        raise Misconfigured(
            f"the relayer {signer.address} is one of the test accounts whose keys everybody knows: "
            "put keys of your own into GATEWAY_RELAYER_KEY_FILE"
        )

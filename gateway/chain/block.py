"""Blocks, logs, receipts, fees and account states, as a node reports them. Pure.

Hashes and data are bytes, addresses checksummed text, amounts of the native coin in wei.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from eth_hash.auto import keccak
from msgspec import Struct

#: The first topic of every ERC-20 Transfer log.
TRANSFER = keccak(b"Transfer(address,address,uint256)")


@dataclass(frozen=True, slots=True)
class Block:
    """A block's header, with the fields that are needed to follow the chain, and the hashes of its transactions.
    `timestamp` is in Unix seconds.

    `forgotten`: the transactions root says that the block has transactions, but the node has pruned them. It then has
    no logs and receipts of them either, and would answer as if there had never been any.
    """

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp: int
    bloom: int
    forgotten: bool = False
    transactions: frozenset[bytes] = frozenset()

    def may_have_logs_of(self, address: str) -> bool:
        """Return whether the bloom has the contract's bits. False is certain; True means maybe."""
        bits = _bloom_bits(bytes.fromhex(address[2:]))
        return self.bloom & bits == bits

    def is_explained_by(self, logs: Iterable["Log"]) -> bool:
        """Return whether these logs set every bit of the bloom: then none of the block's logs is missing, unless bits
        collide. A bloom of ones alone, which some chains have, says nothing.
        """
        parts = {part for log in logs for part in (bytes.fromhex(log.address[2:]), *log.topics)}
        told = 0
        for part in parts:
            told |= _bloom_bits(part)
        return self.bloom & ~told == 0 or self.bloom == _ALL_ONES


#: 256 bytes of ones.
_ALL_ONES = 2**2048 - 1


def _bloom_bits(part: bytes) -> int:
    """Return the three bits that an address or a topic sets in a block's bloom (Yellow Paper, 4.3.1)."""
    digest = keccak(part)
    bits = 0
    for at in (0, 2, 4):
        bits |= 1 << int.from_bytes(digest[at : at + 2], "big") % 2048
    return bits


class Log(Struct, frozen=True):
    """A log. `log_index` counts within the block."""

    address: str
    topics: tuple[bytes, ...]
    data: bytes
    block_number: int
    block_hash: bytes
    transaction_hash: bytes
    log_index: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """A transaction's receipt. It may still change until its block is final. `logs` counts the logs by the contract's
    address, in lower case.
    """

    hash: bytes
    succeeded: bool
    block_number: int
    block_hash: bytes
    gas_used: int
    gas_price_wei: int
    contract_address: str | None
    logs: Mapping[str, int] = field(default_factory=dict)

    @property
    def cost_wei(self) -> int:
        return self.gas_used * self.gas_price_wei


@dataclass(frozen=True, slots=True)
class Call:
    """The data of a transaction and its recipient; None if it creates a contract."""

    to: str | None
    data: bytes


@dataclass(frozen=True, slots=True)
class Fees:
    """What a transaction offers per unit of gas (EIP-1559): `fee_wei_max` in total, of which `tip_wei_max` is the
    tip.
    """

    fee_wei_max: int
    tip_wei_max: int


@dataclass(frozen=True, slots=True)
class AccountState:
    """An address in the newest block: how many of its transactions are mined, and its balance."""

    address: str
    mined: int
    balance_wei: int

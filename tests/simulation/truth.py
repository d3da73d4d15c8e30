"""What the chain says by itself: read and added up without any of the product's own code.

Every log of a token from its first block on, by plain JSON-RPC. A Transfer that an authorization moved stands just
after its AuthorizationUsed, one that a mint made just before its Minted (contracts/README.md).
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from eth_hash.auto import keccak

from tests.anvils import Chain

_TRANSFER = keccak(b"Transfer(address,address,uint256)")
_USED = keccak(b"AuthorizationUsed(address,bytes32)")
_MINTED = keccak(b"Minted(address,uint256,bytes32)")

NOBODY = "0x" + 40 * "0"


@dataclass(frozen=True)
class Moved:
    """Units of a token that moved; addresses in lower case. `by` is the payer's nonce, or the mint's reference."""

    code: str
    payer: str
    payee: str
    units: int
    by: int | None
    transaction: str
    block: int


@dataclass
class Truth:
    """Everything that moved, in order, and what everybody has of it."""

    moved: list[Moved] = field(default_factory=list)
    have: Counter[tuple[str, str]] = field(default_factory=Counter)  #: Units by token's code and address.

    def settlements(self, code: str, payer: str, nonce: int) -> list[Moved]:
        """What a payer's nonce has moved; a mint's reference is the zero address's."""
        return list(self._by.get((code, payer.lower(), nonce), []))

    def __post_init__(self) -> None:
        self._by: dict[tuple[str, str, int], list[Moved]] = {}

    def add(self, one: Moved) -> None:
        self.moved.append(one)
        self.have[one.code, one.payer] -= one.units
        self.have[one.code, one.payee] += one.units
        if one.by is not None:
            self._by.setdefault((one.code, one.payer, one.by), []).append(one)


def read(chain: Chain, tokens: dict[str, str]) -> Truth:
    """All that the tokens (address by code) have said up to the newest block."""
    truth = Truth()
    for code, address in tokens.items():
        said = chain.rpc("eth_getLogs", {"address": address, "fromBlock": "0x0", "toBlock": "latest"})
        said.sort(key=lambda log: (_int(log["blockNumber"]), _int(log["logIndex"])))
        for before, log, after in zip([None, *said], said, [*said[1:], None], strict=False):
            if _topic(log) == _TRANSFER:
                truth.add(_moved(code, before, log, after))
    return truth


def _moved(code: str, before: Any, log: Any, after: Any) -> Moved:
    by = None
    if _stands(before, log, -1) and _topic(before) == _USED:
        by = _int(before["topics"][2])
    elif _stands(after, log, 1) and _topic(after) == _MINTED:
        by = _int(after["topics"][2])
    payer, payee = ("0x" + topic[-40:] for topic in log["topics"][1:3])
    return Moved(code, payer, payee, _int(log["data"]), by, log["transactionHash"], _int(log["blockNumber"]))


def _stands(neighbour: Any, log: Any, step: int) -> bool:
    """Whether the neighbour is the very next log, of the same transaction."""
    return (
        neighbour is not None
        and neighbour["transactionHash"] == log["transactionHash"]
        and _int(neighbour["logIndex"]) == _int(log["logIndex"]) + step
    )


def _topic(log: Any) -> bytes:
    return bytes.fromhex(log["topics"][0][2:])


def _int(text: str) -> int:
    return int(text, 16)

"""A range of final blocks, decoded."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.chain.block import Block, Receipt
from gateway.chain.token.contract import Movement, Skip


@dataclass(frozen=True, slots=True)
class BlockRange:
    """Final blocks `first` to `last.number`: movements, skips, and the receipts of the requested hashes, in the order
    of the chain. A receipt may be of a block before `first`.

    `assets` are the tokens whose contracts were read; `final` is the number of the newest final block; `timestamps` are
    the blocks' times in Unix seconds, by number.
    """

    assets: frozenset[str]
    first: int
    last: Block
    final: int
    movements: list[Movement]
    skips: list[Skip]
    receipts: list[Receipt]
    timestamps: Mapping[int, int] = field(default_factory=dict)

    @property
    def newest(self) -> bool:
        """Whether it ends at the newest final block."""
        return self.last.number == self.final

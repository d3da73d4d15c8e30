"""Progress messages of a worker that waits for the chain. Pure.

If it is far behind: how far, how fast, how long still. (Resuming after a kill does not depend on this: the cursor is in
the database, and moves with every block range.) If mined transactions do not become final: which setting decides that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.chain.block import Block
from gateway.chain.relayer.relayers import Relayer
from gateway.chain.watcher.block_range import BlockRange
from gateway.chain.watcher.final_block import waiting

#: A worker that is fewer blocks behind says nothing: that takes a moment.
FAR = 2_000

#: The shortest time between two messages.
EVERY = timedelta(seconds=5)


@dataclass(slots=True)
class CatchUp:
    """Progress from one newest final block to the next. `far` is in blocks."""

    far: int = FAR
    every: timedelta = EVERY
    _first: int = field(default=0, init=False)  # The number of the block at which it started, …
    _since: datetime | None = field(default=None, init=False)  # … and when; None if it is not behind.
    _said_at: datetime | None = field(default=None, init=False)

    def line(self, block_range: BlockRange, now: datetime) -> str | None:
        """Return the message after this block range is written; None if there is none."""
        left = block_range.final - block_range.last.number
        where = f"block {block_range.last.number:,} of {block_range.final:,}"
        if self._since is None:
            if left < self.far:
                return None
            self._first, self._since, self._said_at = block_range.last.number, now, now
            return f"catching up: {where}"
        seconds = max((now - self._since).total_seconds(), 0.001)
        done = block_range.last.number - self._first
        if left == 0:
            self._since = None
            return f"caught up with block {block_range.final:,}, {done:,} blocks in {seconds:,.0f} s"
        if self._said_at is not None and now - self._said_at < self.every:
            return None
        self._said_at = now
        return f"catching up: {where}, {done / seconds:,.0f} blocks/s, {left * seconds / done:,.0f} s left"


@dataclass(slots=True)
class FinalityWait:
    """The wait of mined transactions to become final. `patience` is how old they are when it is reported."""

    patience: timedelta = timedelta(seconds=30)
    _said: bool = field(default=False, init=False)

    def line(self, relayers: Sequence[Relayer], final: Block | None, finality: int | None, now: datetime) -> str | None:
        """Return the message, once for each wait; None if there is none."""
        waits = [one.oldest_at for one in relayers if one.unfinished > one.open and one.oldest_at is not None]
        if not waits:
            self._said = False
        if self._said or not waits or now - min(waits) < self.patience:
            return None
        self._said = True
        return f"what is in a block waits for it to be final. {waiting(final, finality)}"

"""What is said on the way by a worker that is far behind the chain: how far it is, how fast, how long yet. Pure.

Where it goes on after a kill is no business of this: the cursor is in the database, and moves with every span.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.chain.watch import Span

#: Nothing is said by who is less than so many blocks behind: that is a moment's work.
FAR = 2_000

#: How long nothing is said after something was.
EVERY = timedelta(seconds=5)


@dataclass(slots=True)
class CatchUp:
    """One way to the newest final block after another. `far` is in blocks."""

    far: int = FAR
    every: timedelta = EVERY
    _first: int = field(default=0, init=False)  #: Where its first span ended, a block's number, …
    _since: datetime | None = field(default=None, init=False)  #: … and when; None while there is no way to go.
    _said_at: datetime | None = field(default=None, init=False)

    def line(self, span: Span, now: datetime) -> str | None:
        """What to say once this span is written; None where there is nothing to say."""
        left = span.final - span.last.number
        where = f"block {span.last.number:,} of {span.final:,}"
        if self._since is None:
            if left < self.far:
                return None
            self._first, self._since, self._said_at = span.last.number, now, now
            return f"catching up: {where}"
        seconds = max((now - self._since).total_seconds(), 0.001)
        done = span.last.number - self._first
        if left == 0:
            self._since = None
            return f"caught up with block {span.final:,}, {done:,} blocks in {seconds:,.0f} s"
        if self._said_at is not None and now - self._said_at < self.every:
            return None
        self._said_at = now
        return f"catching up: {where}, {done / seconds:,.0f} blocks/s, {left * seconds / done:,.0f} s left"

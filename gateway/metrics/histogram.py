"""Count values by bucket. Pure and cheap: a bisection and two additions."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import Final

#: The upper bounds of latencies, in seconds: from a ledger payment to a statement's deadline.
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

#: The upper bounds of the sizes of groups (group_commit.py).
SIZES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


class Histogram:
    """Counts of values by buckets with these upper bounds, ascending. A bound is in its own bucket, as Prometheus'
    `le`.
    """

    __slots__ = ("_bounds", "_counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """Count a value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self.sum += value

    @property
    def count(self) -> int:
        """The number of values."""
        return sum(self._counts)

    def buckets(self) -> Iterator[tuple[str, int]]:
        """Yield each bucket's upper bound, as text, and how many values are up to it; `+Inf` is the last, and has
        all.
        """
        so_far = 0
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            so_far += count
            yield bound, so_far

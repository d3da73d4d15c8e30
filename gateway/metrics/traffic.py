"""Counts an HTTP server's answers: requests by route and status, their durations, and payments by outcome.

A request is counted when its answer begins: an event stream is open for minutes but was answered in milliseconds. Its
duration starts when its headers have been read and all earlier requests on the connection were answered.
"""

from collections import defaultdict
from collections.abc import Iterator
from time import monotonic
from typing import Final

from gateway.metrics.histogram import SECONDS, Histogram

#: The route of a request that matched none: a caller may request any path.
NO_ROUTE: Final = "none"

#: The rail of a payment that was refused before one was chosen.
NO_RAIL: Final = "none"

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Route:
    """The answers of one route."""

    __slots__ = ("seconds", "statuses")

    def __init__(self) -> None:
        self.statuses: defaultdict[int, int] = defaultdict(int)
        self.seconds = Histogram(SECONDS)

    def answered(self, status: int, started: float) -> None:
        """Count an answer to a request that began at that time, by the monotonic clock."""
        self.statuses[status] += 1
        self.seconds.observe(monotonic() - started)


class Traffic:
    """Counts the answers of one server."""

    def __init__(self) -> None:
        self._routes: dict[tuple[str, str], Route] = {}
        self._payments: defaultdict[tuple[str, str], int] = defaultdict(int)

    def route(self, method: str, template: str) -> Route:
        """Return the counts of a route's template."""
        named = (method if method in _METHODS else "other", template)
        if named not in self._routes:
            self._routes[named] = Route()
        return self._routes[named]

    def paid(self, rail: str, outcome: str) -> None:
        """Count a payment's outcome: `settled`, `held`, `accepted`, or the code of its error."""
        self._payments[rail, outcome] += 1

    def requests(self) -> Iterator[tuple[tuple[str, ...], float]]:
        """Yield the number of requests, by method, route and status."""
        for (method, route), one in self._routes.items():
            for status, count in one.statuses.items():
                yield (method, route, str(status)), count

    def seconds(self) -> Iterator[tuple[tuple[str, ...], Histogram]]:
        """Yield their durations, by method and route."""
        for (method, route), one in self._routes.items():
            yield (method, route), one.seconds

    def payments(self) -> Iterator[tuple[tuple[str, ...], float]]:
        """Yield the number of payments, by rail and outcome."""
        yield from self._payments.items()


def outcome_of(status: int, is_hold: bool) -> str:
    """Return the outcome of a payment that was not refused: 201 is of the ledger rail, which has settled or held it;
    202 waits for the chain, an approval or a signature.
    """
    if status == 201:
        return "held" if is_hold else "settled"
    return "accepted"

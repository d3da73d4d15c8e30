"""Counts requests on the fast path: each caller's requests for the rate limits, the last use of API keys, and the
outcomes of payments.
"""

import asyncio
from typing import Final

from gateway.api.payments.fast.head import Head
from gateway.api.payments.fast.request import Request
from gateway.http.services import Services
from gateway.identity.api_key import LastUsed
from gateway.identity.rate_limits import Kind
from gateway.ids import WalletId
from gateway.metrics.traffic import Traffic

#: The rate limits that apply to a caller here.
LIMITED: Final[tuple[Kind, ...]] = ("requests", "guesses")


class Counts:
    """One per process. Callers are counted as in http/callers.py: an API key by its hash, a session by its wallet."""

    def __init__(self, services: Services, traffic: Traffic) -> None:
        self._database, self._limits, self._clock = services.database, services.limits, services.clock
        self._traffic = traffic
        self._last_used = LastUsed()
        self._writing: asyncio.Task[None] | None = None  # the loop itself keeps only weak references to tasks

    def is_over(self, who: str) -> bool:
        """Whether the caller is over a rate limit, so that the ordinary handler has to refuse."""
        if not self._limits.is_anybody_over:
            return False
        now = self._clock()
        return any(self._limits.is_over(kind, who, now) for kind in LIMITED)

    def request(self, head: Head, wallet: WalletId | None = None) -> None:
        """Count an answered request. `wallet` is the session's; a request whose wallet is unknown is not counted."""
        now = self._clock()
        if not head.of_session:
            self._limits.note(self._database, "requests", head.token_hash.hex(), now)
            if self._last_used.note(head.token_hash, now):
                self._writing = asyncio.create_task(self._last_used.write(self._database))
        elif wallet is not None:
            self._limits.note(self._database, "requests", str(wallet), now)

    def paid(self, request: Request, outcome: str) -> None:
        """Count the outcome of a payment, as metrics name it. Captures, voids and refunds are not payments."""
        if request.rail is not None:
            self._traffic.paid(request.rail, outcome)

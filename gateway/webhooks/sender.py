"""Send one delivery to an endpoint, and interpret its answer."""

from collections.abc import Mapping
from typing import Any

from gateway.clock import Clock
from gateway.outbound.allowed import Allowed
from gateway.outbound.http_client import HttpClient
from gateway.webhooks.delivery import Attempt
from gateway.webhooks.vocabulary import Outcome


class Sender:
    """Sends to endpoints. `threads` is how many host names are looked up at once; `more` is passed to HttpClient."""

    def __init__(self, allowed: Allowed, clock: Clock, threads: int, **more: Any) -> None:
        self._client = HttpClient("wallet-gateway-webhooks/1", allowed, clock, threads, keeps=True, **more)

    async def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Attempt:
        """Send one POST; return its outcome."""
        answer = await self._client.post(url, headers, body)
        outcome = answer.failure or outcome_of(answer.status or 0)
        return Attempt(answer.at, answer.milliseconds, outcome, answer.status, answer.retry_after)

    async def close(self) -> None:
        await self._client.close()


def outcome_of(status: int) -> Outcome:
    """The outcome of a delivery with this HTTP status. Pure."""
    if 200 <= status < 300:
        return "delivered"
    if 300 <= status < 400:
        return "redirect"
    return {410: "gone", 429: "too_many_requests"}.get(status, "http_status")  # type: ignore[return-value]

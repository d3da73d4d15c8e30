"""The first start: three handles, sandbox money, and a payment on each rail, all through the HTTP API.

Every call carries an idempotency key that is the same each time, so a tour that was interrupted is taken up again and
nothing is paid twice. A handle's API key is kept in `<home>/keys/<handle>`, readable by its owner alone.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.commands.client import Client

HANDLES = ("alice", "bob", "shop")

#: How long the tour waits for a payment to settle.
_SETTLE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Tour:
    """What the tour did: balances before and after the two payments, by handle, and the payments as they settled."""

    before: dict[str, list[dict[str, Any]]]
    after: dict[str, list[dict[str, Any]]]
    payments: list[dict[str, Any]]


async def take(url: str, keys: Path, say: Callable[[str], None]) -> Tour:
    """Create what is missing of the three handles, give them money, and make the two payments."""
    clients = {handle: Client(url, keys, handle) for handle in HANDLES}
    try:
        for client in clients.values():
            await client.claim_unless_ours()
        alice, bob = clients["alice"], clients["bob"]
        await alice.deposit("500.00", "EUR", key="tour-deposit-eur")
        await alice.deposit("1000.00", "USD", key="tour-deposit-usd")
        await bob.deposit("80.00", "EUR", key="tour-deposit-eur")
        bought = await alice.convert("250.00", "USD", "USDX", key="tour-buy-usdx")
        say("@alice buys 250.00 USDX with 250.00 USD")
        await settled(alice, "conversions", bought["id"])

        before = {handle: await client.balances() for handle, client in clients.items()}
        fiat = await alice.pay("@bob", "12.50", "EUR", memo="lunch", key="tour-pay-eur")
        token = await alice.pay("@shop", "20.00", "USDX", memo="a cap", key="tour-pay-usdx")
        say("@alice pays @bob 12.50 EUR and @shop 20.00 USDX")
        payments = [await settled(alice, "payments", fiat["id"]), await settled(alice, "payments", token["id"])]
        after = {handle: await client.balances() for handle, client in clients.items()}
        return Tour(before, after, payments)
    finally:
        for client in clients.values():
            await client.close()


async def settled(client: Client, kind: str, id: str) -> dict[str, Any]:
    """Wait until a payment or conversion has ended, and return it. Raises TimeoutError after a minute."""
    async with asyncio.timeout(_SETTLE_SECONDS):
        while True:
            found = await client.show(kind, id)
            if found["state"] not in ("queued", "submitted", "held"):
                return found
            await asyncio.sleep(0.1)

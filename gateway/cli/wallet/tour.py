"""The first start: three handles, sandbox money, and a payment on each rail, all through the HTTP API.

Every call carries an idempotency key that is the same each time, so an interrupted tour continues where it stopped, and
nothing is paid twice. A handle's API key is stored in `<home>/keys/<handle>`, readable by its owner alone.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.cli.wallet.client import Client
from gateway.money import Assets, Money

HANDLES = ("alice", "bob", "shop")

#: How long the tour waits for a payment to settle.
_SETTLE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Tour:
    """The result of the tour: balances before and after the two payments, by handle, and the settled payments."""

    before: dict[str, list[dict[str, Any]]]
    after: dict[str, list[dict[str, Any]]]
    payments: list[dict[str, Any]]


async def take(url: str, keys: Path, assets: Assets, say: Callable[[str], None]) -> Tour:
    """Create those of the three handles that do not exist, deposit money, and make two payments: one in the first
    currency of the settings, one in the first token.
    """
    clients = {handle: Client(url, keys, handle) for handle in HANDLES}
    token = assets.tokens()[0]
    assert token.backing is not None
    try:
        for client in clients.values():
            await client.claim_unless_ours()
        alice, bob = clients["alice"], clients["bob"]
        await _deposit(alice, money(assets, "500.00"), "tour-deposit")
        await _deposit(alice, money(assets, "1000.00", token.backing), "tour-deposit-backing")
        await _deposit(bob, money(assets, "80.00"), "tour-deposit")
        given, into = money(assets, "250.00", token.backing), money(assets, "250.00", token.code)
        bought = await alice.convert(given.amount, given.asset.code, token.code, key="tour-buy")
        say(f"@alice buys {into} with {given}")
        await settled(alice, "conversions", bought["id"])

        before = {handle: await client.balances() for handle, client in clients.items()}
        lunch, cap = money(assets, "12.50"), money(assets, "20.00", token.code)
        fiat = await alice.pay("@bob", lunch.amount, lunch.asset.code, memo="lunch", key="tour-pay")
        tokens = await alice.pay("@shop", cap.amount, cap.asset.code, memo="a cap", key="tour-pay-token")
        say(f"@alice pays @bob {lunch} and @shop {cap}")
        payments = [await settled(alice, "payments", fiat["id"]), await settled(alice, "payments", tokens["id"])]
        after = {handle: await client.balances() for handle, client in clients.items()}
        return Tour(before, after, payments)
    finally:
        for client in clients.values():
            await client.close()


def money(assets: Assets, amount: str, code: str | None = None) -> Money:
    """An amount of the asset, or of the first currency. It is a hundred times as much in a currency without decimals,
    such as 1250 JPY instead of 12.50 EUR. For a token it is whole tokens, which need no decimals.
    """
    fiat = next(asset for asset in assets if asset.kind == "fiat")
    asset = fiat if code is None else assets[code]
    currency = asset if asset.backing is None else assets[asset.backing]
    units = int(amount.replace(".", "")) * (1 if currency.decimals else 100)
    return Money(units * 10**asset.decimals // 100, asset)


async def _deposit(client: Client, what: Money, key: str) -> None:
    await client.deposit(what.amount, what.asset.code, key=key)


async def settled(client: Client, kind: str, id: str) -> dict[str, Any]:
    """Wait until a payment or conversion has ended, and return it. Raises TimeoutError after a minute."""
    async with asyncio.timeout(_SETTLE_SECONDS):
        while True:
            found = await client.show(kind, id)
            if found["state"] not in ("queued", "submitted", "held"):
                return found
            await asyncio.sleep(0.1)

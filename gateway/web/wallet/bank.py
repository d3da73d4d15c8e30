"""Top up from the bank, withdraw to it, and convert between a currency and its token.

Each page has one form with an idempotency key of its own; its script sends it.
"""

import secrets
from collections.abc import Sequence
from typing import Any

from litestar import Request, Response

from gateway.api.wallets.wallets import get_wallet
from gateway.http.services import Services
from gateway.identity.wallet import Wallet
from gateway.ids import show
from gateway.web.owned import answer, own_page


@own_page("/top-up")
async def top_up_page(request: Request[Any, Any, Any], services: Services, caller: Wallet) -> Response[bytes]:
    """Money from the bank."""
    return await _page(request, services, caller, "top-up", _currencies(services))


@own_page("/withdraw")
async def withdraw_page(request: Request[Any, Any, Any], services: Services, caller: Wallet) -> Response[bytes]:
    """Money to the bank."""
    return await _page(request, services, caller, "withdraw", _currencies(services))


@own_page("/convert")
async def convert_page(request: Request[Any, Any, Any], services: Services, caller: Wallet) -> Response[bytes]:
    """A currency into its token, or back, one to one."""
    assets = services.settings.assets
    pairs = [(assets.backing(token).code, token.code) for token in assets.tokens()]
    return await _page(
        request, services, caller, "convert", [way for a, b in pairs for way in (f"{a} {b}", f"{b} {a}")]
    )


async def _page(
    request: Request[Any, Any, Any], services: Services, caller: Wallet, kind: str, choices: Sequence[str]
) -> Response[bytes]:
    wallet = await get_wallet.fn(services, caller)
    return answer(
        request,
        "wallet/bank.html",
        me=caller.handle,
        wallet=wallet,
        kind=kind,
        choices=choices,
        has={one.asset: one.available for one in wallet.balances},
        wallet_id=show("wal", caller.id),
        decimals={one.code: one.decimals for one in services.settings.assets.spendable()},
        key=secrets.token_urlsafe(16),
    )


def _currencies(services: Services) -> list[str]:
    return [one.code for one in services.settings.assets.spendable() if one.kind == "fiat"]

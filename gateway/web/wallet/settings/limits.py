"""The wallet's policy as a form: payments that need no approval."""

from typing import Any

from litestar import Request, Response

from gateway.api.payments.approvals import get_policy
from gateway.http.services import Services
from gateway.identity.wallet import Wallet
from gateway.ids import show
from gateway.web.owned import answer, own_page


@own_page("/settings/limits", follows=True)
async def limits_page(request: Request[Any, Any, Any], services: Services, caller: Wallet) -> Response[bytes]:
    """The limits of each asset, other reasons for approvals, and trusted payees. Its script sends them."""
    policy = await get_policy.fn(services, caller) if caller.guarded else None
    decimals = {one.code: one.decimals for one in services.settings.assets.spendable()}
    return answer(
        request,
        "wallet/limits.html",
        me=caller.handle,
        wallet_id=show("wal", caller.id),
        policy=policy,
        decimals=decimals,
    )

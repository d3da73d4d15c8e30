"""Mandates: list and grant them.

/settings/mandates        the mandates in force
/settings/mandates/new    the form: payee and limits; an error is shown at its field
/settings/mandates/check  all details of the mandate; its button has a passkey sign them
"""

from datetime import datetime
from typing import Any, Final

from litestar import Request, Response

from gateway.api.identity.handles import get_handle
from gateway.api.payments.mandates import list_mandates
from gateway.errors import AmountTooPrecise, GatewayError, InvalidAmount
from gateway.http.services import Services
from gateway.identity.errors import InvalidHandle, UnknownHandle
from gateway.identity.wallet import Wallet
from gateway.ids import show
from gateway.money import Asset
from gateway.web.owned import answer, own_page, reader_for
from gateway.web.problems import why_of

_FIELDS: Final = ("payee", "period", "asset", "period_days", "draw", "total", "until")

#: The periods that the form offers, in days.
_PERIODS: Final = ("1", "7", "30", "365")


@own_page("/settings/mandates", follows=True)
async def mandates_page(request: Request[Any, Any, Any], services: Services, caller: Wallet) -> Response[bytes]:
    """Mandates in force: granted, and received."""
    items = [one for one in (await list_mandates.fn(services, caller)).items if one.revoked_at is None]
    granted = [one for one in items if one.from_ == f"@{caller.handle}"]
    waits = {one.to for one in granted if one.needs_approval}
    return answer(
        request,
        "wallet/mandates.html",
        me=caller.handle,
        wallet_id=show("wal", caller.id),
        granted=granted,
        received=[one for one in items if one not in granted],
        wallets={payee: (await get_handle.fn(payee, services)).wallet_id for payee in sorted(waits)},
    )


@own_page("/settings/mandates/new")
async def new_mandate_page(request: Request[Any, Any, Any], services: Services, caller: Wallet) -> Response[bytes]:
    """The form of a mandate: payee and limits."""
    return _form(request, services, caller)


@own_page("/settings/mandates/check", names=True)
async def check_mandate_page(request: Request[Any, Any, Any], services: Services, caller: Wallet) -> Response[bytes]:
    """All details of the mandate; on an error, the form again with the message."""
    filled, reader, field = _filled_in(request), reader_for(request), "payee"
    try:
        payee = await get_handle.fn(filled["payee"], services)
        field = "asset"
        asset = services.settings.assets.of_wallet(filled["asset"])
        amounts = {}
        for field in ("period", "draw", "total"):
            amounts[field] = _amount(asset, filled[field]) if filled[field] or field == "period" else ""
    except (InvalidHandle, UnknownHandle):
        text = reader.say("Nobody has this handle. Check how it is written.")
        return _form(request, services, caller, ("payee", text))
    except InvalidAmount:
        return _form(request, services, caller, (field, reader.say("This is no amount. Write it like 12.50.")))
    except AmountTooPrecise:
        return _form(request, services, caller, (field, reader.say("This has more decimals than the currency.")))
    except GatewayError as error:
        return _form(request, services, caller, ("form", why_of(error, reader)))
    until = reader.end_of(filled["until"]) if filled["until"] else ""
    if payee.handle == caller.handle:
        return _form(request, services, caller, ("payee", reader.say("A mandate is for somebody else.")))
    if until is None or (until and datetime.fromisoformat(until) <= reader.now):
        return _form(request, services, caller, ("until", reader.say("Choose a day that is still to come.")))
    return answer(
        request,
        "wallet/check-mandate.html",
        me=caller.handle,
        wallet_id=show("wal", caller.id),
        guarded=caller.guarded,
        filled=filled,
        payee=f"@{payee.handle}",
        payee_wallet=payee.wallet_id,
        asset=asset.code,
        period_days=filled["period_days"],
        expires_at=datetime.fromisoformat(until).isoformat() if until else "",
        period=amounts["period"],
        draw=amounts["draw"],
        total=amounts["total"],
    )


def _form(
    request: Request[Any, Any, Any], services: Services, caller: Wallet, fault: tuple[str, str] = ("", "")
) -> Response[bytes]:
    assets = services.settings.assets.spendable()
    return answer(
        request,
        "wallet/new-mandate.html",
        422 if fault[0] else 200,
        me=caller.handle,
        filled=_filled_in(request),
        assets=assets,
        fault=fault,
    )


def _filled_in(request: Request[Any, Any, Any]) -> dict[str, str]:
    filled = {name: request.query_params.get(name, "").strip() for name in _FIELDS}
    if filled["period_days"] not in _PERIODS:
        filled["period_days"] = "30"
    return filled


def _amount(asset: Asset, typed: str) -> str:
    return str(asset.parse_positive(typed.replace(",", ".")).amount)

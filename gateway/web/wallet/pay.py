"""Pay: the form, and a confirmation page.

    /pay        the form: payee and amount; an error is shown at its field
    /pay/check  the route, the fee, the finality and the approval; its button makes the payment

Both get the filled-in values and the payment's idempotency key, which is generated with the first form. So a reloaded
page, a second click or a lost answer makes no second payment; a new form is a new payment.
"""

import secrets
from typing import Any, Final, NamedTuple

from litestar import Request, Response
from litestar.response import Redirect

from gateway.api.identity.handles import get_handle
from gateway.api.payments.payments import preview
from gateway.api.payments.shapes import PaymentRequest
from gateway.api.requests.requests import get_request
from gateway.api.wallets.wallets import get_wallet
from gateway.errors import AmountTooPrecise, GatewayError, InvalidAmount, InvalidRequest, UnknownAsset
from gateway.http.answer.content import permissions
from gateway.http.services import Services
from gateway.identity.credential import Credential
from gateway.ids import show
from gateway.payments.errors import SelfPayment, UnknownPayee, WalletFrozen
from gateway.web.owned import answer, own_page, reader_for
from gateway.web.problems import why_of
from gateway.web.reader import Reader
from gateway.web.wallet.people import known_to
from gateway.web.wallet.requests import request_shown

_FIELDS: Final = ("to", "amount", "asset", "memo", "key")


@own_page("/pay")
async def pay_page(request: Request[Any, Any, Any], services: Services, credential: Credential) -> Response[bytes]:
    """The form: payee and amount."""
    return await _form(request, services, credential, _filled_in(request))


@own_page("/pay/check", names=True, follows=True)
async def check_page(request: Request[Any, Any, Any], services: Services, credential: Credential) -> Response[Any]:
    """The confirmation page; on an error, the form again with the message. `?request=` is a request to pay: it fills in
    everything.
    """
    filled, reader, caller = _filled_in(request), reader_for(request), credential.wallet
    pays, wanted = request.query_params.get("request"), None
    if pays is not None:
        wanted = await get_request.fn(pays, services, caller)
        if wanted.state != "open" or wanted.from_ != f"@{caller.handle}":
            return Redirect(f"/requests/{wanted.id}", status_code=303)
        filled |= {"to": wanted.to, "amount": wanted.amount, "asset": wanted.asset, "memo": wanted.memo or ""}
    asked = PaymentRequest(filled["to"], filled["amount"], filled["asset"], filled["memo"] or None, request=pays)
    try:
        seen = await preview.fn(asked, services, caller, credential)
        payee = (
            (await get_handle.fn(filled["to"], services)).wallet_id if filled["to"].startswith("@") else filled["to"]
        )
    except GatewayError as error:
        if wanted is not None:
            text = _fault(error, reader)[1]
            if isinstance(error, UnknownPayee):  # its handle belonged to a wallet when it made the request
                text = reader.say(
                    "{payee} has closed their wallet, so this request cannot be paid. Decline it.", payee=filled["to"]
                )
            return request_shown(request, caller, wanted, text, isinstance(error, WalletFrozen))
        return await _form(
            request, services, credential, filled, _fault(error, reader), isinstance(error, WalletFrozen)
        )
    money = services.settings.assets.of_wallet(filled["asset"]).parse_positive(filled["amount"])
    if seen.refusal is not None:
        if wanted is not None:
            text = reader.say("You do not have that much. Top up first, or decline.")
            return request_shown(request, caller, wanted, text)
        text = reader.say("You do not have that much. Pay less, or top up first.")
        return await _form(request, services, credential, filled, ("amount", text))
    return answer(
        request,
        "wallet/check.html",
        me=caller.handle,
        wallet_id=show("wal", caller.id),
        known=next((one for one in await known_to(services, caller) if one.name == filled["to"]), None),
        payee_wallet=payee,
        amount=money.amount,
        asset=money.asset.code,
        preview=seen,
        to=filled["to"],
        memo=filled["memo"],
        key=filled["key"],
        pays=pays or "",
    )


async def _form(
    request: Request[Any, Any, Any],
    services: Services,
    credential: Credential,
    filled: dict[str, str],
    fault: tuple[str, str] = ("", ""),
    frozen: bool = False,
) -> Response[bytes]:
    caller, reader = credential.wallet, reader_for(request)
    wallet = await get_wallet.fn(services, caller)
    has = {one.asset: str(one.available) for one in wallet.balances}
    assets = [
        _Choice(one.code, one.decimals, reader.amount(has.get(one.code, "0"), one.code).exact)
        for one in services.settings.assets.spendable()
    ]
    page = answer(
        request,
        "wallet/pay.html",
        422 if fault[0] else 200,
        me=caller.handle,
        filled=filled,
        fault=dict.fromkeys(_FIELDS, "") | dict([fault]),
        is_frozen=frozen,
        wallet=wallet,
        people=await known_to(services, caller),
        assets=assets,
        asset=filled["asset"] if filled["asset"] in [one.code for one in assets] else assets[0].code,
    )
    page.headers["Permissions-Policy"] = permissions("(self)")  # to scan a code
    return page


class _Choice(NamedTuple):
    """An asset to choose, with its balance in the reader's format."""

    code: str
    decimals: int
    has: str


def _filled_in(request: Request[Any, Any, Any]) -> dict[str, str]:
    """The filled-in values: a handle as it was typed, with or without its @, and an amount with a comma or a point."""
    found = {name: request.query_params.get(name, "").strip() for name in _FIELDS}
    if found["to"] and not found["to"].startswith(("@", "0x")):
        found["to"] = f"@{found['to']}"
    if found["to"].startswith("@"):
        found["to"] = found["to"].lower()
    found["amount"] = found["amount"].replace(",", ".")
    found["key"] = found["key"] or secrets.token_urlsafe(16)
    return found


def _fault(error: GatewayError, reader: Reader) -> tuple[str, str]:
    """The field of an error, and the message at it."""
    match error:
        case UnknownPayee() if error.to.startswith("@"):
            return "to", reader.say("Nobody has this handle. Check how it is written.")
        case UnknownPayee():
            return "to", reader.say("This is no handle and no address. Write @ and a handle, or 0x and an address.")
        case WalletFrozen():
            return "to", reader.say("Your wallet is frozen: money comes in, and nothing leaves until it is unfrozen.")
        case SelfPayment():
            return "to", reader.say("That is you.")
        case AmountTooPrecise(decimals=0):
            return "amount", reader.say("{asset} has no decimals.", asset=error.asset)
        case AmountTooPrecise():
            return "amount", reader.say(
                "{asset} has {decimals} decimals at the most.", asset=error.asset, decimals=error.decimals
            )
        case InvalidAmount():
            return "amount", reader.say("Write an amount such as 12.50.")
        case UnknownAsset():
            return "asset", reader.say("Choose one of these.")
        case InvalidRequest():
            return "memo", why_of(error, reader)
        case _:
            return "to", why_of(error, reader)

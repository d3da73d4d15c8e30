"""Receive money: a QR code and a link that open the payment form of the payer, and the address for tokens."""

from typing import Any
from urllib.parse import urlencode

import segno
from litestar import Request, Response

from gateway.errors import GatewayError
from gateway.http.services import Services
from gateway.identity.sign_in.passkey_verification import party_of
from gateway.identity.wallet import Wallet
from gateway.web.owned import answer, own_page, reader_for


@own_page("/receive")
async def receive_page(request: Request[Any, Any, Any], services: Services, caller: Wallet) -> Response[bytes]:
    """The QR code and the link to pay the wallet, with `amount` and `asset` if they are given."""
    asked = {name: request.query_params.get(name, "").strip().replace(",", ".") for name in ("amount", "asset")}
    problem, wanted = "", {"to": f"@{caller.handle}"}
    if asked["amount"]:
        try:
            money = services.settings.assets.of_wallet(asked["asset"]).parse_positive(asked["amount"])
            wanted |= {"amount": money.amount, "asset": money.asset.code}
        except GatewayError:
            problem = reader_for(request).say("Write an amount such as 12.50.")
    link = f"{party_of(services.public_url).origin}/pay?{urlencode(wanted, safe='@')}"
    code = segno.make(link, error="m", micro=False)
    return answer(
        request,
        "wallet/receive.html",
        422 if problem else 200,
        me=caller.handle,
        address=caller.address,
        asked=asked,
        problem=problem,
        link=link,
        side=len(code.matrix) + 8,
        dots=_dots(code.matrix),
        assets=[one.code for one in services.settings.assets.spendable()],
    )


def _dots(matrix: tuple[bytearray, ...]) -> str:
    """The dark modules as an SVG path, with the quiet zone of four modules around them (ISO/IEC 18004)."""
    dark = ((x, y) for y, row in enumerate(matrix, 4) for x, is_dark in enumerate(row, 4) if is_dark)
    return "".join(f"M{x} {y}h1v1h-1z" for x, y in dark)

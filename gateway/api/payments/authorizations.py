"""Authorizations that were signed without the gateway, submitted to be settled."""

from typing import Annotated

from litestar import Response, post
from msgspec import Meta, Struct

from gateway.api.fields import Address, AssetCode, Signature, signature_bytes
from gateway.api.payments.shapes import PaymentView
from gateway.api.payments.views import payment_view
from gateway.errors import InvalidRequest
from gateway.http.services import Services
from gateway.money import Money
from gateway.payments.own_key.submit_authorization import SignedAuthorization, submit

_Number = Annotated[str, Meta(description="A decimal, as a string.", max_length=78, examples=["1000000"])]


class AuthorizationRequest(Struct, forbid_unknown_fields=True, rename={"from_": "from"}):
    """The `TransferWithAuthorization` of EIP-3009, as `scripts/wallet sign` prints it, and the asset."""

    asset: AssetCode
    from_: Address
    to: Address
    value: Annotated[_Number, Meta(description="In units of the token: for USDX, millionths.")]
    validAfter: Annotated[_Number, Meta(description="Unix seconds, in the past.", examples=["0"])]
    validBefore: Annotated[_Number, Meta(description="Unix seconds.", examples=["1800000000"])]
    nonce: Annotated[str, Meta(description="0x and 64 hex digits: random, and not used before.")]
    signature: Signature


@post(
    "/v1/authorizations",
    tags=["Payments"],
    summary="Submit a signed authorization",
    status_code=202,
    needs="nothing",
    counts="look-ups",
    problems=(
        *("unknown_asset", "not_found", "nonce_taken", "invalid_signature", "unknown_payee", "self_payment"),
        *("insufficient_funds", "withdrawals_frozen", "wallet_frozen", "in_recovery"),
    ),
)
async def submit_authorization(data: AuthorizationRequest, services: Services) -> Response[PaymentView]:
    """Submits a token payment from a handle's address that was signed without the gateway (EIP-3009), with an exported
    key or the owner's own. The gateway pays the gas. The signature is sufficient, so no API key is needed. Submitting
    the same authorization again returns its payment.
    """
    asset = services.settings.assets.of_wallet(data.asset)
    units, nonce = _number("value", data.value), data.nonce.removeprefix("0x")
    if not 0 < units < 1 << 128:
        raise InvalidRequest("value", "it pays something, and less than there can be")
    if len(nonce) != 64 or not data.nonce.startswith("0x") or not set(nonce) <= set("0123456789abcdefABCDEF"):
        raise InvalidRequest("nonce", "a nonce is 0x and 64 hex digits")
    asked = SignedAuthorization(
        payer=data.from_,
        payee=data.to,
        money=Money(units, asset),
        nonce=int(nonce, 16),
        valid_after=_number("validAfter", data.validAfter),
        valid_before=_number("validBefore", data.validBefore),
        signature=signature_bytes(data.signature),
    )
    payment = await submit(services.database, services.node, services.settings, asked, services.clock())
    return Response(payment_view(payment, None), status_code=202)


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > 78 or (len(text) > 1 and text[0] == "0"):
        raise InvalidRequest(name, "it is a whole number, as a string of decimal digits")
    return int(text)

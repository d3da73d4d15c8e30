"""The assets of the gateway, from GATEWAY_CURRENCIES and GATEWAY_TOKENS."""

from gateway.errors import Misconfigured
from gateway.money import Asset, Assets, fiat


def read(currencies: str, tokens: str) -> Assets:
    """Return the assets of the two settings, and ETH, the coin that gas is paid in."""
    fiats = [fiat(code.strip()) for code in currencies.split(",")]
    assets = [*fiats, *(_token(token, fiats) for token in tokens.split(",")), Asset("ETH", "native", 18)]
    codes = [asset.code for asset in assets]
    for code in codes:
        if codes.count(code) > 1:
            raise Misconfigured(f"GATEWAY_CURRENCIES, GATEWAY_TOKENS: {code} is there more than once (ETH always is)")
    return Assets(assets)


#: The number of decimals that a token may have, as text.
_DECIMALS = {str(decimals) for decimals in range(37)}


def _token(setting: str, fiats: list[Asset]) -> Asset:
    code, _, rest = setting.strip().partition(":")
    backing, _, decimals = rest.partition(":")
    if not (code.isascii() and code.isalnum() and code.isupper() and 3 <= len(code) <= 11 and decimals in _DECIMALS):
        raise Misconfigured(
            f"GATEWAY_TOKENS: {setting!r} should read CODE:CURRENCY:DECIMALS (0 to 36), such as USDX:USD:6"
        )
    if backing not in {asset.code for asset in fiats}:
        raise Misconfigured(f"GATEWAY_TOKENS: {code} is backed by {backing!r}, which is not in GATEWAY_CURRENCIES")
    return Asset(code, "token", int(decimals), backing)

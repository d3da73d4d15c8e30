"""Amounts: whole units and an asset, always together.

A unit is the smallest piece of an asset: one cent, one yen, one millionth of a USDX. Inside, money is an exact integer
of units up to 2**256 - 1 (the largest amount an ERC-20 contract can hold). Outside, it is a decimal string and an asset
code, and parsing never rounds: more decimals than the asset has is an error.

The names and decimals of fiat currencies are those of ISO 4217, from the `iso4217` package.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Literal

from iso4217 import Currency
from msgspec import Struct

from gateway.errors import AmountTooPrecise, AssetClosed, InvalidAmount, Misconfigured, UnknownAsset

#: The largest amount of units: that of a uint256.
UNITS_MAX = 2**256 - 1

#: The form of an amount: digits, optionally a point and digits. No sign, no exponent, no space, ASCII digits only.
_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,77})(?:\.([0-9]{1,77}))?", re.ASCII)


class Asset(Struct, frozen=True):
    """A fiat currency, a token, or the chain's native coin.

    `decimals` is how many decimals one whole has; `backing` is the currency a token is issued against, one to one.
    """

    code: str
    kind: Literal["fiat", "token", "native"]
    decimals: int
    backing: str | None = None

    def parse(self, amount: object) -> "Money":
        """Return the money in `amount`, a decimal string such as "12.50". It may be zero.

        Raises InvalidAmount (not a string, a sign, an exponent, beyond 2**256 - 1 units) and AmountTooPrecise.
        """
        return Money(self._units(amount), self)

    def parse_positive(self, amount: object) -> "Money":
        """Return the money as `parse`. Raises InvalidAmount for zero, too: payments need a positive amount."""
        return Money(self.parse_units(amount), self)

    def parse_units(self, amount: object) -> int:
        """Return the units of `parse_positive`."""
        units = self._units(amount)
        if units == 0:
            raise InvalidAmount("zero", str(amount)[:80])
        return units

    def _units(self, amount: object) -> int:
        if not isinstance(amount, str):
            raise InvalidAmount("not_a_string", str(amount)[:80])
        match = _DECIMAL.fullmatch(amount)
        if match is None:
            negative = amount.startswith("-") and _DECIMAL.fullmatch(amount[1:])
            raise InvalidAmount("negative" if negative else "malformed", amount[:80])
        whole, fraction = match.groups("")
        if len(fraction) > self.decimals:
            raise AmountTooPrecise(amount[:80], self.code, self.decimals)
        units = int(whole + fraction.ljust(self.decimals, "0"))
        if units > UNITS_MAX:
            raise InvalidAmount("too_large", amount[:80])
        return units


def is_decimal(text: str) -> bool:
    """Return whether the text has the form of an amount, whatever its asset and its decimals."""
    return _DECIMAL.fullmatch(text) is not None


class Money(Struct, frozen=True):
    """`units` of `asset`. Never a float, never without its asset; both sides of a sum have the same asset."""

    units: int
    asset: Asset

    @property
    def amount(self) -> str:
        """The decimal string, with all of the asset's decimals: "12.50", "1200" (JPY), "3.000000" (USDX)."""
        return decimal(self.units, self.asset.decimals)

    def __str__(self) -> str:
        return f"{self.amount} {self.asset.code}"

    def __add__(self, other: "Money") -> "Money":
        assert self.asset == other.asset
        return Money(self.units + other.units, self.asset)

    def __sub__(self, other: "Money") -> "Money":
        assert self.asset == other.asset
        return Money(self.units - other.units, self.asset)

    def __gt__(self, other: "Money") -> bool:
        assert self.asset == other.asset
        return self.units > other.units


@lru_cache(maxsize=4096)
def decimal(units: int, decimals: int) -> str:
    """Return `units` as a decimal string with exactly `decimals` decimals. A negative number keeps its sign. Cached,
    because one payment shows the same amount several times.
    """
    sign, digits = ("-" if units < 0 else ""), str(abs(units)).rjust(decimals + 1, "0")
    return sign + (digits if decimals == 0 else f"{digits[:-decimals]}.{digits[-decimals:]}")


def fiat(code: str) -> Asset:
    """Return the ISO 4217 currency `code`. Raises Misconfigured for an unknown code, or one without a minor unit
    (XAU).
    """
    try:
        currency = Currency(code)
    except ValueError:
        raise Misconfigured(
            f"{code!r} is not an ISO 4217 currency code: use one such as EUR, THB or JPY. Where ISO 4217 has withdrawn "
            "it, take it out of GATEWAY_CURRENCIES: what people have of it can still be paid and withdrawn"
        ) from None
    if currency.exponent is None:
        raise Misconfigured(f"ISO 4217 gives {code} no minor unit, so it cannot be an asset of the gateway")
    return Asset(code, "fiat", currency.exponent)


class Assets:
    """Every asset that the gateway knows: the configured ones and, after them, the `former` ones, which are in the
    ledger and no longer in the settings (or no longer in ISO 4217).

    This class alone decides what a former asset may still be used for: everything but new money. It is shown, paid,
    withdrawn, redeemed and reconciled as before; a deposit and a purchase are refused (`check_takes_new`).
    """

    def __init__(self, assets: Iterable[Asset], former: Iterable[Asset] = ()) -> None:
        self._configured = {asset.code: asset for asset in assets}
        self._known = self._configured | {one.code: one for one in former if one.code not in self._configured}
        self._of_wallet = {code: asset for code, asset in self._known.items() if asset.kind != "native"}

    def __getitem__(self, code: str) -> Asset:
        """Return the asset with this code. Raises UnknownAsset."""
        try:
            return self._known[code]
        except (KeyError, TypeError):
            raise UnknownAsset(str(code)[:80], tuple(self._configured)) from None

    def __iter__(self) -> Iterator[Asset]:
        return iter(self._known.values())

    def takes_new(self, asset: Asset) -> bool:
        """Return whether new money may come in: the asset is in the settings."""
        return asset.code in self._configured

    def check_takes_new(self, asset: Asset) -> None:
        """Raise AssetClosed for a former asset."""
        if not self.takes_new(asset):
            raise AssetClosed(asset.code, tuple(code for code in self._of_wallet if code in self._configured))

    def tokens(self) -> list[Asset]:
        return [asset for asset in self if asset.kind == "token"]

    def backing(self, token: Asset) -> Asset:
        """Return the currency that a token is issued against."""
        assert token.backing is not None
        return self[token.backing]

    def spendable(self) -> list[Asset]:
        """Return the assets that a wallet may hold: currencies and tokens, not the coin that gas is paid in."""
        return list(self._of_wallet.values())

    def of_wallet(self, code: str) -> Asset:
        """Return the asset with this code that a wallet may hold. Raises UnknownAsset, also for the coin that gas is
        paid in.
        """
        try:
            return self._of_wallet[code]
        except KeyError:
            known = tuple(one for one in self._of_wallet if one in self._configured)
            raise UnknownAsset(code[:80], known) from None


def at_par_exact(money: Money, into: Asset) -> Money:
    """Return the same value in `into`, where one whole of each is worth one whole of the other.

    Raises AmountTooPrecise if `into` has fewer decimals than the amount needs: nothing is rounded. Raises InvalidAmount
    if the amount has more units in `into` than a uint256 holds.
    """
    shift = into.decimals - money.asset.decimals
    if shift >= 0:
        units = money.units * 10**shift
        if units > UNITS_MAX:
            raise InvalidAmount("too_large", money.amount)
        return Money(units, into)
    units, rest = divmod(money.units, 10**-shift)
    if rest:
        raise AmountTooPrecise(money.amount, into.code, into.decimals)
    return Money(units, into)


def at_par_floor(money: Money, into: Asset) -> Money:
    """Return the same value in `into`, rounded down: the remainder stays where it was."""
    shift = into.decimals - money.asset.decimals
    return Money(money.units * 10**shift if shift >= 0 else money.units // 10**-shift, into)


def at_par_ceil(money: Money, into: Asset) -> Money:
    """Return the same value in `into`, rounded up: what it takes to cover it."""
    shift = into.decimals - money.asset.decimals
    return Money(money.units * 10**shift if shift >= 0 else -(-money.units // 10**-shift), into)


def basis_points_floor(money: Money, basis_points: int) -> Money:
    """Return `basis_points` hundredths of a percent of `money`, rounded down to a unit."""
    return Money(money.units * basis_points // 10_000, money.asset)

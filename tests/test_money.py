"""Amounts in and out: exact, and never rounded on the way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import AmountTooPrecise, InvalidAmount, Misconfigured, UnknownAsset
from gateway.money import (
    UNITS_MAX,
    Asset,
    Assets,
    Money,
    at_par_exact,
    at_par_floor,
    basis_points_floor,
    decimal,
    fiat,
)

UNITS = st.one_of(st.integers(0, UNITS_MAX), st.integers(0, 10**6), st.integers(UNITS_MAX - 10**6, UNITS_MAX))
ASSETS = st.builds(Asset, st.just("XYZ"), st.just("token"), st.integers(0, 36))


@given(units=UNITS, asset=ASSETS)
def test_what_is_written_is_read_as_it_was(units: int, asset: Asset) -> None:
    money = Money(units, asset)
    assert asset.parse(money.amount) == money


@given(text=st.from_regex(r"[0-9+\-., eE_x]{0,12}", fullmatch=True) | st.text(max_size=12), asset=ASSETS)
def test_what_is_read_is_what_it_says_or_is_refused(text: str, asset: Asset) -> None:
    try:
        money = asset.parse(text)
    except (InvalidAmount, AmountTooPrecise):
        return
    whole, _, fraction = text.partition(".")
    assert money.units == int(whole) * 10**asset.decimals + int(fraction.ljust(asset.decimals, "0") or "0")
    assert text.isascii()
    assert set(text) <= set("0123456789.")


@pytest.mark.parametrize(
    ("amount", "kind"),
    [
        *((value, "not_a_string") for value in (1, 1.5, None, True, b"1", ["1"])),
        *(
            (text, "malformed")
            for text in ("", ".", "1.", ".1", "01", "1e3", "+1", " 1", "1 ", "1\n", "١", "1_0", "--1")
        ),
        *((text, "negative") for text in ("-1", "-0", "-0.01")),
        *((text, "too_large") for text in (str(UNITS_MAX + 1), "9" * 78)),
        *((text, "malformed") for text in ("9" * 79, "9" * 100_000, "١")),
    ],
)
def test_what_is_no_amount_is_refused_and_says_why(amount: object, kind: str) -> None:
    with pytest.raises(InvalidAmount) as refusal:
        Asset("JPY", "fiat", 0).parse(amount)
    assert refusal.value.kind == kind
    assert len(str(refusal.value)) < 250


def test_the_largest_amount_is_that_of_a_uint256() -> None:
    yen = Asset("JPY", "fiat", 0)
    assert yen.parse(str(2**256 - 1)).units == 2**256 - 1
    euro = fiat("EUR")
    assert euro.parse(Money(2**256 - 1, euro).amount).units == 2**256 - 1
    with pytest.raises(InvalidAmount):
        euro.parse(Money(2**256, euro).amount)


def test_zero_can_be_read_but_not_paid() -> None:
    assert fiat("EUR").parse("0.00").units == 0
    with pytest.raises(InvalidAmount) as refusal:
        fiat("EUR").parse_positive("0")
    assert refusal.value.kind == "zero"


@pytest.mark.parametrize(("amount", "code"), [("1.001", "EUR"), ("1.0", "JPY"), ("0.000", "EUR")])
def test_more_decimals_than_there_are_is_an_error_even_when_they_are_zeros(amount: str, code: str) -> None:
    with pytest.raises(AmountTooPrecise):
        fiat(code).parse(amount)


@given(units=st.integers(-UNITS_MAX, UNITS_MAX), decimals=st.integers(0, 36))
def test_a_decimal_has_just_the_decimals_that_there_are(units: int, decimals: int) -> None:
    text = decimal(units, decimals)
    assert len(text.partition(".")[2]) == decimals
    assert int(text.replace(".", "")) == units


@given(units=UNITS, asset=ASSETS, other=ASSETS)
def test_at_par_nothing_is_made_and_what_is_lost_is_less_than_a_unit(units: int, asset: Asset, other: Asset) -> None:
    money = Money(units, asset)
    floor = at_par_floor(money, other)
    scale = 10**36
    lost = units * scale // 10**asset.decimals - floor.units * scale // 10**other.decimals
    assert 0 <= lost < scale // 10**other.decimals
    try:
        assert at_par_exact(money, other) == floor
        assert lost == 0
    except AmountTooPrecise:
        assert lost > 0
    except InvalidAmount:
        assert floor.units > UNITS_MAX


@given(units=UNITS, basis_points=st.integers(0, 10_000))
def test_basis_points_are_rounded_down(units: int, basis_points: int) -> None:
    part = basis_points_floor(Money(units, fiat("EUR")), basis_points).units
    assert part * 10_000 <= units * basis_points < (part + 1) * 10_000
    assert part <= units


def test_money_of_two_assets_has_no_sum() -> None:
    with pytest.raises(AssertionError):
        Money(1, fiat("EUR")) + Money(1, fiat("USD"))
    with pytest.raises(AssertionError):
        assert Money(1, fiat("EUR")) > Money(1, fiat("USD"))


@pytest.mark.parametrize(("code", "decimals"), [("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4)])
def test_a_currency_has_the_decimals_of_iso_4217(code: str, decimals: int) -> None:
    assert fiat(code).decimals == decimals


@pytest.mark.parametrize("code", ["XAU", "eur", "", "EURO", "XYZ", "\0"])
def test_what_is_no_currency_cannot_be_configured(code: str) -> None:
    with pytest.raises(Misconfigured):
        fiat(code)


def test_an_asset_is_known_or_refused_and_the_coin_of_gas_is_no_wallets() -> None:
    assets = Assets([fiat("EUR"), Asset("ETH", "native", 18)])
    assert assets["EUR"] == assets.of_wallet("EUR") == fiat("EUR")
    assert assets["ETH"].kind == "native"
    for code in ("ETH", "USD", "", "x" * 500):
        with pytest.raises(UnknownAsset) as refusal:
            assets.of_wallet(code)
        assert refusal.value.known == ("EUR",)

"""A wallet's policy, as its owner has set it: which payments need an approval, and why. Pure.

checks/policy.py decides by it. Where the owner has set no limit, the currency's default applies: about a hundred euros
a payment. The defaults are round numbers, not rates: each was worth 40 to 140 EUR in 2025. A token counts as the
currency that backs it. A currency that is not in the table gets the lowest number, and so needs an approval sooner.
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final, Literal

from msgspec import Struct, field

from gateway.money import Asset, Money

#: Why a payment needs its payer's approval. checks/policy.py explains and decides them.
Reason = Literal["amount", "day", "new_payee", "address", "changed_payee", "new_device", "before_passkey"]

#: The default limits of one payment, in whole units of the currency (ISO 4217).
_WHOLE: Final = {
    20: "KWD",
    50: "BHD OMR",
    100: "BMD BND BSD CHF EUR FKP GBP GIP JOD KYD PAB SGD SHP USD",
    200: "AUD AWG AZN BAM BBD BYN BZD CAD FJD GEL NZD TND TOP WST XCD XCG",
    500: "AED BRL DKK ILS LYD MYR PEN PGK PLN QAR RON SAR TMT",
    1_000: "BOB CNY GHS GTQ HKD MAD MOP NOK SBD SEK SVC TJS TTD",
    2_000: "BWP CUP CZK ERN HNL LSL MDL MVR MXN NAD SCR SLE STN SZL THB TWD ZAR ZMW ZWG",
    5_000: "DOP EGP MKD MRU MUR MZN NIO PHP SRD TRY UAH UYU",
    10_000: "AFN ALL BDT BTN CVE DZD GMD HTG INR ISK JPY KES KGS RSD RUB VUV XPF",
    20_000: "DJF ETB GYD JMD LKR LRD NPR PKR YER",
    50_000: "AMD CRC HUF KMF KZT SDG SOS XAF XOF",
    100_000: "AOA CLP IQD",
    200_000: "ARS BIF CDF KRW MMK MWK NGN RWF TZS",
    500_000: "COP KHR MGA MNT SSP UGX",
    1_000_000: "GNF PYG UZS",
    2_000_000: "IDR LAK VND",
    10_000_000: "LBP",
}

_BY_CODE: Final = {code: whole for whole, codes in _WHOLE.items() for code in codes.split()}

#: The default day limit, as a multiple of the payment limit.
DAYS_PAYMENTS: Final = 3


class Limit(Struct, frozen=True):
    """The most that can be paid without approval: in one payment, and in 24 hours."""

    payment: Money
    day: Money


class Policy(Struct, frozen=True):
    """A wallet's policy. `limits` are set by the owner, by asset code. `trusted` are wallets' ids as the API shows
    them, and addresses. Zero days, hours or seconds mean no approval and no window.
    """

    limits: Mapping[str, Limit] = field(default_factory=dict)
    approve_new_payee: bool = True
    approve_address: bool = True
    changed_payee_days: int = 7
    new_device_hours: int = 24
    undo_seconds: int = 0
    trusted: AbstractSet[str] = frozenset()

    def limit(self, asset: Asset) -> Limit:
        return self.limits.get(asset.code) or usual_limit(asset)


def usual_limit(asset: Asset) -> Limit:
    """The default limit of an asset: about a hundred euros a payment, and three times that a day."""
    units = usual_whole(asset.backing or asset.code) * 10**asset.decimals
    return Limit(Money(units, asset), Money(DAYS_PAYMENTS * units, asset))


def usual_whole(currency: str) -> int:
    """The default limit of one payment, in whole units of the currency (euros, not cents)."""
    return _BY_CODE.get(currency, min(_WHOLE))

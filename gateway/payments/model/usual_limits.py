"""The default limit of a payment without an approval, by currency: about a hundred euros.

These are round numbers, not rates: each was worth 40 to 140 EUR in 2025, and owners can set their own. A token counts
as the currency that backs it. A currency that is not in the table gets the lowest number, and so needs an approval
sooner.
"""

from typing import Final

#: In whole ones of the currency (ISO 4217).
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

#: How many such payments a day is.
DAYS_PAYMENTS: Final = 3


def whole(currency: str) -> int:
    """The default limit of one payment, in whole units of the currency (euros, not cents)."""
    return _BY_CODE.get(currency, min(_WHOLE))

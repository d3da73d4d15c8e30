"""What a payment may be without an approval where a wallet's owner has set no limit: about a hundred euros, by
currency.

Round numbers, not rates: each was 40 to 140 EUR in 2025, and owners set better ones. A token counts as the currency
that backs it. Of a currency that is not in the table nobody can say what a hundred of it is: it has the least number
there is, and so needs an approval sooner.
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
    """The most of one payment, in whole ones of the currency."""
    return _BY_CODE.get(currency, min(_WHOLE))

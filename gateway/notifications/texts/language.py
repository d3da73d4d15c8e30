"""Languages: texts from gettext catalogues, amounts and times as a reader writes them (CLDR, by Babel). Pure.

Catalogues are read from their `.po` files when they are first needed; nothing is compiled to files. Text by others
(names, handles) is put into a text unchanged, without control characters that could affect the reader's screen
(escape.py).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, localcontext
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from babel.dates import format_date, format_datetime, format_skeleton, get_timezone
from babel.messages.pofile import read_po
from babel.numbers import (
    format_currency,
    format_decimal,
    get_currency_name,
    get_currency_symbol,
    list_currencies,
)

from gateway.errors import InvalidRequest
from gateway.escape import for_terminal

#: How each of `LOCALES` (vocabulary.py) writes a time.
_TIMES: Final[Mapping[str, str]] = {
    "en": "d MMMM y, HH:mm (ZZZZ)",
    "th": "d MMMM 'พ.ศ. {year}', HH:mm 'น.' (ZZZZ)",
}

#: The difference of years of the Buddhist era, which Thailand uses, to those of the common era. Days and months are the
#: same (UTS 35, the calendar `buddhist`). Babel only has the Gregorian calendar.
_BUDDHIST: Final = 543

#: The language of the texts in the code.
SOURCE: Final = "en"

#: The format of a number that is not a currency's: at least two decimals, and no rounding.
_NUMBER: Final = "#,##0.00" + "#" * 75

#: Digits of precision: enough for the largest amount (money.py), and as many decimals as Babel asks for.
_DIGITS: Final = 160


def check_time_zone(name: str) -> None:
    """Raise InvalidRequest for a name that is not in the IANA database."""
    if name not in _time_zones():
        raise InvalidRequest(
            "time_zone", f"{name[:40]!r} is no time zone: use a name such as Europe/Berlin or Asia/Bangkok"
        )


@dataclass(frozen=True, slots=True)
class Language:
    """One of `LOCALES`, and the time zone that times are shown in (an IANA name)."""

    locale: str
    time_zone: str = "UTC"

    def say(self, text: str, **values: str) -> str:
        """The text in this language, with these values in its placeholders."""
        known = {} if self.locale == SOURCE else catalogue(__package__, "notifications", self.locale)
        return known.get(text, text).format(**{k: for_terminal(v) for k, v in values.items()})

    def amount(self, amount: str, asset: str) -> str:
        """Return a decimal string of an asset as the language writes it, without rounding."""
        with localcontext() as exact:
            exact.prec = _DIGITS
            number = Decimal(amount)
            if asset not in _currencies():
                return f"{format_decimal(number, format=_NUMBER, locale=self.locale)}\u00a0{for_terminal(asset)}"
            apart = re.search(r"[A-Za-z]$", get_currency_symbol(asset, locale=self.locale))
            pattern = "¤\u00a0#,##0.00" if apart else None  # Unicode Technical Standard 35, part 3, 2.2
            return str(format_currency(number, asset, pattern, self.locale, decimal_quantization=False))

    def time(self, at: datetime) -> str:
        """Return the date, the time to the minute, and the offset. A Thai date has its year in the Buddhist era."""
        zone = get_timezone(self.time_zone)
        pattern = _TIMES[self.locale].format(year=at.astimezone(zone).year + _BUDDHIST)
        return str(format_datetime(at, pattern, tzinfo=zone, locale=self.locale))

    def date_of(self, at: datetime) -> str:
        """The date of a time, such as 30 Nov 2026."""
        return self.day(self.local(at).date())

    def day(self, day: date) -> str:
        """Return a date. In Thai its year is one of the Buddhist era."""
        if self.locale == "th":
            return f"{format_skeleton('MMMd', day, locale=self.locale)} {day.year + _BUDDHIST}"
        return str(format_skeleton("yMMMd", day, locale=self.locale))

    def month(self, first: date) -> str:
        """The month of a date, such as November 2026."""
        if self.locale == "th":
            return f"{format_date(first, 'LLLL', self.locale)} {first.year + _BUDDHIST}"
        return str(format_date(first, "LLLL y", self.locale))

    def local(self, at: datetime) -> datetime:
        """The time in the time zone."""
        return at.astimezone(ZoneInfo(self.time_zone))

    def currency(self, code: str) -> str:
        """Return a currency's name; for a token, its code."""
        return get_currency_name(code, locale=self.locale) if code in _currencies() else code


@cache
def catalogue(package: str, domain: str, locale: str) -> Mapping[str, str]:
    """Return the translations of a package's texts, by the English text. They are in
    `locale/<locale>/LC_MESSAGES/<domain>.po` beside its modules.
    """
    po = files(package).joinpath("locale", locale, "LC_MESSAGES", f"{domain}.po")
    return {str(one.id): str(one.string) for one in read_po(BytesIO(po.read_bytes()), locale) if one.id}


@cache
def _time_zones() -> frozenset[str]:
    return frozenset(available_timezones())


@cache
def _currencies() -> frozenset[str]:
    return frozenset(list_currencies())

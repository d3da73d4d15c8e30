"""The reader of a page: amounts, times and names of currencies in their format (CLDR, by Babel)."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_DOWN, Decimal, localcontext
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from babel.dates import format_skeleton, format_time, get_timezone
from babel.numbers import get_currency_symbol, get_decimal_symbol, list_currencies
from litestar import Request

from gateway.clock import rfc3339
from gateway.errors import InvalidRequest
from gateway.notifications.texts.language import Language, check_time_zone
from gateway.web.language import LANGUAGES, language_of, say

#: The cookie in which a page's script stores the browser's time zone.
ZONE_COOKIE: Final = "zone"

#: The number of decimals that are shown; all decimals are shown on demand.
_DECIMALS: Final = Decimal("0.01")

#: The precision of calculations in digits: those of the largest amount (money.py) and its decimals.
_DIGITS: Final = 160


def exactly() -> AbstractContextManager[object]:
    """A context in which sums and differences of amounts are exact; by default `Decimal` rounds to 28 digits."""
    return localcontext(prec=_DIGITS)


#: The most characters of an amount of each size; the longest has eighteen digits, a sign and six decimals.
_SIZES: Final = ((11, ""), (15, "long"), (20, "longer"), (32, "longest"))


class Shown(NamedTuple):
    """An amount as it is shown: the part before the decimals, the rest, and the exact amount with all decimals."""

    whole: str
    rest: str
    exact: str

    @property
    def size(self) -> str:
        """The class of its font size in style.css: the longer, the smaller. The rest is half as large."""
        length = len(self.whole) + len(self.rest) / 2
        return next((name for maximum, name in _SIZES if length <= maximum), "endless")


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody with a language and a time zone (an IANA name), at the time `now`."""

    locale: str
    time_zone: str
    now: datetime

    def say(self, text: str, **values: object) -> str:
        """The text in their language."""
        return say(self.locale, text, values)

    def amount(self, amount: str, asset: str) -> Shown:
        """A decimal string of an asset, with two decimals if it has more: the rest is cut off, not rounded, and is in
        `exact`. An amount that would become zero keeps its decimals.
        """
        return self._parted(self._cut(amount), amount, asset)

    def whole(self, amount: str, asset: str) -> Shown:
        """Like `amount`, with all decimals."""
        return self._parted(amount, amount, asset)

    def _cut(self, amount: str) -> str:
        with exactly():
            number = Decimal(amount)
            cut = number.quantize(_DECIMALS, ROUND_DOWN) if -number.as_tuple().exponent > 2 else number  # type: ignore[operator]
            return f"{number.normalize() if number and not cut else cut:f}"

    def _parted(self, shown: str, amount: str, asset: str) -> Shown:
        language = self.language
        text = language.amount(shown, asset)
        whole, point, rest = text.rpartition(get_decimal_symbol(self.locale))
        exact = language.amount(amount, asset)
        return Shown(whole, point + rest, exact) if point else Shown(text, "", exact)

    def currency(self, code: str) -> tuple[str, str]:
        """The name of a currency, and its symbol of one character, in this language or in its home country's; for a
        token its code and first letter.
        """
        if code not in list_currencies():
            return code, code[0]
        signs = [get_currency_symbol(code, locale=locale) for locale in (self.locale, *LANGUAGES)]
        return self.language.currency(code), next((one for one in signs if len(one) == 1), code[0])

    def time(self, text: str) -> str:
        """A time (RFC 3339) in short form: without the date if it is today, without the year if it is this year."""
        return f"{self.day(text)}, {self.clock(text)}"

    def clock(self, text: str) -> str:
        """The time of the day."""
        return str(format_time(self._at(text), "short", tzinfo=self._zone, locale=self.locale))

    def clock_exact(self, text: str) -> str:
        """The time of the day to the millisecond, to compare it with a log."""
        at = self._at(text).astimezone(self._zone)
        return f"{at:%H:%M:%S}.{at.microsecond // 1_000:03}"

    def day(self, text: str) -> str:
        """The day: today, yesterday, or its date."""
        at, today = self._at(text).astimezone(self._zone).date(), self.now.astimezone(self._zone).date()
        if at == today:
            return self.say("today")
        if at == today - timedelta(days=1):
            return self.say("yesterday")
        if at.year == today.year:
            return str(format_skeleton("MMMd", self._at(text), tzinfo=self._zone, locale=self.locale))
        return self.date(text)

    def date(self, text: str) -> str:
        """The date with its year."""
        return self.language.date_of(self._at(text))

    @property
    def point(self) -> str:
        """The decimal separator."""
        return get_decimal_symbol(self.locale)

    def month(self, text: str) -> str:
        """A month (YYYY-MM) in words, such as November 2026."""
        return self.language.month(date.fromisoformat(f"{text}-01"))

    def months(self, count: int) -> list[str]:
        """The current month here (YYYY-MM) and those before it."""
        today = self.now.astimezone(self._zone)
        last = today.year * 12 + today.month - 1
        return [f"{one // 12:04}-{one % 12 + 1:02}" for one in range(last, last - count, -1)]

    @property
    def today(self) -> str:
        """The date here (ISO 8601)."""
        return self.now.astimezone(self._zone).date().isoformat()

    def begin_of(self, date: str) -> str | None:
        """The first moment of a date (ISO 8601) here, as RFC 3339 has it; None where there is no date."""
        try:
            return rfc3339(datetime.combine(datetime.fromisoformat(date), time(), ZoneInfo(self.time_zone)))
        except ValueError:
            return None

    def end_of(self, date: str) -> str | None:
        """The first moment after a date here."""
        try:
            return self.begin_of((datetime.fromisoformat(date) + timedelta(days=1)).date().isoformat())
        except (ValueError, OverflowError):
            return None

    def _at(self, text: str) -> datetime:
        return datetime.fromisoformat(text)

    @property
    def language(self) -> Language:
        """Their language and their time zone."""
        return Language(self.locale, self.time_zone)

    @property
    def _zone(self) -> Any:
        return get_timezone(self.time_zone)


def reader_of(request: Request[Any, Any, Any], now: datetime) -> Reader:
    """The reader of the answer to this request. While the browser's time zone is unknown, it is UTC."""
    zone = request.cookies.get(ZONE_COOKIE, "UTC").replace("%2F", "/")
    try:
        check_time_zone(zone)
    except InvalidRequest:
        zone = "UTC"
    return Reader(language_of(request), zone, now)

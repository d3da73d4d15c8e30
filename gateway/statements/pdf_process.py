"""The process that makes one PDF: reads a document (stdin, JSON) and writes the file (stdout).

A4, in Noto Sans and Noto Sans Thai; the file embeds the glyphs that it needs. HarfBuzz places Thai vowels and tones. A
character that neither font has is shown as a question mark: the CSV file has every character.
"""

import os
import sys
from contextlib import suppress
from functools import lru_cache
from importlib.resources import as_file, files
from typing import Final

import fontpkg_noto_sans
import fontpkg_noto_sans_thai
import msgspec
from fpdf import FPDF

from gateway.escape import for_terminal
from gateway.notifications.texts.language import Language
from gateway.statements.pdf_document import PdfAccount, PdfDocument, PdfLine
from gateway.statements.pdf_wrap import wrap
from gateway.statements.texts import Texts

#: Millimetres.
_MARGIN: Final = 15.0
_WIDTH: Final = 210.0 - 2 * _MARGIN
_DATE, _DETAILS, _AMOUNT, _BALANCE = 26.0, 80.0, 36.0, 38.0
_LINE: Final = 4.6

_INK, _SOFT, _RULE, _ACCENT = (20, 23, 26), (95, 101, 107), (222, 220, 214), (11, 107, 74)

_MEMO_LINES_MAX: Final = 4

_FONTS: Final = (
    ("noto", fontpkg_noto_sans, "NotoSans[wdth,wght].ttf"),
    ("thai", fontpkg_noto_sans_thai, "NotoSansThai[wdth,wght].ttf"),
)


class _Statement(FPDF):
    """The pages, each with a footer."""

    def __init__(self, of: PdfDocument) -> None:
        super().__init__(format="A4", unit="mm")
        self.of, self.language, self.texts = of, Language(of.locale, of.time_zone), Texts(of.locale)
        self.days = _days(of, self.language)
        for name, package, file in _FONTS:
            with as_file(files(package) / "files" / file) as path:
                self.add_font(name, "", path)
        self.set_fallback_fonts(["thai"])
        self.set_margins(_MARGIN, _MARGIN, _MARGIN)
        self.set_auto_page_break(False)
        self.set_title(f"{self.texts.say('Statement')} @{of.handle} {self.days}")
        self.set_lang(of.locale)
        self.set_creation_date(of.made_at)
        self._letters = {letter for font in self.fonts.values() for letter in font.cmap}  # type: ignore[union-attr]

    def make(self) -> bytes:
        self._begin()
        for account in self.of.accounts:
            self._account(account)
        if not self.of.accounts:
            self.set_y(self.get_y() + 6)
            self._write(_MARGIN, _WIDTH, self.texts.say("Nothing was there, and nothing moved."), 10, _SOFT)
        pages = self.pages_count
        for page in range(1, pages + 1):
            self.page = page
            self._foot(page, pages)
        return bytes(self.output())

    # ---- pages ------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        say = self.texts.say
        self.add_page()
        self._write(_MARGIN, _WIDTH, say("Statement"), 20, _INK)
        self.set_y(self.get_y() + 10)
        self._write(_MARGIN, _WIDTH, f"@{self.of.handle}", 12, _ACCENT)
        self._write(_MARGIN, _WIDTH, self.days, 12, _INK, right=True)
        self.set_y(self.get_y() + 7)
        self._write(_MARGIN, _WIDTH, say("Made at {time}", time=self.language.time(self.of.made_at)), 8, _SOFT)
        self._write(
            _MARGIN, _WIDTH, say("Times are those of {time_zone}.", time_zone=self.of.time_zone), 8, _SOFT, right=True
        )
        self.set_y(self.get_y() + 5)

    def _foot(self, page: int, pages: int) -> None:
        self.set_y(297 - _MARGIN)
        self._write(_MARGIN, _WIDTH, f"@{self.of.handle} · {self.days}", 8, _SOFT)
        said = self.texts.say("Page {page} of {pages}", page=page, pages=pages)
        self._write(_MARGIN, _WIDTH, said, 8, _SOFT, right=True)

    def _room(self, height: float) -> bool:
        """Start a new page if this height does not fit on the current one. Returns whether it did."""
        if self.get_y() + height <= 297 - _MARGIN - 5:
            return False
        self.add_page()
        return True

    # ---- an asset ---------------------------------------------------------------------------------------------

    def _account(self, of: PdfAccount) -> None:
        say = self.texts.say
        self._room(50)
        self.set_y(self.get_y() + 6)
        name = self.language.currency(of.asset)
        self._write(_MARGIN, _WIDTH, name if name == of.asset else f"{name} · {of.asset}", 14, _INK)
        self.set_y(self.get_y() + 9)
        said = [(say("Opening balance"), of.opening), (say("Paid in"), of.paid_in), (say("Paid out"), of.paid_out)]
        said.append((say("Closing balance"), of.closing))
        each = _WIDTH / 4
        for place, (text, _) in enumerate(said):
            self._write(_MARGIN + place * each, each, text, 8, _SOFT)
        self.set_y(self.get_y() + 4.5)
        for place, (_, amount) in enumerate(said):
            self._write(_MARGIN + place * each, each - 2, self.language.amount(amount, of.asset), 10, _INK)
        self.set_y(self.get_y() + 8)
        if not of.lines:
            self._write(_MARGIN, _WIDTH, say("No entries."), 9, _SOFT)
            self.set_y(self.get_y() + 6)
            return
        self._heads()
        for line in of.lines:
            self._line(of.asset, line)

    def _heads(self) -> None:
        say = self.texts.say
        heads = [say("Date"), say("Details"), say("Amount"), say("Balance")]
        self._columns(heads, 8, _SOFT)
        self.set_y(self.get_y() + _LINE + 0.6)
        self._rule()

    def _line(self, asset: str, line: PdfLine) -> None:
        kind = self.texts.kind(line.purpose)
        title = line.person or kind
        said = [kind if line.person and line.purpose != "payment" else "", line.memo or ""]
        memo = wrap(self._plain(" · ".join(filter(None, said))), _DETAILS - 3, self._width_of, _MEMO_LINES_MAX)
        below = max(len(memo), 1)
        if self._room((1 + below) * _LINE + 2):
            self._heads()
        self.set_y(self.get_y() + 1)
        sign = "" if line.amount.startswith("-") else "+"
        amounts = [sign + self.language.amount(line.amount, asset), self.language.amount(line.balance, asset)]
        self._columns([self.language.date_of(line.posted_at), title, *amounts], 9, _INK)
        self.set_y(self.get_y() + _LINE)
        self._write(_MARGIN, _DATE, f"{self.language.local(line.posted_at):%H:%M}", 8, _SOFT)
        for text in memo:
            self._write(_MARGIN + _DATE, _DETAILS, text, 8, _SOFT)
            self.set_y(self.get_y() + _LINE)
        if not memo:
            self.set_y(self.get_y() + _LINE)
        self.set_y(self.get_y() + 0.6)
        self._rule()

    def _columns(self, texts: list[str], size: float, ink: tuple[int, int, int]) -> None:
        date, details, amount, balance = texts
        self._write(_MARGIN, _DATE, date, size, ink)
        self._write(_MARGIN + _DATE, _DETAILS - 3, details, size, ink)
        self._write(_MARGIN + _DATE + _DETAILS, _AMOUNT, amount, size, ink, right=True)
        self._write(_MARGIN + _DATE + _DETAILS + _AMOUNT, _BALANCE, balance, size, ink, right=True)

    # ---- texts ------------------------------------------------------------------------------------------------

    def _write(
        self, x: float, width: float, text: str, size: float, ink: tuple[int, int, int], right: bool = False
    ) -> None:
        """Write one line at this height, in a smaller size if it does not fit."""
        text = self._plain(text)
        self.set_font("noto", size=size)
        self.set_text_shaping(False)
        wide = self.get_string_width(text)
        if wide > width:
            self.set_font("noto", size=max(size * width / wide, 4))
        self.set_text_shaping(_is_shaped(text))
        self.set_text_color(*ink)
        self.set_x(x)
        self.c_margin = 0
        y = self.get_y()
        self.cell(width, _LINE, text, align="R" if right else "L")
        self.set_y(y)

    def _rule(self) -> None:
        self.set_draw_color(*_RULE)
        self.line(_MARGIN, self.get_y(), _MARGIN + _WIDTH, self.get_y())

    def _plain(self, text: str) -> str:
        """Return the text in one line, of characters that the fonts have."""
        shown = (one for one in for_terminal(text) if one not in "\u200c\u200d" and not "\ufe00" <= one <= "\ufe0f")
        return "".join(one if ord(one) in self._letters else "?" for one in shown)

    def _width_of(self, cluster: str) -> float:
        return self._widths(cluster)

    @lru_cache(maxsize=4096)  # noqa: B019 # it lives as long as its process
    def _widths(self, cluster: str) -> float:
        self.set_text_shaping(False)
        self.set_font("noto", size=8)
        return float(self.get_string_width(cluster))


def _days(of: PdfDocument, language: Language) -> str:
    if of.month:
        return language.month(of.first_day)
    first, last = (language.day(day) for day in (of.first_day, of.last_day))
    return first if first == last else f"{first} – {last}"


def _is_shaped(text: str) -> bool:
    """Return whether a text has characters whose position depends on their neighbours: Thai, and combining marks."""
    return any("\u0e00" <= one <= "\u0e7f" or "\u0300" <= one <= "\u036f" for one in text)


def main() -> None:
    """Read a document and write its PDF."""
    with suppress(PermissionError):  # the systemd unit lets no process change its priority
        os.nice(10)
    document = msgspec.json.decode(sys.stdin.buffer.read(), type=PdfDocument)
    sys.stdout.buffer.write(_Statement(document).make())


if __name__ == "__main__":
    main()

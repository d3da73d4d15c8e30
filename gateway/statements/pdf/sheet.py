"""A document of pages of A4: the fonts, lines of text that fit, and a foot on each page.

It is set in Noto Sans and Noto Sans Thai; the file embeds the glyphs that it needs. HarfBuzz places Thai vowels and
tones. A character that neither font has is shown as a question mark.
"""

from datetime import datetime
from functools import lru_cache
from importlib.resources import as_file, files
from typing import Final

import fontpkg_noto_sans
import fontpkg_noto_sans_thai
from fpdf import FPDF

from gateway.escape import for_terminal
from gateway.notifications.texts.language import Language
from gateway.statements.texts import Texts

#: Millimetres.
MARGIN: Final = 15.0
WIDTH: Final = 210.0 - 2 * MARGIN
LINE: Final = 4.6

Ink = tuple[int, int, int]
INK: Final[Ink] = (20, 23, 26)
SOFT: Final[Ink] = (95, 101, 107)
ACCENT: Final[Ink] = (11, 107, 74)
_RULE: Final[Ink] = (222, 220, 214)

_FONTS: Final = (
    ("noto", fontpkg_noto_sans, "NotoSans[wdth,wght].ttf"),
    ("thai", fontpkg_noto_sans_thai, "NotoSansThai[wdth,wght].ttf"),
)


class Sheet(FPDF):
    """The pages. `made_at` is when they are made, for the file and its reader."""

    def __init__(self, locale: str, time_zone: str, made_at: datetime) -> None:
        super().__init__(format="A4", unit="mm")
        self.made_at, self.language, self.texts = made_at, Language(locale, time_zone), Texts(locale)
        for name, package, file in _FONTS:
            with as_file(files(package) / "files" / file) as path:
                self.add_font(name, "", path)
        self.set_fallback_fonts(["thai"])
        self.set_margins(MARGIN, MARGIN, MARGIN)
        self.set_auto_page_break(False)
        self.set_lang(locale)
        self.set_creation_date(made_at)
        self._letters = {letter for font in self.fonts.values() for letter in font.cmap}  # type: ignore[union-attr]

    def write_made(self) -> None:
        """Write when the document was made, and its time zone."""
        say, zone = self.texts.say, self.language.time_zone
        self.write_line(MARGIN, WIDTH, say("Made at {time}", time=self.language.time(self.made_at)), 8, SOFT)
        self.write_line(MARGIN, WIDTH, say("Times are those of {time_zone}.", time_zone=zone), 8, SOFT, right=True)

    def close_pages(self, about: str) -> bytes:
        """Write the foot of every page, and return the file."""
        pages = self.pages_count
        for page in range(1, pages + 1):
            self.page = page
            self.set_y(297 - MARGIN)
            self.write_line(MARGIN, WIDTH, about, 8, SOFT)
            said = self.texts.say("Page {page} of {pages}", page=page, pages=pages)
            self.write_line(MARGIN, WIDTH, said, 8, SOFT, right=True)
        return bytes(self.output())

    def has_room(self, height: float) -> bool:
        """Whether this height fits on the current page; if it does not, a new one has begun."""
        if self.get_y() + height <= 297 - MARGIN - 5:
            return True
        self.add_page()
        return False

    def write_line(self, x: float, width: float, text: str, size: float, ink: Ink, right: bool = False) -> None:
        """Write one line at this height, in a smaller size if it does not fit."""
        text = self.plain(text)
        self.set_font("noto", size=size)
        self.set_text_shaping(False)
        wide = self.get_string_width(text)
        if wide > width:
            self.set_font("noto", size=max(size * width / wide, 4))
        self.set_text_shaping(_is_shaped(text))
        self.current_font_is_set_on_page = False  # fpdf forgets that a line in Thai sets it within `q` and `Q` alone
        self.set_text_color(*ink)
        self.set_x(x)
        self.c_margin = 0
        y = self.get_y()
        self.cell(width, LINE, text, align="R" if right else "L")
        self.set_y(y)

    def draw_rule(self) -> None:
        """Draw a line across the page at this height."""
        self.set_draw_color(*_RULE)
        self.line(MARGIN, self.get_y(), MARGIN + WIDTH, self.get_y())

    def plain(self, text: str) -> str:
        """Return the text in one line, of characters that the fonts have."""
        shown = (one for one in for_terminal(text) if one not in "\u200c\u200d" and not "\ufe00" <= one <= "\ufe0f")
        return "".join(one if ord(one) in self._letters else "?" for one in shown)

    @lru_cache(maxsize=4096)  # noqa: B019 # it lives as long as its process
    def width_of(self, cluster: str, size: float) -> float:
        """The millimetres that a cluster takes."""
        self.set_text_shaping(False)
        self.set_font("noto", size=size)
        return float(self.get_string_width(cluster))


def _is_shaped(text: str) -> bool:
    """Return whether a text has characters whose position depends on their neighbours: Thai, and combining marks."""
    return any("\u0e00" <= one <= "\u0e7f" or "\u0300" <= one <= "\u036f" for one in text)

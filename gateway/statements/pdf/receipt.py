"""A receipt on a page of A4."""

from typing import Final

from gateway.statements.pdf.sheet import ACCENT, INK, LINE, MARGIN, SOFT, WIDTH, Sheet
from gateway.statements.pdf.wrap import wrap
from gateway.statements.receipt import Fact, Receipt

#: The width of a line's label, in millimetres; its value gets the rest.
_NAME: Final = 45.0

#: The font size in points, and the most lines of a value, enough for a memo of 280 characters.
_SIZE: Final = 10.0
_LINES_MAX: Final = 12


class ReceiptSheet(Sheet):
    """One page, or more where a memo is long."""

    def __init__(self, of: Receipt) -> None:
        super().__init__(of.locale, of.time_zone, of.made_at)
        self.of = of
        self.set_title(f"{of.title()} {of.id}")

    def make(self) -> bytes:
        of = self.of
        self.add_page()
        self.write_line(MARGIN, WIDTH, of.title(), 20, INK)
        self.set_y(self.get_y() + 12)
        self.write_line(MARGIN, WIDTH, of.total, 24, ACCENT if of.is_settled else SOFT)
        self.set_y(self.get_y() + 12)
        if warning := of.warning():
            self.write_line(MARGIN, WIDTH, warning, 10, INK)
            self.set_y(self.get_y() + 8)
        for fact in of.facts():
            self._fact(fact)
        self.set_y(self.get_y() + 6)
        self.write_made()
        return self.close_pages(of.id)

    def _fact(self, fact: Fact) -> None:
        width = WIDTH - _NAME
        lines = [fact.value]
        if not fact.is_code:
            lines = wrap(self.plain(fact.value), width, lambda cluster: self.width_of(cluster, _SIZE), _LINES_MAX)
        self.has_room(len(lines) * LINE + 4)
        self.draw_rule()
        self.set_y(self.get_y() + 2)
        self.write_line(MARGIN, _NAME, fact.name, _SIZE, SOFT)
        for text in lines or [""]:
            self.write_line(MARGIN + _NAME, width, text, _SIZE, INK)
            self.set_y(self.get_y() + LINE)
        self.set_y(self.get_y() + 2)

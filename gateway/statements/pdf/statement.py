"""A statement on pages of A4: each asset of the period with its entries."""

from typing import Final

from gateway.notifications.texts.language import Language
from gateway.statements.pdf.document import PdfAccount, PdfDocument, PdfLine
from gateway.statements.pdf.sheet import ACCENT, INK, LINE, MARGIN, SOFT, WIDTH, Ink, Sheet
from gateway.statements.pdf.wrap import wrap

#: Columns, in millimetres.
_DATE, _DETAILS, _AMOUNT, _BALANCE = 26.0, 80.0, 36.0, 38.0

_MEMO_LINES_MAX: Final = 4


class StatementSheet(Sheet):
    """The pages, each with the handle and the period at its foot."""

    def __init__(self, of: PdfDocument) -> None:
        super().__init__(of.locale, of.time_zone, of.made_at)
        self.of, self.days = of, _days(of, self.language)
        self.set_title(f"{self.texts.say('Statement')} @{of.handle} {self.days}")

    def make(self) -> bytes:
        self._begin()
        for account in self.of.accounts:
            self._account(account)
        if not self.of.accounts:
            self.set_y(self.get_y() + 6)
            self.write_line(MARGIN, WIDTH, self.texts.say("Nothing was there, and nothing moved."), 10, SOFT)
        return self.close_pages(f"@{self.of.handle} · {self.days}")

    def _begin(self) -> None:
        self.add_page()
        self.write_line(MARGIN, WIDTH, self.texts.say("Statement"), 20, INK)
        self.set_y(self.get_y() + 10)
        self.write_line(MARGIN, WIDTH, f"@{self.of.handle}", 12, ACCENT)
        self.write_line(MARGIN, WIDTH, self.days, 12, INK, right=True)
        self.set_y(self.get_y() + 7)
        self.write_made()
        self.set_y(self.get_y() + 5)

    def _account(self, of: PdfAccount) -> None:
        say = self.texts.say
        self.has_room(50)
        self.set_y(self.get_y() + 6)
        name = self.language.currency(of.asset)
        self.write_line(MARGIN, WIDTH, name if name == of.asset else f"{name} · {of.asset}", 14, INK)
        self.set_y(self.get_y() + 9)
        said = [(say("Opening balance"), of.opening), (say("Paid in"), of.paid_in), (say("Paid out"), of.paid_out)]
        said.append((say("Closing balance"), of.closing))
        each = WIDTH / 4
        for place, (text, _) in enumerate(said):
            self.write_line(MARGIN + place * each, each, text, 8, SOFT)
        self.set_y(self.get_y() + 4.5)
        for place, (_, amount) in enumerate(said):
            self.write_line(MARGIN + place * each, each - 2, self.language.amount(amount, of.asset), 10, INK)
        self.set_y(self.get_y() + 8)
        if not of.lines:
            self.write_line(MARGIN, WIDTH, say("No entries."), 9, SOFT)
            self.set_y(self.get_y() + 6)
            return
        self._heads()
        for line in of.lines:
            self._line(of.asset, line)

    def _heads(self) -> None:
        say = self.texts.say
        heads = [say("Date"), say("Details"), say("Amount"), say("Balance")]
        self._columns(heads, 8, SOFT)
        self.set_y(self.get_y() + LINE + 0.6)
        self.draw_rule()

    def _line(self, asset: str, line: PdfLine) -> None:
        kind = self.texts.kind(line.purpose)
        title = line.person or kind
        said = [kind if line.person and line.purpose != "payment" else "", line.memo or ""]
        memo = wrap(self.plain(" · ".join(filter(None, said))), _DETAILS - 3, self._width_of, _MEMO_LINES_MAX)
        below = max(len(memo), 1)
        if not self.has_room((1 + below) * LINE + 2):
            self._heads()
        self.set_y(self.get_y() + 1)
        sign = "" if line.amount.startswith("-") else "+"
        amounts = [sign + self.language.amount(line.amount, asset), self.language.amount(line.balance, asset)]
        self._columns([self.language.date_of(line.posted_at), title, *amounts], 9, INK)
        self.set_y(self.get_y() + LINE)
        self.write_line(MARGIN, _DATE, f"{self.language.local(line.posted_at):%H:%M}", 8, SOFT)
        for text in memo:
            self.write_line(MARGIN + _DATE, _DETAILS, text, 8, SOFT)
            self.set_y(self.get_y() + LINE)
        if not memo:
            self.set_y(self.get_y() + LINE)
        self.set_y(self.get_y() + 0.6)
        self.draw_rule()

    def _width_of(self, cluster: str) -> float:
        return self.width_of(cluster, 8)

    def _columns(self, texts: list[str], size: float, ink: Ink) -> None:
        date, details, amount, balance = texts
        self.write_line(MARGIN, _DATE, date, size, ink)
        self.write_line(MARGIN + _DATE, _DETAILS - 3, details, size, ink)
        self.write_line(MARGIN + _DATE + _DETAILS, _AMOUNT, amount, size, ink, right=True)
        self.write_line(MARGIN + _DATE + _DETAILS + _AMOUNT, _BALANCE, balance, size, ink, right=True)


def _days(of: PdfDocument, language: Language) -> str:
    if of.month:
        return language.month(of.first_day)
    first, last = (language.day(day) for day in (of.first_day, of.last_day))
    return first if first == last else f"{first} – {last}"

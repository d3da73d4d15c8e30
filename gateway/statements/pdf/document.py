"""The content of a PDF, as the gateway passes it to the process that makes it. Pure.

That process imports this module, and nothing of payments or the database: to import them takes as long as a short PDF.
"""

from datetime import date, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from gateway.statements.statement import Line, Summary


class PdfLine(Struct, array_like=True):
    """An entry. Amounts are decimal strings; `amount` is negative if money went out."""

    posted_at: datetime
    purpose: str
    person: str | None
    memo: str | None
    amount: str
    balance: str

    @classmethod
    def of(cls, line: "Line") -> "PdfLine":
        entry = line.entry
        return cls(entry.posted_at, entry.purpose, line.person, line.memo, line.change.amount, entry.balance.amount)


class PdfAccount(Struct):
    """The period of one asset."""

    asset: str
    opening: str
    paid_in: str
    paid_out: str
    closing: str
    lines: list[PdfLine]

    @classmethod
    def of(cls, summary: "Summary", lines: list[PdfLine]) -> "PdfAccount":
        return cls(
            asset=summary.asset.code,
            opening=summary.opening.amount,
            paid_in=summary.paid_in.amount,
            paid_out=summary.paid_out.amount,
            closing=summary.closing.amount,
            lines=lines,
        )


class PdfDocument(Struct, tag="statement"):
    """A whole statement. Its days are in the time zone; `month`: they are a whole month."""

    locale: str
    time_zone: str
    handle: str
    first_day: date
    last_day: date
    month: bool
    made_at: datetime
    accounts: list[PdfAccount]

    @property
    def made_for(self) -> str:
        """The reader, whose concurrent PDFs are limited."""
        return self.handle

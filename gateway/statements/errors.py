"""Errors of statements."""

from dataclasses import dataclass

from gateway.errors import Refused, Unavailable


@dataclass(eq=False)
class StatementTooLong(Refused):
    """The period has more entries than a PDF can have. Programs read longer statements as CSV."""

    entries: int
    maximum: int
    message = (
        "the period has {entries} entries, and a PDF at most {maximum}: ask for a shorter period, one asset, or CSV"
    )


class TooManyPdfs(Unavailable):
    message = "too many PDFs are being made, for this gateway or for this wallet; try again in a moment"

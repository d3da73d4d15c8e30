"""What a statement is refused with."""

from dataclasses import dataclass

from gateway.errors import Refused, Unavailable


@dataclass(eq=False)
class StatementTooLong(Refused):
    """A PDF is made of at most so many entries: a longer one is for programs to read, which read CSV."""

    entries: int
    most: int
    says = "the period has {entries} entries, and a PDF at most {most}: ask for a shorter period, one asset, or CSV"


class TooManyPdfs(Unavailable):
    says = "this gateway is making as many PDFs as it can, or two for this wallet; try again in a moment"

"""Statements as CSV (RFC 4180) that spreadsheets open: UTF-8 with a byte order mark, a header, CR LF line ends. Pure.

Amounts have all decimals of their asset and a decimal point, whatever the reader's language, and are negative if money
went out. The first line of an asset has the opening balance, its last line the closing balance: a file without it was
cut off. Text by others never starts a formula (`for_csv`), also if a spreadsheet takes a semicolon as the end of a
cell, as it does in languages that write 1,50: it only looks for quotes at the beginning of a cell.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from gateway.escape import for_csv
from gateway.statements.period import Period
from gateway.statements.statement import Line, Summary, reference_of

COLUMNS: Final = (
    *("date", "time", "utc_offset", "asset", "number", "type"),
    *("person", "memo", "amount", "balance", "reference"),
)

#: A semicolon after which a formula would start.
_SPLIT: Final = re.compile(r';(?=[\s"]*[=+\-@\uff1d\uff0b\uff0d\uff20])')


def head() -> bytes:
    """Return the byte order mark and the header."""
    return b"\xef\xbb\xbf" + _encoded([COLUMNS])


def opening(period: Period, of: Summary) -> bytes:
    """Return the line of the opening balance."""
    return _encoded([_balance(period.local(period.begins), of, "opening_balance", of.opening.amount)])


def closing(period: Period, of: Summary, now: datetime) -> bytes:
    """Return the line of the closing balance, dated at `now` while the period has not ended."""
    at = min(period.ends, max(period.begins, now))
    return _encoded([_balance(period.local(at), of, "closing_balance", of.closing.amount)])


def rows(period: Period, lines: Iterable[Line]) -> bytes:
    """Return a row for each line."""
    return _encoded([_row(period, line) for line in lines])


def _balance(at: datetime, of: Summary, kind: str, amount: str) -> Sequence[str]:
    return (*_time(at), of.asset.code, "", kind, "", "", "", amount, "")


def _row(period: Period, line: Line) -> Sequence[str]:
    entry = line.entry
    return (
        *_time(period.local(entry.posted_at)),
        entry.amount.asset.code,
        str(entry.number),
        entry.purpose,
        _written(line.person),
        _written(line.memo),
        line.change.amount,
        entry.balance.amount,
        reference_of(entry) or "",
    )


def _time(at: datetime) -> tuple[str, str, str]:
    text = at.isoformat(timespec="seconds")
    return text[:10], text[11:19], text[19:]


def _written(text: str | None) -> str:
    """Return text by others as a cell that no spreadsheet runs."""
    return _SPLIT.sub(";'", for_csv(text)) if text else ""


def _encoded(cells: Iterable[Sequence[str]]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows(cells)
    return written.getvalue().encode()

"""The file that `pay-many` pays: CSV (RFC 4180) in UTF-8, a header line, then one payment per row. Pure: bytes to rows.

Columns: to, amount, asset and, optionally, memo and key, in any order. Blank columns at the end, which spreadsheets
leave, are ignored. A row is identified by the line that it begins in, as an editor numbers them; empty rows are left
out. The first fault ends the reading: it is reported with its line, and with what to do, before anything is sent. The
gateway decides whether a payee exists and an asset is known.

Rows are produced one by one, and a file is read twice (once to check all of it, once to send), so it is never in memory
as a whole.
"""

import csv
import hashlib
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from gateway.cli.options import is_visible
from gateway.errors import Refused

REQUIRED, OPTIONAL = ("to", "amount", "asset"), ("memo", "key")

#: The longest line that is read, as long as the gateway reads.
LINE_BYTES_MAX = 64 * 1024

#: The most characters in a row: more could be a longer line than the gateway reads, each being up to six bytes there.
_ROW_MAX = 8_000

#: The form of an amount, as the gateway accepts it for an asset with enough decimals (money.py).
_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,77})(\.[0-9]{1,77})?", re.ASCII)

_COLUMNS = f"the columns are {', '.join(REQUIRED)}, and {' and '.join(OPTIONAL)} where you want them"


@dataclass(frozen=True, slots=True)
class Row:
    """A payment of the file. `key` is its own idempotency key, if it has one."""

    line: int
    to: str
    amount: str
    asset: str
    memo: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Checked:
    """A file that can be paid: its SHA-256 in hex, how many rows it has, and how many lines."""

    sha256: str
    rows: int
    lines: int


@dataclass(eq=False)
class Unreadable(Refused):
    """`line` of the file is invalid; `reason` says what to do."""

    line: int
    reason: str
    message = "line {line}: {reason}"


def check(file: BinaryIO, run_key: str | None = None) -> Checked:
    """Read all of a file from its beginning, and check that it can be paid. `run_key` is the prefix of its rows' keys,
    if known: no row may have such a key of its own.

    Raises Unreadable for the first line that is at fault, or the second with the same key. Holds eight bytes per key.
    """
    file.seek(0)
    sha256, lines, count, keys = hashlib.sha256(), 0, 0, array("q")

    def hashed() -> Iterator[bytes]:
        nonlocal lines
        for line in _lines(file):
            sha256.update(line)
            lines += 1
            yield line

    for row in rows(hashed()):
        count += 1
        if row.key is not None:
            if run_key is not None and row.key.startswith(f"{run_key}/"):
                raise Unreadable(row.line, f"the key {row.key!r} begins as the other rows' will; choose another --key")
            keys.append(hash(row.key))
    if not count:
        raise Unreadable(lines + 1, "there is no row below the header line; add a line for each payment")
    suspects = {one for one, next_one in pairwise(sorted(keys)) if one == next_one}
    if suspects:
        _refuse_repeated(file, suspects)
    return Checked(sha256.hexdigest(), count, lines)


def read(file: BinaryIO) -> Iterator[Row]:
    """The rows of a file that was checked, from its beginning."""
    file.seek(0)
    return rows(_lines(file))


def rows(lines: Iterable[bytes]) -> Iterator[Row]:
    """Parse the rows of these lines. Raises Unreadable at the first line that is at fault."""
    reader = csv.reader(_decoded(lines), strict=True)
    places: list[int] | None = None
    while True:
        begins = reader.line_num + 1
        try:
            fields = next(reader, None)
        except csv.Error as fault:
            raise Unreadable(begins, _told(str(fault))) from None
        if fields is None:
            break
        if places is None:
            header = _without_blanks(fields, 0)
            places, width = _places(header), len(header)
        elif any(fields):
            yield _row(begins, _without_blanks(fields, width), places, width)
    if places is None:
        raise Unreadable(1, f"the file is empty; begin it with a header line: {_COLUMNS}")


def _refuse_repeated(file: BinaryIO, suspects: set[int]) -> None:
    """Raise Unreadable for the first two rows that have the same key, among those whose hashes are equal."""
    first: dict[str, int] = {}
    for row in read(file):
        if row.key is not None and hash(row.key) in suspects:
            before = first.setdefault(row.key, row.line)
            if before != row.line:
                raise Unreadable(
                    row.line,
                    f"the key {row.key!r} is that of line {before} too, so only one of them would be paid; "
                    "give each its own, or none",
                )


def _lines(file: BinaryIO) -> Iterator[bytes]:
    number = 0
    while line := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(line) > LINE_BYTES_MAX:
            raise Unreadable(number, f"it is longer than {LINE_BYTES_MAX} bytes; is this the CSV file?")
        yield line


def _decoded(lines: Iterable[bytes]) -> Iterator[str]:
    for number, line in enumerate(lines, start=1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            raise Unreadable(number, "it is not in UTF-8; save the file as CSV in UTF-8") from None


def _told(fault: str) -> str:
    """The reason for an error of Python's csv module, with what to do."""
    if fault.startswith(("unexpected end of data", "field larger")):
        return 'a field begins with a quote " and never ends; end it, or write "" for a quote inside'
    if "delimiter expected" in fault or "expected after" in fault:
        return 'there is something after the quote " that ends a field; write "" for a quote inside a quoted field'
    if fault.startswith("new-line"):
        return "there is a carriage return inside a field without quotes; save the file with ordinary line ends"
    return f"it is not CSV as RFC 4180 has it ({fault})"


def _without_blanks(fields: Sequence[str], minimum: int) -> Sequence[str]:
    """The fields without blank ones at the end, but at least `minimum` of them."""
    end = len(fields)
    while end > minimum and not fields[end - 1].strip():
        end -= 1
    return fields[:end]


def _places(header: Sequence[str]) -> list[int]:
    """The index of each column in a row, in the order of `Row`; -1 if the file does not have it."""
    names = [name.strip().lower() for name in header]
    if not any(names):
        raise Unreadable(1, f"it is empty; begin the file with a header line: {_COLUMNS}")
    for name in names:
        if name not in (*REQUIRED, *OPTIONAL):
            if len(names) == 1 and any(mark in name for mark in ";\t|"):
                raise Unreadable(1, "the columns are not separated by commas; save the file as CSV with commas")
            if not name:
                raise Unreadable(1, f"a column has no name; name it or take it out: {_COLUMNS}")
            raise Unreadable(1, f"there is no column {name[:60]!r}; rename it or leave it out: {_COLUMNS}")
        if names.count(name) > 1:
            raise Unreadable(1, f"the column {name!r} is there twice; leave one out")
    for name in REQUIRED:
        if name not in names:
            raise Unreadable(1, f"the column {name!r} is missing; add it to the header line: {_COLUMNS}")
    return [names.index(name) if name in names else -1 for name in (*REQUIRED, *OPTIONAL)]


def _row(line: int, fields: Sequence[str], places: Sequence[int], width: int) -> Row:
    if len(fields) > width:
        raise Unreadable(
            line,
            f"it has {len(fields)} fields and the header line has {width}; "
            "put quotes around a field that has a comma in it",
        )
    if len(fields) < width:
        raise Unreadable(
            line,
            f"it has {len(fields)} fields and the header line has {width}; write the missing ones, or a comma for each "
            "that is blank",
        )
    if sum(map(len, fields)) > _ROW_MAX:
        raise Unreadable(line, f"it has more than {_ROW_MAX} characters; shorten it, or end a quote that is open")
    to, amount, asset, memo, key = (fields[place] if place >= 0 else "" for place in places)
    for name, text in (("to", to), ("asset", asset)):
        if not text.strip() or not text.isprintable():
            raise Unreadable(line, f"the {name} is {'not a name' if text.strip() else 'empty'}; write one, in one line")
    if not _AMOUNT.fullmatch(amount) or not amount.strip("0."):
        raise Unreadable(
            line,
            f"the amount {amount[:40]!r} is not one; write it like 12.50: more than zero, digits and a point, no sign, "
            "space, comma, exponent or leading zero",
        )
    if key and not is_visible(key):
        raise Unreadable(
            line, f"the key {key[:40]!r} cannot be one; it should be 1 to 255 visible ASCII characters, without spaces"
        )
    return Row(line, to, amount, asset, memo or None, key or None)

"""What others wrote is text in a spreadsheet, and the file is one that programs read back."""

import csv
from datetime import UTC, datetime
from uuid import UUID

import pytest

from gateway.ledger.account import Side
from gateway.ledger.ledger import Entry
from gateway.money import Asset, Money
from gateway.statements import csv_file
from gateway.statements.period import month_of
from gateway.statements.statement import Line, Summary

EUR = Asset("EUR", "fiat", 2)
AT = datetime(2026, 11, 30, 17, 30, tzinfo=UTC)
IN_BANGKOK = month_of("2026-12", "Asia/Bangkok")


def cells(memo: str, asset: Asset = EUR, units: int = 1250, side: Side = Side.DEBIT) -> list[str]:
    entry = Entry(1, side, Money(units, asset), Money(0, asset), "payment", UUID(int=1), AT)
    (row,) = csv.reader(csv_file.rows(IN_BANGKOK, [Line(entry, "@bob", memo)]).decode().splitlines(), strict=True)
    assert len(row) == len(csv_file.COLUMNS)
    return row


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t", "\r", " =", "\u00a0=", "\uff1d"])
def test_a_memo_that_begins_like_a_formula_is_text(begins: str) -> None:
    memo = cells(f"{begins}SUM(1+1)*cmd|' /C calc'!A0")[7]
    assert memo.startswith(("'", "\\"))


def splits(line: str) -> list[str]:
    """The cells of a line where a semicolon ends a cell: quotes count at the beginning of one alone."""
    return next(csv.reader([line], delimiter=";"))


@pytest.mark.parametrize("memo", ["a;=1+1", "a;  =1+1", 'a";=1+1', 'a;"=1+1', ";;@SUM(1)", "x;-1+cmd", "a;\uff1d1+1"])
def test_a_memo_is_no_formula_where_a_semicolon_ends_a_cell(memo: str) -> None:
    entry = Entry(1, Side.DEBIT, Money(1, EUR), Money(0, EUR), "payment", UUID(int=1), AT)
    line = csv_file.rows(IN_BANGKOK, [Line(entry, "@bob", memo)]).decode()
    assert [cell for cell in splits(line)[1:] if cell.strip()[:1] in tuple("=+-@\uff1d")] == []


def test_a_line_end_in_a_memo_begins_no_line() -> None:
    assert cells('one\r\ntwo, "three"\u202e')[7] == 'one\\r\\ntwo, "three"\\u202e'


def test_amounts_are_exact_and_below_zero_where_money_went_out() -> None:
    great = Asset("BIG", "token", 18)
    assert cells("", great, 10**40 + 1, Side.CREDIT)[8] == "1" + "0" * 22 + "." + "0" * 17 + "1"
    assert cells("")[8] == "-12.50"
    assert cells("", Asset("JPY", "fiat", 0), 1200)[8] == "-1200"


def test_times_are_in_the_time_zone_of_the_period() -> None:
    assert cells("")[:3] == ["2026-12-01", "00:30:00", "+07:00"]


@pytest.mark.parametrize(
    ("now", "closed"),
    [
        (datetime(2026, 12, 3, 1, 0, tzinfo=UTC), ["2026-12-03", "08:00:00", "+07:00"]),
        (datetime(2027, 1, 20, tzinfo=UTC), ["2027-01-01", "00:00:00", "+07:00"]),
    ],
)
def test_the_closing_balance_of_a_month_that_lasts_is_of_now(now: datetime, closed: list[str]) -> None:
    of = Summary(*(Money(units, EUR) for units in (0, 5, 2, 3)), after=0, last=2)
    (row,) = csv.reader(csv_file.closing(IN_BANGKOK, of, now).decode().splitlines(), strict=True)
    assert [*row[:3], row[5], row[9]] == [*closed, "closing_balance", "0.03"]


def test_the_file_begins_with_a_byte_order_mark_and_its_lines_end_in_cr_lf() -> None:
    assert csv_file.head().startswith(b"\xef\xbb\xbfdate,time,")
    assert csv_file.head().endswith(b",reference\r\n")
    assert cells("ขอบคุณ 🍜")[7] == "ขอบคุณ 🍜"

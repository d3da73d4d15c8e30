"""The file that pay-many pays: what is read of it, and what is told of one that cannot be."""

import csv
import hashlib
from io import BytesIO, StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.pay_many import rows
from gateway.cli.pay_many.rows import Checked, Row, Unreadable


def read(text: bytes) -> list[Row]:
    return list(rows.read(BytesIO(text)))


def fault(text: bytes, run_key: str | None = None) -> str:
    with pytest.raises(Unreadable) as raised:
        rows.check(BytesIO(text), run_key)
    return str(raised.value)


def test_a_row_is_a_payment_named_by_its_line() -> None:
    assert read(b"to,amount,asset\n@bob,1.00,EUR\n0xabc,2,USDX\n") == [
        Row(2, "@bob", "1.00", "EUR"),
        Row(3, "0xabc", "2", "USDX"),
    ]


def test_columns_come_in_any_order_and_memo_and_key_may_be_empty() -> None:
    text = b"Key, Memo,asset,AMOUNT,to\n,,EUR,1.00,@bob\nmay-1,for May,EUR,1.00,@bob\n"

    assert read(text) == [Row(2, "@bob", "1.00", "EUR"), Row(3, "@bob", "1.00", "EUR", "for May", "may-1")]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["without BOM", "with BOM"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_a_file_may_have_a_byte_order_mark_and_either_line_end(mark: bytes, end: bytes) -> None:
    text = mark + end.join([b"to,amount,asset,memo", "@bob,1.00,EUR,für Mai".encode(), b"@bob,2.00,EUR,"])

    assert [row.memo for row in read(text)] == ["für Mai", None]


@pytest.mark.parametrize("head", [b"to,amount,asset", b"to,amount,asset,,", b"to,amount,asset, ,"])
@pytest.mark.parametrize("row", [b"@bob,1.00,EUR", b"@bob,1.00,EUR,", b"@bob,1.00,EUR,, ,"])
def test_blank_columns_at_the_end_are_nothing(head: bytes, row: bytes) -> None:
    assert read(head + b"\n" + row + b"\n") == [Row(2, "@bob", "1.00", "EUR")]


def test_a_row_of_several_lines_is_named_by_its_first_and_empty_rows_are_left_out() -> None:
    text = b'to,amount,asset,memo\n@bob,1.00,EUR,"two\nlines, ""quoted"""\n\n,,,\n@bob,2.00,EUR,last'

    assert read(text) == [
        Row(2, "@bob", "1.00", "EUR", 'two\nlines, "quoted"'),
        Row(6, "@bob", "2.00", "EUR", "last"),
    ]
    assert rows.check(BytesIO(text)) == Checked(hashlib.sha256(text).hexdigest(), rows=2, lines=6)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=50), min_size=1))
def test_whatever_a_memo_is_it_is_read_as_it_was_written(memos: list[str]) -> None:
    text = StringIO()
    csv.writer(text).writerows([["to", "amount", "asset", "memo"], *(["@bob", "1", "EUR", memo] for memo in memos)])

    assert [row.memo or "" for row in read(text.getvalue().encode())] == memos


HEAD = b"to,amount,asset,memo,key\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "line 1: the file is empty; begin it with a header line: the columns are to, amount, asset, and memo"),
        (b"\n@bob,1,EUR\n", "line 1: it is empty; begin the file with a header line"),
        (b"to,amount\n@bob,1\n", "line 1: the column 'asset' is missing; add it to the header line"),
        (b"to,amount,currency\n@bob,1,EUR\n", "line 1: there is no column 'currency'; rename it or leave it out"),
        (b"to,,amount,asset\n@bob,,1,EUR\n", "line 1: a column has no name; name it or take it out"),
        (
            HEAD + b"@bob,1,EUR\n",
            "line 2: it has 3 fields and the header line has 5; write the missing ones, or a comma",
        ),
        (b"to,amount,asset,to\n@bob,1,EUR,@eve\n", "line 1: the column 'to' is there twice; leave one out"),
        (b"to;amount;asset\n@bob;1,00;EUR\n", "line 1: the columns are not separated by commas; save the file as CSV"),
        (b"@bob,1.00,EUR\n", "line 1: there is no column '@bob'; rename it or leave it out"),
        (b"to,amount,asset\n", "line 2: there is no row below the header line; add a line for each payment"),
        (b"to,amount,asset\n\n,,\n", "line 4: there is no row below the header line"),
        (b"to,amount,asset\n@bob,1,EUR,x\n", "line 2: it has 4 fields and the header line has 3; put quotes around"),
        (HEAD + b"@bob,1,EUR,x\n", "line 2: it has 4 fields and the header line has 5"),
        (HEAD + b",1,EUR,,\n", "line 2: the to is empty; write one"),
        (HEAD + b'"@b\nob",1,EUR,,\n', "line 2: the to is not a name; write one, in one line"),
        (HEAD + b"@bob,1, ,,\n", "line 2: the asset is empty; write one"),
        (HEAD + b"@bob,1,EUR,,a b\n", "line 2: the key 'a b' cannot be one; it should be 1 to 255 visible ASCII"),
        (HEAD + b"@bob,1,EUR,\xe9,\n", "line 2: it is not in UTF-8; save the file as CSV in UTF-8"),
        ("to,amount,asset\n".encode("utf-16"), "line 1: it is not in UTF-8"),
        (HEAD + b'@bob,1,EUR,"never ends\n@bob,2,EUR,,\n', 'line 2: a field begins with a quote " and never ends'),
        (HEAD + b'@bob,1,EUR,"a"b,\n', 'line 2: there is something after the quote " that ends a field'),
        (HEAD + b"@bob,1,EUR,a\rb,\n", "line 2: there is a carriage return inside a field without quotes"),
        (HEAD + b"x" * 70_000, "line 2: it is longer than 65536 bytes; is this the CSV file?"),
        (HEAD + b"@bob,1,EUR," + b"x" * 8_000 + b",\n", "line 2: it has more than 8000 characters; shorten it"),
    ],
)
def test_a_file_that_cannot_be_meant_is_told_with_its_line_and_what_to_do(text: bytes, told: str) -> None:
    assert fault(text).startswith(told)


@pytest.mark.parametrize(
    "amount",
    ["", "0", "0.00", "-1", "+1", "1e3", "12,50", "1.", ".5", " 1", "01.00", "1_000", "€5", "NaN", "٣", "1" * 79],
)
def test_an_amount_is_a_decimal_of_more_than_zero_or_the_row_is_told(amount: str) -> None:
    text = StringIO()
    csv.writer(text).writerows([["to", "amount", "asset"], ["@bob", "1.00", "EUR"], ["@bob", amount, "EUR"]])

    assert fault(text.getvalue().encode()).startswith(f"line 3: the amount {amount[:40]!r} is not one; write it like")


def test_two_rows_with_one_key_are_told_because_only_one_would_be_paid() -> None:
    text = HEAD + b"@bob,1,EUR,,a\n@bob,1,EUR,,\n@bob,1,EUR,,b\n@eve,1,EUR,,\n@eve,2,EUR,,a\n"

    assert fault(text) == (
        "line 6: the key 'a' is that of line 2 too, so only one of them would be paid; give each its own, or none"
    )


def test_a_key_that_another_row_could_be_given_is_told() -> None:
    text = HEAD + b"@bob,1,EUR,,may/3\n@bob,1,EUR,,\n"

    assert fault(text, "may") == "line 2: the key 'may/3' begins as the other rows' will; choose another --key"
    assert rows.check(BytesIO(text), "june").rows == 2

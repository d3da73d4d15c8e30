"""The result file of pay-many: what it keeps over any end, and whose it is."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from gateway.cli.pay_many import results
from gateway.cli.pay_many.results import (
    Damaged,
    InUse,
    NotAResultFile,
    NotKept,
    Outcome,
    Record,
    Run,
    Tally,
    Unwritable,
    record_of,
)
from gateway.cli.pay_many.rows import Checked, Row

RUN = Run("may", "ab" * 32, "alice", "wal_1")

#: A file of five rows, in the lines 2 to 6.
CHECKED = Checked(RUN.sha256, rows=5, lines=6)

SETTLED = {"index": 0, "status": 201, "id": "pay_1", "state": "settled"}
QUEUED = {"index": 0, "status": 202, "id": "pay_1", "state": "queued"}


def refused(status: int, code: str, detail: str = "no") -> dict[str, object]:
    return {"index": 0, "status": status, "problem": {"code": code, "detail": detail}}


def answered(line: int, answer: dict[str, object], amount: str = "1.00", asset: str = "EUR") -> Record:
    row = Row(line, "@bob", amount, asset)
    return record_of(row, RUN.key_of(row), answer)


def written(path: Path, records: Sequence[Record]) -> bytes:
    with results.opened(path) as kept:
        kept.begin(RUN)
        kept.add(records)
    return path.read_bytes()


def known(path: Path) -> list[Outcome]:
    with results.opened(path) as kept:
        assert kept.run == RUN
        tally = kept.tally(CHECKED)
    return [tally.outcome(line) for line in range(2, 7)]


def test_what_is_written_is_known_again(tmp_path: Path) -> None:
    path = tmp_path / "may.results.csv"

    text = written(path, [answered(2, SETTLED), answered(3, refused(404, "unknown_payee", 'no\n"such",  handle'))])

    assert text.decode() == (
        "line,key,to,amount,asset,status,payment_id,state,code,detail\n"
        f"1,may,,,,,,run,,sha256 {'ab' * 32} from @alice wal_1\n"
        "2,may/2,@bob,1.00,EUR,201,pay_1,settled,,\n"
        '3,may/3,@bob,1.00,EUR,404,,,unknown_payee,"no ""such"", handle"\n'
    )
    assert known(path) == [Outcome.PAID, Outcome.REFUSED, *[Outcome.UNANSWERED] * 3]
    assert path.stat().st_mode & 0o777 == 0o600


def test_wherever_a_record_was_torn_the_ones_before_it_are_known(tmp_path: Path) -> None:
    path = tmp_path / "may.results.csv"
    text = written(path, [answered(2, SETTLED), answered(3, refused(409, "insufficient_funds", "a, b"))])
    whole = text.rindex(b"\n3,") + 1

    for end in range(whole, len(text)):
        path.write_bytes(text[:end])
        assert known(path) == [Outcome.PAID, *[Outcome.UNANSWERED] * 4]
        assert path.read_bytes() == text[:whole]


def test_a_torn_record_longer_than_a_block_is_taken_off_whole(tmp_path: Path) -> None:
    path = tmp_path / "may.results.csv"
    text = written(path, [answered(2, SETTLED)])
    path.write_bytes(text + b"3,may/3," + b"x" * 10_000)

    assert known(path) == [Outcome.PAID, *[Outcome.UNANSWERED] * 4]
    assert path.read_bytes() == text


def test_a_file_that_was_killed_before_anything_was_sent_begins_anew(tmp_path: Path) -> None:
    path = tmp_path / "may.results.csv"
    text = written(path, [])

    for end in range(len(text)):
        path.write_bytes(text[:end])
        with results.opened(path) as kept:
            assert kept.run is None
            kept.begin(RUN)
        assert path.read_bytes() == text


@pytest.mark.parametrize(
    "text",
    [
        b"to,amount,asset\n@bob,1.00,EUR\n",
        b"my notes",
        b"\nmy notes",
        b"line,key,to,amount,asset,status,payment_id,state,code,detail\n2,may/2,@bob,1.00,EUR,201,pay_1,settled,,\n",
        b"\xff\xfe\x00" * 50_000,
    ],
    ids=["the file to pay", "a note", "a note below", "no first record", "bytes"],
)
def test_any_other_file_is_left_as_it_is(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "notes"
    path.write_bytes(text)

    with (
        pytest.raises(NotAResultFile, match="so it is not overwritten; name another with --results"),
        results.opened(path),
    ):
        pass

    assert path.read_bytes() == text


def test_a_file_that_a_spreadsheet_saved_again_is_still_known(tmp_path: Path) -> None:
    path = tmp_path / "may.results.csv"
    text = written(path, [answered(2, SETTLED), answered(3, QUEUED)])

    path.write_bytes(text.replace(b"\n", b"\r\n"))

    assert known(path)[:3] == [Outcome.PAID, Outcome.ACCEPTED, Outcome.UNANSWERED]


def test_who_comes_second_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "may.results.csv"

    with results.opened(path) as first:
        first.begin(RUN)
        with pytest.raises(InUse, match="another pay-many is writing"), results.opened(path):
            pass

    assert known(path) == [Outcome.UNANSWERED] * 5


@pytest.mark.parametrize(
    "line",
    [
        "x,may/2,@bob,1.00,EUR,201,pay_1,settled,,",
        "3,may/3",
        "3,may/3,@bob,1.00,EUR,,,,,",
        "3,a,b,c,d,5,f,g,h,i,j",
        "7,may/7,@bob,1.00,EUR,201,pay_1,settled,,",
        "\0\0\0",
    ],
    ids=["no line", "short", "no status", "long", "no row there", "zeros"],
)
def test_a_line_that_is_no_record_stops_everything_and_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "may.results.csv"
    text = written(path, [answered(2, SETTLED)])
    path.write_bytes(text + line.encode() + b"\n" + text.splitlines(keepends=True)[2])

    with pytest.raises(Damaged, match=r"line 4 of .* so nothing was sent"):
        known(path)


def test_a_place_that_cannot_be_written_is_told_before_anything_is_sent(tmp_path: Path) -> None:
    for path in (tmp_path / "no" / "such.csv", tmp_path, Path("/dev/null")):
        with pytest.raises(Unwritable, match="so nothing was sent"), results.opened(path):
            pass


def test_a_file_that_was_removed_meanwhile_is_missed_before_the_next_part(tmp_path: Path) -> None:
    path = tmp_path / "may.results.csv"

    with results.opened(path) as kept:
        kept.begin(RUN)
        kept.check_there()
        path.unlink()
        with pytest.raises(NotKept, match=r"No such file or directory.*add --key may"):
            kept.check_there()
        path.write_text("another")
        with pytest.raises(NotKept, match="another file was put in its place"):
            kept.check_there()


# ---- what became of the rows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (SETTLED, Outcome.PAID),
        (QUEUED, Outcome.ACCEPTED),
        (QUEUED | {"state": "submitted"}, Outcome.ACCEPTED),
        (QUEUED | {"state": "failed"}, Outcome.UNPAID),
        (refused(404, "unknown_payee"), Outcome.REFUSED),
        (refused(409, "insufficient_funds"), Outcome.REFUSED),
        (refused(409, "idempotency_key_in_progress"), Outcome.UNDECIDED),
        (refused(503, "unavailable"), Outcome.UNDECIDED),
        (refused(500, "internal_error"), Outcome.UNDECIDED),
    ],
)
def test_an_answer_is_paid_on_its_way_unpaid_refused_or_undecided(answer: dict[str, object], outcome: Outcome) -> None:
    assert answered(2, answer).outcome is outcome


def test_the_last_answer_to_a_row_counts() -> None:
    tally = Tally(CHECKED)

    for answer in (refused(503, "unavailable"), refused(409, "insufficient_funds"), QUEUED, SETTLED):
        tally.add(answered(2, answer))
    tally.add(answered(3, QUEUED))
    tally.add(answered(3, QUEUED | {"state": "failed"}))

    assert (tally.outcome(2), tally.outcome(3), tally.outcome(4)) == (
        Outcome.PAID,
        Outcome.UNPAID,
        Outcome.UNANSWERED,
    )
    assert [tally.count(outcome) for outcome in Outcome] == [3, 0, 0, 1, 0, 0, 1]
    assert tally.reasons(Outcome.PAID) == {"settled": 1}
    assert tally.reasons(Outcome.UNPAID, Outcome.UNDECIDED) == {"failed": 1}
    assert tally.totals == {"EUR": Decimal("1.00")}


def test_totals_are_shown_with_the_decimals_of_their_asset() -> None:
    tally = Tally(CHECKED)
    tally.decimals = {"EUR": 2, "JPY": 0, "USDX": 6}
    for line, (amount, asset) in enumerate([("1.5", "EUR"), ("100", "JPY"), ("2.50", "USDX")], start=2):
        tally.add(answered(line, SETTLED, amount, asset))

    assert tally.shown_totals() == [("EUR", "1.50"), ("JPY", "100"), ("USDX", "2.500000")]


def test_totals_are_exact_however_large() -> None:
    tally = Tally(CHECKED)
    maximum = str(2**256 - 1)

    for line, amount in enumerate((maximum, "0." + "0" * 76 + "1", maximum), start=2):
        tally.add(answered(line, SETTLED, amount, "BIG"))

    assert tally.shown_totals()[0][1] == f"{tally.totals['BIG']:f}" == str(2 * (2**256 - 1)) + "." + "0" * 76 + "1"

"""What pay-many refuses before anything is sent, and what it shows while it runs."""

import os
import pty
import re
import sys

import pytest

from gateway.cli.pay_many import command, results
from gateway.cli.pay_many.command import wanted_of
from gateway.cli.pay_many.results import Outcome, Record, Tally
from gateway.cli.pay_many.rows import Checked
from tests.cli.many import file_of, pay_many
from tests.processes import start
from tests.running import Up, environ

# ---- refused before anything is sent --------------------------------------------------------------------------------


def test_a_second_run_on_one_result_file_is_refused(up: Up) -> None:
    payee = up.someone("twice_payee")
    up.someone("twice_payer", EUR="1.00")
    file_of(up, "twice", f"{payee},1.00,EUR")

    with results.opened(up.folder / "twice.results.csv"):
        second = pay_many(up, "twice")

    assert second.returncode == 1
    assert second.stderr == "gateway: another pay-many is writing twice.results.csv; wait until it has ended\n"
    assert up.available(payee, "EUR") == "0.00"


def test_a_result_file_of_another_payer_or_key_is_refused(up: Up) -> None:
    payer, other, payee = up.someone("owner_payer", EUR="1.00"), up.someone("owner_other"), up.someone("owner_payee")
    file_of(up, "owner", f"{payee},1.00,EUR")
    assert pay_many(up, "owner", "--key", "may").returncode == 0

    refused = up.gateway("pay-many", "owner.csv", "--from", other), pay_many(up, "owner", "--key", "june")

    assert [one.returncode for one in refused] == [1, 1]
    assert f"is about payments of {payer}, wal_" in refused[0].stderr
    assert "is about the run with the key may; leave --key out to go on with it" in refused[1].stderr


@pytest.mark.parametrize(
    ("text", "more", "sentence"),
    [
        ("to,amount\n@bob,1\n", "", "bad.csv: line 1: the column 'asset' is missing; add it to the header line"),
        ("to,amount,asset\n@bob,1,EUR\n@bob,1.0.0,EUR\n", "", "bad.csv: line 3: the amount '1.0.0' is not one; write"),
        ("", "", "bad.csv: line 1: the file is empty; begin it with a header line"),
        (None, "", "bad.csv: it cannot be read (No such file or directory); nothing was sent"),
        (
            "to,amount,asset\n@bob,1,EUR\n",
            "--results .",
            "the results cannot be kept in . (Is a directory), so nothing",
        ),
        ("to,amount,asset\n@bob,1,EUR\n", "--results bad.csv", "bad.csv exists and is not a result file of pay-many"),
    ],
)
def test_what_cannot_be_paid_is_one_sentence_and_nothing_is_sent(
    up: Up, text: str | None, more: str, sentence: str
) -> None:
    before = up.available("alice", "EUR")
    (up.folder / "bad.csv").unlink(missing_ok=True)
    if text is not None:
        (up.folder / "bad.csv").write_text(text)

    refused = up.gateway("pay-many", "bad.csv", "--from", "alice", *more.split())

    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(f"gateway: {sentence}")
    assert refused.stderr.count("\n") == 1
    assert up.available("alice", "EUR") == before
    assert not (up.folder / "bad.results.csv").exists()


def test_without_a_gateway_nothing_is_begun(up: Up) -> None:
    file_of(up, "early", "@bob,1.00,EUR")

    refused = up.gateway("pay-many", "early.csv", "--from", "alice", "--url", "http://127.0.0.1:1")

    assert (refused.returncode, refused.stdout) == (3, "")
    assert refused.stderr.startswith("gateway: no gateway answers at http://127.0.0.1:1 (no connection): start one")
    assert not (up.folder / "early.results.csv").exists()


def test_what_is_no_file_that_can_be_read_twice_is_refused(up: Up) -> None:
    refused = up.sh("echo to,amount,asset | .venv/bin/gateway pay-many /dev/stdin --from alice || true")

    assert (
        "/dev/stdin: it is read twice, so it has to be an ordinary file; save it as one; nothing was" in refused.stderr
    )


def test_a_key_too_long_for_the_lines_behind_it_is_a_usage_error(up: Up) -> None:
    file_of(up, "long", "@bob,1.00,EUR")

    refused = up.gateway("pay-many", "long.csv", "--from", "alice", "--key", "k" * 231)

    assert refused.returncode == 2
    assert "it should be at most 230 characters" in refused.stderr


# ---- what is shown while it runs ------------------------------------------------------------------------------------


def test_without_a_terminal_each_part_is_a_line(up: Up) -> None:
    payee = up.someone("lined_payee")
    up.someone("lined_payer", EUR="21.00")
    file_of(up, "lined", *[f"{payee},0.01,EUR"] * 2_100)

    ran = pay_many(up, "lined")

    shape = r"(\d+) of 2100 rows, \d+ rows/s, \d+\.\d s left"
    matches = [re.fullmatch(shape, line) for line in ran.stderr.splitlines()]
    assert [match and match.group(1) for match in matches] == ["1000", "2000", "2100"]


def test_on_a_terminal_a_bar_shows_how_far_it_is_and_the_summary_stays(up: Up) -> None:
    payee = up.someone("barred_payee")
    up.someone("barred_payer", EUR="21.00")
    file_of(up, "barred", *[f"{payee},0.01,EUR"] * 2_100)
    terminal, end = pty.openpty()

    argv = [sys.executable, "-P", "-m", "gateway", "pay-many", "barred.csv", "--from", "barred_payer"]
    with start(argv, cwd=up.folder, stdout=end, stderr=end, env=environ() | {"TERM": "xterm"}) as process:
        os.close(end)
        shown = b"".join(iter(lambda: _read(terminal), b"")).decode()
    os.close(terminal)

    assert process.returncode == 0
    assert "━" in shown
    assert "2100/2100" in shown
    assert "of 2100 rows" not in shown
    assert shown.endswith("results  barred.results.csv\r\n")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the other end is closed
        return b""


def test_how_long_it_takes_is_told_in_seconds_and_then_in_minutes() -> None:
    assert [command.left(rows, 10.0) for rows in (0, 15, 990, 60_000)] == ["0.0 s", "1.5 s", "99.0 s", "100 min"]


def test_what_is_sent_is_what_has_no_answer_that_decides_and_else_what_is_on_its_way() -> None:
    tally = Tally(Checked("", rows=3, lines=4))
    open_ones = {Outcome.UNANSWERED, Outcome.UNDECIDED}
    tally.add(Record(2, "may/2", "@bob", "1", "EUR", "202", "pay_1", "queued"))
    tally.add(Record(3, "may/3", "@bob", "1", "EUR", "404", code="unknown_payee"))

    assert wanted_of(tally, retry_refused=False) == open_ones
    assert wanted_of(tally, retry_refused=True) == open_ones | {Outcome.REFUSED}
    tally.add(Record(4, "may/4", "@bob", "1", "EUR", "201", "pay_2", "settled"))
    assert wanted_of(tally, retry_refused=False) == {Outcome.ACCEPTED, Outcome.WAITING}
    assert wanted_of(tally, retry_refused=True) == open_ones | {Outcome.REFUSED}
    tally.add(Record(3, "may/3", "@bob", "1", "EUR", "202", "pay_3", "failed"))
    assert wanted_of(tally, retry_refused=True) == {Outcome.ACCEPTED, Outcome.WAITING}

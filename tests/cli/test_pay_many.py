"""pay-many against a running `up`: every row once, whatever ends the command, the gateway or the file."""

import csv
import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cli.many import MANY, assert_each_paid_once, file_of, many, pay_many, paying_many, records, wait_for
from tests.processes import HANG_SECONDS, Process, start
from tests.running import Up, environ

# ---- what is paid and what is refused -------------------------------------------------------------------------------


def test_each_row_is_paid_or_refused_and_what_was_refused_is_sent_again_when_asked(up: Up) -> None:
    payer, payee = up.someone("mixed_payer", EUR="10.00"), up.someone("mixed_payee")
    rows = [f"{payee},4.00,EUR,May,", f"{payee},7.00,EUR,,june-7", f"{payee},1.00,XXX,,", "@mixed_later,2.00,EUR,,"]
    file_of(up, "mixed", *rows, head="to,amount,asset,memo,key")

    first = pay_many(up, "mixed")

    assert first.returncode == 1
    assert first.stdout == (
        "rows     4\n"
        "paid     1: 1 settled\n"
        "refused  3: 1 insufficient_funds, 1 unknown_asset, 1 unknown_payee\n"
        "total    4.00 EUR\n"
        "results  mixed.results.csv\n"
    )
    assert first.stderr.endswith("what was refused is sent again, with the same keys, when you add --retry-refused\n")
    up.api(payer, "/v1/deposits", amount="3.00", asset="EUR")
    up.someone("mixed_later")

    told, again = pay_many(up, "mixed"), pay_many(up, "mixed", "--retry-refused")

    assert told.stderr.startswith("nothing is sent: every row was answered before")
    assert (told.returncode, told.stdout) == (1, first.stdout)
    assert again.returncode == 1
    assert "paid     3: 3 settled\nrefused  1: 1 unknown_asset\ntotal    13.00 EUR\n" in again.stdout
    assert (up.available(payer, "EUR"), up.available(payee, "EUR")) == ("0.00", "11.00")
    found = {record.line: record for record in records(up, "mixed")}
    assert [found[line].key.rpartition("/")[2] for line in range(2, 6)] == ["2", "june-7", "4", "5"]
    assert len({record.key for record in records(up, "mixed")}) == 4
    memos = {one["id"]: one["memo"] for one in up.api(payee, "/v1/payments")["items"]}
    assert memos == {found[2].payment_id: "May", found[3].payment_id: None}


def test_with_json_the_summary_is_json_and_nothing_else(up: Up) -> None:
    payee = up.someone("plain_payee")
    up.someone("plain_payer", EUR="5.00", JPY="100")
    file_of(up, "plain", f"{payee},1.5,EUR", f"{payee},2.50,EUR", f"{payee},100,JPY")

    ran = pay_many(up, "plain", "--json", "--results", "elsewhere.csv")

    assert ran.returncode == 0
    assert json.loads(ran.stdout) == {
        "rows": 3,
        "paid": {"settled": 3},
        "refused": {},
        "waiting": {},
        "undecided": {},
        "totals": [{"amount": "4.00", "asset": "EUR"}, {"amount": "100", "asset": "JPY"}],
        "results": "elsewhere.csv",
    }


def test_tokens_are_on_their_way_and_found_settled_when_the_command_is_said_again(up: Up) -> None:
    payer, payee = up.someone("token_payroll_payer", USD="5.00"), up.someone("token_payroll_payee")
    up.gateway("convert", "5.00", "USD", "USDX", "--from", payer)
    file_of(up, "token_payroll", f"{payee},2,USDX", f"{payee},3.00,USDX")

    first = pay_many(up, "token_payroll")
    for record in records(up, "token_payroll"):
        while up.api(payer, f"/v1/payments/{record.payment_id}")["state"] != "settled":
            pass
    again = pay_many(up, "token_payroll")

    assert (first.returncode, again.returncode) == (0, 0)
    assert "paid     2: 2 queued\n" in first.stdout
    assert again.stderr.startswith("every row was answered before; asking after the 2 that had not ended\n")
    assert again.stdout.startswith("rows     2\npaid     2: 2 settled\nrefused  none\ntotal    5.000000 USDX\n")
    assert up.available(payee, "USDX") == "5.000000"


def test_a_payment_that_failed_is_not_sent_again_and_the_way_to_pay_its_row_anew_is_told(up: Up) -> None:
    payee = up.someone("failed_payee")
    up.someone("failed_payer", EUR="5.00")
    file_of(up, "failed", f"{payee},2.00,EUR", f"{payee},3.00,USDX")
    advice = (
        "a payment that failed keeps its key: to pay its row anew, put it into a file of its own, with another key\n"
    )
    first = pay_many(up, "failed")
    assert first.stdout.splitlines()[2] == "refused  1: 1 insufficient_funds"
    assert advice not in first.stderr

    path = up.folder / "failed.results.csv"
    found = records(up, "failed")[1]
    failed = found._replace(status="202", payment_id="pay_0", state="failed", code="", detail="")
    with path.open("a", newline="") as file:
        csv.writer(file, lineterminator="\n").writerow(failed)  # as the chain would have had it
    told = [pay_many(up, "failed"), pay_many(up, "failed", "--retry-refused")]

    for one in told:
        assert one.returncode == 1
        assert one.stdout.splitlines()[1:3] == ["paid     1: 1 settled", "refused  1: 1 failed"]
        assert one.stderr.startswith("nothing is sent: every row was answered before")
        assert one.stderr.endswith(f"\n{advice}")
        assert "--retry-refused" not in one.stderr


# ---- ended in the middle --------------------------------------------------------------------------------------------


def test_a_command_that_is_killed_midway_goes_on_and_pays_every_row_once(up: Up) -> None:
    many(up, "killed")
    for parts in (1, 3):
        with paying_many(up, "killed") as process:
            wait_for(process, f"{parts}000 of ")
            process.kill()
            process.wait()
        assert parts * 1000 <= len(records_before_the_tear(up, "killed")) < MANY

    last = pay_many(up, "killed")

    assert last.returncode == 0
    assert re.match(r"going on: \d000 of 8000 rows are not sent again\n", last.stderr)
    assert f"paid     {MANY}: {MANY} settled\n" in last.stdout
    assert_each_paid_once(up, "killed")


def records_before_the_tear(up: Up, name: str) -> list[str]:
    whole, _, _ = (up.folder / f"{name}.results.csv").read_text().rpartition("\n")
    return whole.splitlines()[2:]


def test_wherever_the_answers_were_lost_the_rows_are_found_paid(up: Up) -> None:
    """As after a kill between the gateway's commit and our record of it, at every record and in the midst of it."""
    payer, payee = up.someone("lost_payer", EUR="0.06"), up.someone("lost_payee")
    file_of(up, "lost", *[f"{payee},0.02,EUR"] * 3)
    path = up.folder / "lost.results.csv"
    pay_many(up, "lost")
    text = path.read_bytes()
    ends = [place + 1 for place, byte in enumerate(text) if byte == ord("\n")][1:]

    for end in [*ends, *(end + 9 for end in ends[:-1])]:
        path.write_bytes(text[:end])
        assert pay_many(up, "lost").returncode == 0
        assert path.read_bytes() == text
        assert (up.available(payer, "EUR"), up.available(payee, "EUR")) == ("0.00", "0.06")


def test_with_its_key_a_run_goes_on_although_the_result_file_is_lost(up: Up) -> None:
    payer, payee = up.someone("keyed_payer", EUR="10.00"), up.someone("keyed_payee")
    file_of(up, "keyed", f"{payee},2.00,EUR", f"{payee},3.00,EUR")
    first = pay_many(up, "keyed", "--key", "may")
    before = records(up, "keyed")

    (up.folder / "keyed.results.csv").unlink()
    again = pay_many(up, "keyed", "--key", "may")

    assert (first.returncode, again.returncode) == (0, 0)
    assert records(up, "keyed") == before
    assert [record.key for record in before] == ["may/2", "may/3"]
    assert up.available(payer, "EUR") == "5.00"


def test_ctrl_c_stops_it_and_says_how_to_go_on(up: Up) -> None:
    many(up, "halted")
    with paying_many(up, "halted") as process:
        wait_for(process, "1000 of ")
        process.send_signal(signal.SIGINT)
        shown, told = process.communicate(timeout=HANG_SECONDS)

    assert (process.returncode, shown) == (3, "")
    assert re.search(r"^gateway: stopped with \d000 of 8000 rows answered \(as you asked\): say the same", told, re.M)
    assert pay_many(up, "halted").returncode == 0
    assert_each_paid_once(up, "halted")


def test_a_gateway_that_goes_away_midway_is_told_and_the_rest_is_paid_later(up: Up) -> None:
    many(up, "deserted")
    with serving(up) as (url, server), paying_many(up, "deserted", "--url", url) as process:
        wait_for(process, "1000 of ")
        server.kill()
        server.wait()
        _, told = process.communicate(timeout=HANG_SECONDS)

    assert process.returncode == 3
    assert re.search(r"^gateway: stopped with \d000 of 8000 rows answered \((the answer of|no gateway)", told, re.M)
    assert "say the same command again, and it goes on there; what was sent and not answered is found" in told
    assert pay_many(up, "deserted").returncode == 0
    assert_each_paid_once(up, "deserted")


@contextmanager
def serving(up: Up) -> Iterator[tuple[str, Process[str]]]:
    """A second server over the same database, and where it is."""
    settings = {"GATEWAY_PORT": "0"}
    with start(
        [sys.executable, "-P", "-m", "gateway", "serve"],
        cwd=up.folder,
        env=environ() | settings,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().rpartition(" ")[2].strip(), server
        finally:
            server.kill()


def test_a_full_disk_stops_it_and_what_was_paid_is_found_when_there_is_room(up: Up) -> None:
    many(up, "full")

    stopped = up.sh("ulimit -f 200; .venv/bin/gateway pay-many full.csv --from @full_payer; exit $?")

    assert stopped.returncode == 3
    assert "the answers cannot be kept in full.results.csv any more (File too large); mend that" in stopped.stderr
    assert pay_many(up, "full").returncode == 0
    assert_each_paid_once(up, "full")


def test_a_file_that_is_changed_while_it_is_paid_is_paid_no_further(up: Up) -> None:
    path = many(up, "changed")
    text = path.read_bytes()
    with paying_many(up, "changed") as process:
        wait_for(process, "1000 of ")
        with path.open("r+b") as file:
            file.write(text[:-1])
            file.truncate()
        _, told = process.communicate(timeout=HANG_SECONDS)

    assert process.returncode == 3
    assert "(changed.csv was changed while it was paid; put it back as it was): say the same command again" in told
    other = pay_many(up, "changed")
    assert other.returncode == 1
    assert "changed.results.csv is about another file than changed.csv, or changed.csv before it was" in other.stderr
    path.write_bytes(text)
    assert pay_many(up, "changed").returncode == 0
    assert_each_paid_once(up, "changed")

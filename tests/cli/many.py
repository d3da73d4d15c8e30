"""Files of many payments, and the command that pays them."""

import csv
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.cli.pay_many.results import Record
from tests.processes import Process, start
from tests.running import Ran, Up, environ

#: What a cent times the number of rows is, of the files that are stopped midway.
MANY, MANY_EUR = 8_000, "80.00"


def file_of(up: Up, name: str, *rows: str, head: str = "to,amount,asset") -> Path:
    path = up.folder / f"{name}.csv"
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def many(up: Up, name: str) -> Path:
    """A file of many rows, a cent each, from @<name>_payer, who has just enough, to @<name>_payee."""
    up.someone(f"{name}_payer", EUR=MANY_EUR)
    up.someone(f"{name}_payee")
    return file_of(up, name, *[f"@{name}_payee,0.01,EUR"] * MANY)


def pay_many(up: Up, name: str, *more: str) -> Ran:
    return up.gateway("pay-many", f"{name}.csv", "--from", f"{name}_payer", *more)


@contextmanager
def paying_many(up: Up, name: str, *more: str) -> Iterator[Process[str]]:
    """The command while it runs."""
    argv = [sys.executable, "-P", "-m", "gateway", "pay-many", f"{name}.csv", "--from", f"{name}_payer", *more]
    with start(
        argv, cwd=up.folder, env=environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(process: Process[str], said: str) -> None:
    """Until it says a line that begins so."""
    assert process.stderr is not None
    assert any(line.startswith(said) for line in process.stderr)


def records(up: Up, name: str) -> list[Record]:
    with (up.folder / f"{name}.results.csv").open(newline="") as file:
        return [Record(int(line), *cells) for line, *cells in list(csv.reader(file))[2:]]


def assert_each_paid_once(up: Up, name: str) -> None:
    """Every row has one record and a payment of its own, and the payer nothing left of what was just enough."""
    found = records(up, name)
    assert [record.line for record in found] == list(range(2, MANY + 2))
    assert {(record.status, record.state) for record in found} == {("201", "settled")}
    assert len({record.payment_id for record in found}) == MANY
    assert up.available(f"{name}_payee", "EUR") == MANY_EUR
    assert up.available(f"{name}_payer", "EUR") == "0.00"

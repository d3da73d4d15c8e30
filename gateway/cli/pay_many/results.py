"""The result file of `pay-many`: CSV, a record per answer, written as the answers come.

Its first record stands for the header line (line 1) of the payment file, and identifies the run. It is on disk before
anything is sent, because the rows' keys are derived from it. Every other record is an answer to the row of that line; a
row that was answered more than once has several, and the last one counts. So the file only grows, and at whatever
moment the command is ended, its records are true: rows without a record are sent again with the same keys.

A record is one line (line ends inside it are escaped), and no cell of it is a formula to a spreadsheet. A last line
without an end was cut off by a kill, and is removed. One process at a time uses the file: it is locked (flock) while it
is open.
"""

import csv
import fcntl
import os
import re
import stat
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact, InvalidOperation
from enum import Enum
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

from gateway.cli.pay_many.rows import Checked, Row
from gateway.errors import Refused
from gateway.escape import for_csv, for_shell, from_csv

#: Sums of amounts: a uint256 and its decimals have 155 digits. Nothing is ever rounded.
_EXACT = Context(prec=400, traps=[Inexact, InvalidOperation])

#: The final states in which the payee does not have the money.
_ENDED_UNPAID = ("failed", "voided", "expired", "declined")


class Outcome(Enum):
    """The outcome of a row."""

    UNANSWERED = "unanswered"  #: Never sent, or its answer was lost.
    UNDECIDED = "undecided"  #: A part of the gateway was unavailable, or the key was in use.
    ACCEPTED = "accepted"  #: On its way to the chain; the payer's money is on hold.
    PAID = "paid"  #: Settled.
    WAITING = "waiting"  #: Accepted, and waits for its payer to approve or to sign it; the money is on hold.
    REFUSED = "refused"  #: There is no payment; with the same key there may be one later.
    UNPAID = "unpaid"  #: Its payment has ended and the payer has the money back; its key always finds that payment.


@dataclass(frozen=True, slots=True)
class Run:
    """What identifies the run that a result file belongs to: its key, the SHA-256 of the file that it pays, and the
    payer.
    """

    key: str
    sha256: str
    handle: str
    wallet_id: str

    def key_of(self, row: Row) -> str:
        """The idempotency key of a row: its own, or one derived from the run's key and its line."""
        return row.key if row.key is not None else f"{self.key}/{row.line}"

    def record(self) -> "Record":
        return Record(1, self.key, state="run", detail=f"sha256 {self.sha256} from @{self.handle} {self.wallet_id}")


class Record(NamedTuple):
    """A line of the result file: the payment, and the gateway's answer."""

    line: int
    key: str
    to: str = ""
    amount: str = ""
    asset: str = ""
    status: str = ""
    payment_id: str = ""
    state: str = ""
    code: str = ""
    detail: str = ""

    @property
    def outcome(self) -> Outcome:
        if self.status.startswith("5") or self.code == "idempotency_key_in_progress":
            return Outcome.UNDECIDED
        if not self.status.startswith("2"):
            return Outcome.REFUSED
        if self.state in _ENDED_UNPAID:
            return Outcome.UNPAID
        if self.state == "requires_confirmation":
            return Outcome.WAITING
        return Outcome.PAID if self.state == "settled" else Outcome.ACCEPTED


_RUN = re.compile(r"sha256 ([0-9a-f]{64}) from @(\w+) (\w+)", re.ASCII)


def record_of(row: Row, key: str, answer: Mapping[str, Any]) -> Record:
    """The record of one result of POST /v1/payments/batch."""
    problem = answer.get("problem", {})
    return Record(
        row.line,
        key,
        row.to,
        row.amount,
        row.asset,
        str(answer["status"]),
        answer.get("id", ""),
        answer.get("state", ""),
        problem.get("code", ""),
        " ".join(problem.get("detail", "").split()),
    )


# ---- what became of all the rows ------------------------------------------------------------------------------------


class Tally:
    """The outcome of each row, by its line, in two bytes; the number of each outcome; and the amounts paid."""

    def __init__(self, checked: Checked) -> None:
        self.rows = checked.rows
        self.totals: dict[str, Decimal] = {}
        self.decimals: dict[str, int] = {}  #: The number of decimals of each asset, if known.
        self._kinds: list[tuple[Outcome, str]] = [(Outcome.UNANSWERED, "")]
        self._by_line = array("H", bytes(2 * (checked.lines + 1)))
        self._counts = Counter({0: checked.rows})

    def add(self, record: Record) -> None:
        """Add a record, which replaces the earlier outcome of its row. Raises ValueError if it is invalid."""
        if not 1 < record.line < len(self._by_line):
            raise ValueError("no row of the file begins in this line")
        kind = (record.outcome, record.code or record.state)
        if kind not in self._kinds:
            self._kinds.append(kind)
        before, after = self._by_line[record.line], self._kinds.index(kind)
        self._by_line[record.line] = after
        self._counts[before] -= 1
        self._counts[after] += 1
        if self._gives(before) != self._gives(after):
            add = _EXACT.add if self._gives(after) else _EXACT.subtract
            try:
                self.totals[record.asset] = add(self.totals.get(record.asset, Decimal(0)), Decimal(record.amount))
            except InvalidOperation:
                raise ValueError("the amount is not one") from None

    def shown_totals(self) -> list[tuple[str, str]]:
        """The total paid of each asset, with the asset's decimals."""
        return [
            (asset, f"{total:.{max(self.decimals.get(asset, 0), -int(total.as_tuple().exponent))}f}")
            for asset, total in self.totals.items()
            if total
        ]

    def outcome(self, line: int) -> Outcome:
        return self._kinds[self._by_line[line]][0]

    def count(self, *outcomes: Outcome) -> int:
        return sum(count for kind, count in self._counts.items() if self._kinds[kind][0] in outcomes)

    def reasons(self, *outcomes: Outcome) -> dict[str, int]:
        """How many rows have each code, or each state if there is no code; the most frequent first."""
        return {
            self._kinds[kind][1]: count
            for kind, count in self._counts.most_common()
            if count and self._kinds[kind][0] in outcomes
        }

    def _gives(self, kind: int) -> bool:
        return self._kinds[kind][0] in (Outcome.PAID, Outcome.ACCEPTED)


# ---- the file -------------------------------------------------------------------------------------------------------


class ResultFile:
    """A result file, open and locked. `run` is None in one that is new."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self.run = self._read_run()

    def begin(self, run: Run) -> None:
        """Write the run, and sync it to disk: after this, rows may be sent."""
        try:
            _append(self._descriptor, _text([Record._fields, run.record()]))
            _sync_folder(self.path.parent)
        except OSError as error:
            raise Unwritable(self.path, error.strerror or str(error)) from None
        self.run = run

    def tally(self, checked: Checked) -> Tally:
        """The tally of all records. Raises Damaged at a record that `pay-many` has not written."""
        tally = Tally(checked)
        for number, line in enumerate(self._lines(), start=1):
            if number > 2:
                try:
                    tally.add(_record(line))
                except (ValueError, csv.Error):
                    raise Damaged(self.path, number) from None
        return tally

    def add(self, records: Iterable[Record]) -> None:
        """Append records, and sync them to disk. Raises NotKept."""
        try:
            _append(self._descriptor, _text(records))
        except OSError as error:
            raise self._not_kept(error.strerror or str(error)) from None

    def check_there(self) -> None:
        """Raises NotKept if the file was removed or replaced: further records would be lost."""
        try:
            there = os.stat(self.path)
        except OSError as error:
            raise self._not_kept(error.strerror or "it is gone") from None
        if not os.path.samestat(there, os.fstat(self._descriptor)):
            raise self._not_kept("another file was put in its place")

    def _not_kept(self, reason: str) -> "NotKept":
        assert self.run is not None, "answers come after whose they are"
        return NotKept(self.path, reason, for_shell(self.run.key))

    def _read_run(self) -> Run | None:
        """Read the run, after removing a line that a kill has cut off. Raises NotAResultFile for any other file."""
        heads = _text([Record._fields])
        head = b"".join(os.pread(self._descriptor, 64 * 1024, 0).splitlines(keepends=True)[:2])
        if heads.startswith(head) or (head.startswith(heads) and head.count(b"\n") < 2):
            os.ftruncate(self._descriptor, 0)  # new, or killed before anything was sent
            return None
        cells = list(csv.reader(head.decode("utf-8", "replace").splitlines()))
        about = _RUN.fullmatch(cells[1][-1]) if len(cells) == 2 and cells[1] else None
        if tuple(cells[0]) != Record._fields or about is None or not head.endswith(b"\n"):
            raise NotAResultFile(self.path)
        self._take_off_torn_line()
        return Run(from_csv(cells[1][1]), *about.groups())

    def _take_off_torn_line(self) -> None:
        size = os.fstat(self._descriptor).st_size
        place, tail = size, b""
        while b"\n" not in tail:
            place = max(0, place - 4096)
            tail = os.pread(self._descriptor, size - place, place)
        end = place + tail.rindex(b"\n") + 1
        if end < size:
            os.ftruncate(self._descriptor, end)

    def _lines(self) -> Iterator[bytes]:
        with open(self._descriptor, "rb", closefd=False) as file:
            file.seek(0)
            yield from file


@contextmanager
def opened(path: Path) -> Iterator[ResultFile]:
    """Open the result file at a path, creating it if needed, and lock it until the block ends.

    Raises Unwritable, InUse if another process has it, NotAResultFile for a file of another kind.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError as error:
        raise Unwritable(path, error.strerror or str(error)) from None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise Unwritable(path, "it is not an ordinary file")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(path) from None
        yield ResultFile(path, descriptor)
    finally:
        os.close(descriptor)


def _append(descriptor: int, text: bytes) -> None:
    """Write all bytes, and sync them to disk."""
    rest = memoryview(text)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    """Sync the folder, so that the file's entry is on disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _record(line: bytes) -> Record:
    """Parse a record. Raises ValueError and csv.Error for an invalid line."""
    (cells,) = csv.reader([line.decode()])
    if len(cells) != len(Record._fields):
        raise ValueError("a record has all its fields")
    record = Record(int(cells[0]), *map(from_csv, cells[1:]))
    if not record.status.isdecimal():
        raise ValueError("a record has a status")
    return record


def _text(records: Iterable[tuple[object, ...]]) -> bytes:
    text = StringIO()
    csv.writer(text, lineterminator="\n").writerows([for_csv(str(cell)) for cell in record] for record in records)
    return text.getvalue().encode()


@dataclass(eq=False)
class Unwritable(Refused):
    path: Path
    reason: str
    message = (
        "the results cannot be kept in {path} ({reason}), so nothing was sent; mend that, or give another --results"
    )


@dataclass(eq=False)
class InUse(Refused):
    path: Path
    message = "another pay-many is writing {path}; wait until it has ended"


@dataclass(eq=False)
class NotAResultFile(Refused):
    path: Path
    message = (
        "{path} exists and is not a result file of pay-many, so it is not overwritten; name another with --results"
    )


@dataclass(eq=False)
class Damaged(Refused):
    """It is no longer known which rows were answered; their keys are."""

    path: Path
    line: int
    message = (
        "line {line} of {path} is not as pay-many wrote it, so nothing was sent; put it back, or give another "
        "--results and, with --key, the key in the second line of this one: what was paid is found"
    )


@dataclass(eq=False)
class NotKept(Refused):
    """Rows were sent, and their results cannot be written."""

    path: Path
    reason: str
    key: str
    message = "the answers cannot be kept in {path} any more ({reason}); mend that, and if it is lost, add --key {key}"

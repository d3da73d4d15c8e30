"""pay-many: pays the rows of a CSV file, up to a thousand in a request. `rows.py` reads the file, `results.py` writes
the results.

The whole file is checked before anything is sent. A row has the same idempotency key whenever it is sent, and the
results of a request are written before the next is sent. So a run that was interrupted, at any point, continues when
the command is repeated: rows with a result are not sent again, and rows that were sent are not paid twice.
"""

import asyncio
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import rich_click as click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.cli import options, output
from gateway.cli.pay_many import results, rows
from gateway.cli.pay_many.results import Outcome, ResultFile, Run, Tally, record_of
from gateway.cli.pay_many.rows import Checked, Row, Unreadable
from gateway.cli.wallet.calls import WAITS, ask, say, show
from gateway.cli.wallet.client import Client
from gateway.cli.wallet.errors import OutcomeUnknown
from gateway.errors import GatewayError, Refused, Unavailable

#: Rows in a request: as many as the gateway commits together.
_AT_ONCE = 1_000

#: The longest key of a run, which leaves room to append the number of any line.
_KEY_MAX = 230

#: The exit statuses other than 0. It is also 1 if everything is refused, like for other commands; a usage error is 2.
_SOME_REFUSED, _SAY_IT_AGAIN = 1, 3  # and WAITS, as of any payment


@click.command("pay-many")
@click.argument("file", type=click.Path(path_type=Path), help="A CSV file with a payment in each row.")
@options.by("--from", "The handle that pays.")
@click.option(
    "--results",
    "results_path",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The file for the results.  [default: FILE's name with .results.csv]",
)
@click.option("--retry-refused", is_flag=True, help="Retry rows that were refused, with the same keys.")
@options.moving
@options.asking
def pay_many(
    file: Path,
    handle: str,
    results_path: Path | None,
    retry_refused: bool,
    key: str | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Pay every row of a CSV file in UTF-8. Its columns are to, amount and asset; memo and key are optional.

    Results are written to a second CSV file as the rows are paid. To continue a run that was interrupted, repeat the
    command: no row is paid twice. A row's idempotency key is its own, or is derived from the run's key and the row's
    line.

    Refused rows can be retried with --retry-refused. A token payment that failed is not retried: put its row into
    another file.

    The exit status is 0 if every row is paid, 1 if rows were refused or nothing could be sent, 3 if the outcome of some
    rows is unknown and the command should be repeated, and 4 if rows wait for your approval or signature.

    \b
    Example:
      gateway pay-many payroll.csv --from @alice
      gateway pay-many payroll.csv --from @alice --retry-refused
    """
    if key is not None and len(key) > _KEY_MAX:
        raise click.BadParameter(f"it should be at most {_KEY_MAX} characters", param_hint="--key")
    try:
        with _opened(file) as source:
            results_path = results_path or file.with_suffix(".results.csv")
            order = _checked(file, source, results_path, key, retry_refused)
            tally = ask(handle, url, lambda client: _pay(client, order))
    except Unavailable as unavailable:
        _say(f"gateway: {unavailable}")
        sys.exit(_SAY_IT_AGAIN)
    show(summary(tally, order.results), as_json, summary_lines(tally, order.results))
    if tally.count(Outcome.UNANSWERED, Outcome.UNDECIDED):
        _say("what is undecided is sent again when you say the same command again")
        sys.exit(_SAY_IT_AGAIN)
    if tally.count(Outcome.UNPAID):
        _say(
            "a payment that failed keeps its key: to pay its row anew, put it into a file of its own, with another key"
        )
    if tally.count(Outcome.REFUSED):
        _say("what was refused is sent again, with the same keys, when you add --retry-refused")
    if tally.count(Outcome.REFUSED, Outcome.UNPAID):
        sys.exit(_SOME_REFUSED)
    if tally.count(Outcome.WAITING):
        _say("what waits is approved on the gateway's page, or signed with scripts/wallet confirm, one by one")
        sys.exit(WAITS)


# ---- what is to be paid ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Order:
    """The task of the command. `file` is open and `checked`; `stamp` shows whether it changes. `key` is the run's
    key, if one was given.
    """

    path: Path
    file: BinaryIO
    stamp: tuple[int, int]
    checked: Checked
    results: Path
    key: str | None
    retry_refused: bool


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The open file. It stays open until it is paid, so that a file that replaces it is not read. Raises NotPayable."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise NotPayable(path, f"it cannot be read ({error.strerror})") from None
    with file:
        if not file.seekable():
            raise NotPayable(path, "it is read twice, so it has to be an ordinary file; save it as one")
        yield file


def _checked(path: Path, file: BinaryIO, results_path: Path, key: str | None, retry_refused: bool) -> Order:
    """Check the whole file. Raises NotPayable for the first fault in it."""
    stamp = _stamp(file)
    try:
        checked = rows.check(file, key)
    except Unreadable as fault:
        raise NotPayable(path, str(fault)) from None
    return Order(path, file, stamp, checked, results_path, key, retry_refused)


def _stamp(file: BinaryIO) -> tuple[int, int]:
    """The size and the time of the last change, which differ once somebody has written to the file."""
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


# ---- paying it ------------------------------------------------------------------------------------------------------


async def _pay(client: Client, order: Order) -> Tally:
    """Send the rows that have to be sent, in parts. Returns the tally of all rows. Raises Stopped."""
    wallet = await client.wallet()
    with results.opened(order.results) as kept:
        run = kept.run
        if run is None:
            run = Run(order.key or secrets.token_hex(8), order.checked.sha256, client.handle, wallet["wallet_id"])
            kept.begin(run)
        else:
            _check_same(run, order, client.handle, wallet["wallet_id"])
        tally = kept.tally(order.checked)
        tally.decimals = {one["asset"]: len(one["posted"].partition(".")[2]) for one in wallet["balances"]}
        wanted = wanted_of(tally, order.retry_refused)
        answered = tally.rows - tally.count(*wanted)
        _say_what_was_answered(tally, wanted, answered)
        try:
            with _progress(tally.rows, answered) as tell:
                for part in _parts(row for row in rows.read(order.file) if tally.outcome(row.line) in wanted):
                    await _pay_part(client, order, run, kept, tally, part)
                    tell(len(part))
        except (GatewayError, asyncio.CancelledError) as fault:
            raise _stopped(fault, tally) from None
    return tally


def _check_same(run: Run, order: Order, handle: str, wallet_id: str) -> None:
    """Raises AnotherRun if the result file is about another file, payer or key."""
    if run.wallet_id != wallet_id:
        raise AnotherRun(
            order.results,
            f"payments of @{run.handle}, {run.wallet_id}, and these would be of @{handle}, {wallet_id}; "
            "name another file with --results",
        )
    if run.sha256 != order.checked.sha256:
        raise AnotherRun(
            order.results,
            f"another file than {order.path}, or {order.path} before it was changed; put it back as it was to go on, "
            "or put what is not paid yet into a file of its own, since with other results all of it is paid anew",
        )
    if order.key not in (None, run.key):
        raise AnotherRun(order.results, f"the run with the key {run.key}; leave --key out to go on with it")


def wanted_of(tally: Tally, retry_refused: bool) -> set[Outcome]:
    """The outcomes whose rows to send: rows without an answer or with an undecided one, and refused rows if they are to
    be retried. If there are none, rows whose payment was pending or waiting, to learn its state now. A payment that has
    ended is not asked for: its key would find the same one.
    """
    wanted = {Outcome.UNANSWERED, Outcome.UNDECIDED} | ({Outcome.REFUSED} if retry_refused else set())
    return wanted if tally.count(*wanted) else {Outcome.ACCEPTED, Outcome.WAITING}


def _parts(wanted: Iterator[Row]) -> Iterator[list[Row]]:
    while part := list(islice(wanted, _AT_ONCE)):
        yield part


async def _pay_part(
    client: Client, order: Order, run: Run, kept: ResultFile, tally: Tally, part: Sequence[Row]
) -> None:
    """Send a part, and write its results. Nothing is sent if either file has changed: idempotency keys come from the
    lines of the one, and the other says which rows were sent.
    """
    kept.check_there()
    if _stamp(order.file) != order.stamp:
        raise Changed(order.path)
    answers = await client.pay_many([_asked(row, run) for row in part], run.key)
    records = [record_of(row, run.key_of(row), answer) for row, answer in zip(part, answers, strict=True)]
    kept.add(records)
    for record in records:
        tally.add(record)
    if all(record.outcome is Outcome.UNDECIDED for record in records):
        raise NothingDecided(records[0].detail)


def _asked(row: Row, run: Run) -> dict[str, str]:
    asked = {"to": row.to, "amount": row.amount, "asset": row.asset, "idempotency_key": run.key_of(row)}
    return asked if row.memo is None else asked | {"memo": row.memo}


def _stopped(fault: BaseException, tally: Tally) -> "Stopped":
    answered = tally.rows - tally.count(Outcome.UNANSWERED, Outcome.UNDECIDED)
    if isinstance(fault, asyncio.CancelledError):
        return Stopped(answered, tally.rows, "as you asked")
    if isinstance(fault, OutcomeUnknown):
        return Stopped(answered, tally.rows, f"the answer of the gateway at {fault.url} was lost")
    return Stopped(answered, tally.rows, str(fault))


@dataclass(eq=False)
class NotPayable(Refused):
    path: Path
    reason: str
    message = "{path}: {reason}; nothing was sent"


@dataclass(eq=False)
class Changed(Refused):
    path: Path
    message = "{path} was changed while it was paid; put it back as it was"


@dataclass(eq=False)
class AnotherRun(Refused):
    path: Path
    reason: str
    message = "{path} is about {reason}; nothing was sent"


@dataclass(eq=False)
class NothingDecided(Unavailable):
    """A part was answered without deciding any of its rows, so the next part would be, too."""

    reason: str
    message = "{reason}"


@dataclass(eq=False)
class Stopped(Unavailable):
    """The run was interrupted. Nothing is lost."""

    answered: int
    rows: int
    reason: str
    message = (
        "stopped with {answered} of {rows} rows answered ({reason}): say the same command again, and it goes on there; "
        "what was sent and not answered is found, and nothing is paid twice"
    )


# ---- what is shown --------------------------------------------------------------------------------------------------


def summary(tally: Tally, results_path: Path) -> dict[str, Any]:
    """The outcomes of all rows, as JSON."""
    return {
        "rows": tally.rows,
        "paid": tally.reasons(Outcome.PAID, Outcome.ACCEPTED),
        "refused": tally.reasons(Outcome.REFUSED, Outcome.UNPAID),
        "waiting": tally.reasons(Outcome.WAITING),
        "undecided": tally.reasons(Outcome.UNDECIDED),
        "totals": [{"amount": amount, "asset": asset} for asset, amount in tally.shown_totals()],
        "results": str(results_path),
    }


def summary_lines(tally: Tally, results_path: Path) -> list[str]:
    """The outcomes of all rows, as lines."""
    found = summary(tally, results_path)
    return output.fields(
        [
            ("rows", str(tally.rows)),
            ("paid", _counted(found["paid"])),
            ("refused", _counted(found["refused"])),
            ("waiting", _counted(found["waiting"]) if found["waiting"] else None),
            ("undecided", _counted(found["undecided"]) if found["undecided"] else None),
            ("total", ", ".join(f"{one['amount']} {one['asset']}" for one in found["totals"])),
            ("results", found["results"]),
        ]
    )


def _counted(reasons: Mapping[str, int]) -> str:
    """A total and its parts, such as "3: 2 settled, 1 queued"."""
    parts = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    return f"{sum(reasons.values())}: {parts}" if parts else "none"


def _say_what_was_answered(tally: Tally, wanted: set[Outcome], answered: int) -> None:
    if answered == tally.rows:
        _say("nothing is sent: every row was answered before, and what is in the results is not paid again")
    elif Outcome.ACCEPTED in wanted:
        _say(f"every row was answered before; asking after the {tally.rows - answered} that had not ended")
    elif answered:
        _say(f"going on: {answered} of {tally.rows} rows are not sent again")


@contextmanager
def _progress(rows: int, done: int) -> Iterator[Callable[[int], None]]:
    """Show progress: a bar on a terminal, otherwise a line for each part. Yields a function to call with the number of
    finished rows.
    """
    started, earlier = time.monotonic(), done
    if not sys.stderr.isatty():

        def line(more: int) -> None:
            nonlocal done
            done += more
            rate = (done - earlier) / max(time.monotonic() - started, 1e-6)
            _say(f"{done} of {rows} rows, {rate:.0f} rows/s, {left(rows - done, rate)} left")

        yield line
        return

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("rows, {task.fields[rate]:.0f}/s,"), TimeRemainingColumn())
    with Progress(*columns, TextColumn("left"), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=rows, completed=done, rate=0.0)

        def move(more: int) -> None:
            nonlocal done
            done += more
            bar.update(task, completed=done, rate=(done - earlier) / max(time.monotonic() - started, 1e-6))

        yield move


def left(rows: int, rate: float) -> str:
    """The remaining time for this many rows at this rate per second."""
    seconds = rows / rate
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _say(line: str) -> None:
    say(line, err=True)

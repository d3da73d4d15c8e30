"""Who inserts rows of money: of each table one writer, so that a rule about what is written stands in one place."""

import re
from pathlib import Path

import pytest

import gateway

HOME = Path(gateway.__file__).parent

#: The writers of each table: functions of the schema, or named statements of a module.
WRITERS = {
    "ledger_payment": {"settle_payments"},
    "staged_payment": {"hold_payments"},
    "hold": {"ledger_decide", "ledger_hold"},
    "transfer": {"ledger_write", "ledger_end"},
    "token_authorization": {"queue_authorizations", "enqueue_signed"},
    "logged_event": {"log_events"},
    "counted_payment": {"count_spending"},
    "payment_note": {"insert_notes"},
}

_BEGINS = re.compile(r"^(?:CREATE FUNCTION (\w+)|-- (\w+)$)", re.MULTILINE)


def writers(table: str) -> set[str]:
    found = set()
    for path in [*HOME.rglob("*.sql"), *HOME.rglob("*.py")]:
        if path.parent.name == "migrations":
            continue
        text = path.read_text()
        for insert in re.finditer(rf"INSERT INTO {table}\b", text):
            *_, named = [one for one in _BEGINS.finditer(text) if one.start() < insert.start()]
            found.add(named[1] or named[2])
    return found


@pytest.mark.parametrize("table", WRITERS)
def test_rows_of_money_have_no_other_writers_than_these(table: str) -> None:
    assert writers(table) == WRITERS[table]

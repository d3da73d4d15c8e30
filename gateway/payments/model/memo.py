"""The memo of a payment or of a request for money: a text that both sides see. Pure.

The database checks its length again (the domain `memo` in schema/01_ledger.sql).
"""

from typing import Final

from gateway.errors import InvalidRequest

#: The longest memo, in characters.
MEMO_MAX: Final = 280


def check_memo(memo: str | None) -> None:
    """Raises InvalidRequest for a memo that is too long or that PostgreSQL cannot store."""
    if memo is not None and (len(memo) > MEMO_MAX or "\x00" in memo):
        raise InvalidRequest("memo", f"a memo has up to {MEMO_MAX} characters and no NUL; shorten it")

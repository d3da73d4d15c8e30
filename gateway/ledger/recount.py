"""Recount the ledger: every claim that the constraints keep at each commit, checked again over all of it.

Slow on purpose and by nature (it reads every entry); for `gateway reconcile`, not for the payment path.
"""

from dataclasses import dataclass

from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "recount.sql")

#: What is recounted, and the statement that returns a row for every account or transfer that is wrong.
CHECKS = (
    ("debits equal credits", sql.unbalanced_assets),
    ("a transfer is between two accounts of one asset", sql.unbalanced_transfers),
    ("an account's counters are the sum of its entries", sql.wrong_counters),
    ("entries are numbered without a gap, each with the balance after it", sql.broken_runs),
    ("what is pending is the sum of the holds", sql.wrong_pending),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """`claim` is one of `CHECKS`, `where` the account, asset or transfer that breaks it."""

    claim: str
    where: str


async def recount(connection: Connection) -> list[Fault]:
    """Every fault in the ledger; none is what it should be. Call it inside a snapshot."""
    return [Fault(claim, row["where"]) for claim, statement in CHECKS for row in await connection.fetch(statement)]

"""Recount the ledger: check all of it against the claims that the constraints enforce at each commit.

It reads every entry and is slow: it is for `gateway reconcile`, not for the payment path.
"""

from dataclasses import dataclass

from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "recount.sql")

#: Each claim, and the statement that returns a row for every account or transfer that breaks it.
CHECKS = (
    ("debits equal credits", sql.unbalanced_assets),
    ("a transfer is between two accounts of one asset", sql.unbalanced_transfers),
    ("an account's counters are the sum of its entries", sql.wrong_counters),
    ("entries are numbered without a gap, each with the balance after it", sql.broken_runs),
    ("what is pending is the sum of the holds", sql.wrong_pending),
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A broken claim: `claim` is one of `CHECKS`, `where` the account, asset or transfer."""

    claim: str
    where: str


async def recount(connection: Connection) -> list[Fault]:
    """Return every fault in the ledger; the expected number is zero. Call it in a snapshot."""
    return [Fault(claim, row["where"]) for claim, statement in CHECKS for row in await connection.fetch(statement)]

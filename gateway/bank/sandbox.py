"""A bank for trying things out: a deposit is booked when it is requested, and a withdrawal is paid when it is
requested.

It keeps its own statement with its own running balance, so `bank:<fiat>` in the ledger is compared with something that
the ledger did not write.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.money import Assets, Money
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "bank.sql")


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the statement: `sign` is 1 for money in, -1 for money out. Each reference is booked once."""

    reference: str
    money: Money
    sign: int


async def ledger_lines(connection: Connection, lines: Sequence[Line], now: datetime) -> None:
    """Append lines to the statement, in order, each with the balance after it. Lines of one currency are written one at
    a time, because their callers hold the lock of `bank:<fiat>` in the ledger.
    """
    await connection.execute(
        sql.ledger_lines,
        [line.reference for line in lines],
        [line.money.asset.code for line in lines],
        [line.sign * line.money.units for line in lines],
        now,
    )


async def balances(connection: Connection, assets: Assets) -> dict[str, Money]:
    """Return the bank's own balances, by currency."""
    return {
        row["asset"]: Money(row["balance"], assets[row["asset"]]) for row in await connection.fetch(sql.bank_balances)
    }

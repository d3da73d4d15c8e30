"""Solvency over time: the totals of each token, once an hour and whenever its confirmed differences have changed.

A worker adds the points as it reconciles. A point adds up all wallets, as `gateway reconcile` does, and calls no node:
`unreconciled` is the sum of the differences that the monitor has confirmed. Points are kept for `KEPT`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from gateway.money import Asset, Money
from gateway.payments.model.settings import PaymentSettings
from gateway.postgres.pool import Connection, Database, Statements
from gateway.reconciliation.solvency import solvency

sql = Statements(__package__, "history.sql")

#: How often a point is added if nothing changes, and how long it is kept.
EVERY: Final = timedelta(hours=1)
KEPT: Final = timedelta(days=400)

#: The most points of a token that are shown: as many as a chart has room for.
SHOWN_MAX: Final = 400


@dataclass(frozen=True, slots=True)
class Point:
    """The totals of a token at one time. If several points are shown as one, it has the totals of the last and the
    largest differences of all.
    """

    at: datetime
    block: int | None
    supply: Money
    wallets: Money
    outside: Money
    reserve: Money
    difference: Money
    unreconciled: Money


async def record(database: Database, settings: PaymentSettings, now: datetime) -> int:
    """Add a point for each token that is due for one. Returns how many."""
    if not settings.contracts:
        return 0
    codes = [token.code for token in settings.assets.tokens()]
    async with database.reading() as connection:
        rows = await connection.fetch(sql.due, codes, now - EVERY)
    due = {row["code"]: int(row["unreconciled"]) for row in rows}
    if not due:
        return 0
    async with database.snapshot() as connection:
        totals = [one for one in await solvency(connection, settings) if one.asset.code in due]
    async with database.transaction() as connection:
        await connection.execute(
            sql.add_points,
            [one.asset.code for one in totals],
            [one.final_block for one in totals],
            [one.supply.units for one in totals],
            [one.wallets.units for one in totals],
            [one.outside.units for one in totals],
            [one.reserve.units for one in totals],
            [one.difference.units for one in totals],
            [due[one.asset.code] for one in totals],
            now,
        )
        await connection.execute(sql.forget_points, codes, now - KEPT)
    return len(totals)


async def points(connection: Connection, token: Asset, backing: Asset, since: datetime, now: datetime) -> list[Point]:
    """Return a token's points from `since` on, oldest first: at most `SHOWN_MAX`."""
    rows = await connection.fetch(sql.points, token.code, since, max((now - since) / SHOWN_MAX, timedelta(seconds=1)))
    return [
        Point(
            at=row["at"],
            block=row["block"],
            supply=Money(int(row["supply"]), token),
            wallets=Money(int(row["wallets"]), token),
            outside=Money(int(row["outside"]), token),
            reserve=Money(int(row["reserve"]), backing),
            difference=Money(int(row["difference"]), token),
            unreconciled=Money(int(row["unreconciled"]), token),
        )
        for row in rows
    ]

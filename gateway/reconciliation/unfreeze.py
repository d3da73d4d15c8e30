"""Unfreeze withdrawals of an asset, once the ledger agrees with the chain and the bank again.

Lock order: the lease of reconciliation runs (monitor.py), differences, freezes, then authorizations in id order.
"""

from collections.abc import Collection, Sequence
from datetime import datetime

from gateway.audit import log as audit
from gateway.audit.log import AuditEvent, By
from gateway.chain.token import authorization
from gateway.clock import rfc3339
from gateway.errors import NotFound
from gateway.events import log
from gateway.money import Asset, Assets, Money
from gateway.payments.model.settings import PaymentSettings
from gateway.postgres.pool import Connection, Statements
from gateway.reconciliation.errors import FreezeStays
from gateway.reconciliation.solvency import Difference

sql = Statements(__package__, "unfreeze.sql")


async def unfreeze(
    connection: Connection,
    settings: PaymentSettings,
    asset: Asset,
    known: Collection[int],
    still: Sequence[str],
    by: By,
    now: datetime,
) -> datetime:
    """Unfreeze withdrawals of the asset. Returns since when they were frozen.

    The caller has read which differences are `known`, then compared everything; `still` are the differences that this
    found for the asset. Raises FreezeStays if there are any, or if one was confirmed since: then the caller has to
    compare again. Raises NotFound if withdrawals are not frozen.
    """
    await connection.execute(sql.lock_runs)
    there = {id: one for id, one in (await differences(connection, settings.assets)).items() if one.asset == asset}
    reasons = [*still, *(str(one) for id, one in there.items() if id not in known)]
    if reasons:
        raise FreezeStays(asset.code, tuple(reasons))
    since: datetime | None = await connection.fetchval(sql.unfreeze, asset.code, now)
    if since is None:
        raise not_frozen(asset)
    await connection.execute(sql.end_differences, list(there))
    released = await authorization.release(
        connection, asset.code, int(now.timestamp()) + settings.authorization_seconds
    )
    details = {"asset": asset.code, "since": rfc3339(since), "released": released}
    await log.append(connection, [log.Event("withdrawals.unfrozen", None, None, details)], now)
    await audit.append(connection, [AuditEvent("withdrawals.unfrozen", None, by, None, details)], now)
    return since


async def differences(connection: Connection, assets: Assets) -> dict[int, Difference]:
    """Return the confirmed differences that are the reason of a freeze, by id, oldest first."""
    return {
        row["id"]: Difference(
            row["account"],
            Money(int(row["ledger"]), assets[row["asset"]]),
            Money(int(row["other"]), assets[row["asset"]]),
            row["against"],
            row["block"],
        )
        for row in await connection.fetch(sql.open_differences)
    }


def not_frozen(asset: Asset) -> NotFound:
    return NotFound(f"freeze of {asset.code}: its withdrawals go on")

"""Let withdrawals of an asset go on, once everything of it agrees again.

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
    """Let withdrawals of the asset go on. Returns since when they were stopped.

    The caller has read which differences are `known`, then looked at everything; `still` is what of the asset does not
    agree. Raises FreezeStays where there is any, or a difference that was confirmed since: then it has to look again.
    Raises NotFound when nothing was stopped.
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
    """What was confirmed and is the reason of a freeze, by number, the oldest first."""
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

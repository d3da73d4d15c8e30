"""The newest payments of all wallets, for an operator to choose from."""

from gateway.ids import PaymentId
from gateway.money import Assets
from gateway.payments.model.payment import Payment
from gateway.payments.records import records
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "find.sql")


async def newest(connection: Connection, assets: Assets, before: PaymentId, limit: int) -> list[Payment]:
    """Up to `limit` payments of all wallets older than `before`, the newest first. Each kind is read by its ids."""
    rows = await connection.fetch(sql.newest_ledger, before, limit)
    rows += await connection.fetch(sql.newest_staged, before, limit)
    ids = sorted((row["id"] for row in rows), reverse=True)[:limit]
    found = await records.payments_shown(connection, assets, ids)
    return [found[PaymentId(id)] for id in ids]

"""The part of a wallet that operators see in addition to what its owner sees: its age, its freezes, and how it is
guarded.
"""

from dataclasses import dataclass
from datetime import datetime

from gateway.ids import WalletId
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "wallet_record.sql")


@dataclass(frozen=True, slots=True)
class WalletRecord:
    """`sessions` are those that are still valid."""

    created_at: datetime
    frozen_at: datetime | None
    closed_at: datetime | None
    passkeys: int
    sessions: int


async def of(connection: Connection, wallet: WalletId, now: datetime) -> WalletRecord:
    row = await connection.fetchrow(sql.wallet_record, wallet, now)
    assert row is not None, "a wallet is kept"
    return WalletRecord(row["created_at"], row["frozen_at"], row["closed_at"], row["passkeys"], row["sessions"])

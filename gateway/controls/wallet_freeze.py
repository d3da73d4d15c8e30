"""Frozen wallets: nothing leaves them while a reason not to let it has not ended; what comes in goes on.

A wallet may be frozen for several reasons at once; it is unfrozen with the last. A reason may lapse by itself.

Lock order: the wallet, then its reasons.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gateway.audit import log as audit
from gateway.audit.log import WORKER, AuditEvent, By
from gateway.clock import rfc3339
from gateway.events import log
from gateway.identity.wallet import lock_wallet
from gateway.ids import PaymentId, WalletId, new_id, show
from gateway.postgres.pool import Connection, Record, Statements

sql = Statements(__package__, "wallet_freeze.sql")


async def freeze(
    connection: Connection, wallet: WalletId, reason: str, by: By, lapses_at: datetime | None, now: datetime
) -> UUID:
    """A reason why nothing leaves the wallet, from now on, until it is ended or lapses."""
    await lock_wallet(connection, wallet)
    id = new_id(now)
    await connection.execute(sql.place_freeze, id, wallet, reason, now, lapses_at)
    await _tell(connection, "wallet.frozen", wallet, by, lapses_at, now)
    return id


async def keep(connection: Connection, id: UUID, wallet: WalletId, by: By, now: datetime) -> bool:
    """It lapses no more. False where it has ended."""
    await lock_wallet(connection, wallet)
    kept: bool = await connection.fetchval(sql.keep_freeze, id) is not None
    if kept:
        await _tell(connection, "wallet.frozen", wallet, by, None, now)
    return kept


async def unfreeze(connection: Connection, wallet: WalletId, by: By, now: datetime) -> bool:
    """End every reason. False where there was none."""
    await lock_wallet(connection, wallet)
    ended = await connection.fetch(sql.end_freezes, wallet, now)
    if ended:
        await _tell(connection, "wallet.unfrozen", wallet, by, None, now)
    return bool(ended)


async def freeze_over(connection: Connection, wallet: WalletId, payment: PaymentId, by: By, now: datetime) -> bool:
    """Its owner, or a link that was sent to them, says that this payment was not theirs. False: it was said before."""
    await lock_wallet(connection, wallet)
    if await connection.fetchval(sql.is_frozen_over, payment):
        return False
    id = await freeze(connection, wallet, f"not me: {show('pay', payment)}", by, None, now)
    await connection.execute(sql.freeze_of_payment, id, payment)
    return True


async def unfreeze_own(connection: Connection, wallet: WalletId, before: datetime, by: By, now: datetime) -> bool:
    """End the owner's own reasons that were there `before`; an operator's stay. False where there was none."""
    await lock_wallet(connection, wallet)
    ended = await connection.fetch(sql.end_own_freezes, wallet, now, before)
    if ended:
        await _tell(connection, "wallet.unfrozen", wallet, by, None, now)
    return bool(ended)


@dataclass(frozen=True, slots=True)
class Freeze:
    """One reason why nothing leaves the wallet of a handle, or did not. `payment` is the one that its owner reported;
    None: it is an operator's.
    """

    handle: str
    reason: str
    placed_at: datetime
    lapses_at: datetime | None
    ended_at: datetime | None
    payment: PaymentId | None


async def in_force(connection: Connection) -> list[Freeze]:
    """What is frozen now, the newest first, the first two hundred."""
    return [_freeze(row) for row in await connection.fetch(sql.freezes_in_force)]


async def of_wallet(connection: Connection, wallet: WalletId) -> list[Freeze]:
    """The last twenty of a wallet, those in force first."""
    return [_freeze(row) for row in await connection.fetch(sql.freezes_of_wallet, wallet)]


def _freeze(row: Record) -> Freeze:
    return Freeze(
        *(row["handle"], row["reason"], row["placed_at"], row["lapses_at"], row["ended_at"], row["payment_id"])
    )


async def lapse(connection: Connection, now: datetime) -> int:
    """End the reasons whose time is over; how many there were."""
    due = await connection.fetch(sql.lapsing, now)
    for row in due:
        await lock_wallet(connection, row["wallet_id"])
        if await connection.fetchval(sql.end_freeze, row["id"], now) is not None:
            await _tell(connection, "wallet.freeze_lapsed", row["wallet_id"], WORKER, None, now)
    return len(due)


async def _tell(
    connection: Connection, kind: str, wallet: WalletId, by: By, lapses_at: datetime | None, now: datetime
) -> None:
    """Set what payments look at, and tell the owner and the audit log."""
    await connection.execute(sql.set_frozen, wallet)
    details: dict[str, object] = {"lapses_at": rfc3339(lapses_at)} if lapses_at else {}
    await log.append(connection, [log.Event(kind, wallet, wallet, details)], now)
    await audit.append(connection, [AuditEvent(kind, wallet, by, wallet, details)], now)

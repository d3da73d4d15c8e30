"""Wallet freezes: nothing leaves a frozen wallet; incoming payments continue.

A wallet can be frozen for several reasons at once; it is unfrozen when the last of them ends. A reason may expire.

Lock order: the wallet's API keys, the wallet (whose trigger changes what its keys may do), then its reasons.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from gateway.audit import log as audit
from gateway.audit.log import WORKER, AuditEvent, By
from gateway.clock import rfc3339
from gateway.events import log
from gateway.identity.wallet import lock_with_keys
from gateway.ids import PaymentId, WalletId, new_id, show
from gateway.postgres.pool import Connection, Record, Statements

sql = Statements(__package__, "wallet_freeze.sql")


async def freeze(
    connection: Connection, wallet: WalletId, reason: str, by: By, expires_at: datetime | None, now: datetime
) -> UUID:
    """Freeze the wallet for a reason, until it is ended or expires. Returns the reason's id."""
    await lock_with_keys(connection, [wallet])
    return await _place(connection, wallet, reason, by, expires_at, now)


async def remove_expiry(connection: Connection, id: UUID, wallet: WalletId, by: By, now: datetime) -> bool:
    """Remove the expiry of a reason. Returns False if it has ended already."""
    await lock_with_keys(connection, [wallet])
    found: bool = await connection.fetchval(sql.remove_expiry, id) is not None
    if found:
        await _record(connection, "wallet.frozen", wallet, by, None, now)
    return found


async def unfreeze(connection: Connection, wallet: WalletId, by: By, now: datetime) -> bool:
    """End every reason. Returns False if there was none."""
    await lock_with_keys(connection, [wallet])
    ended = await connection.fetch(sql.end_freezes, wallet, now)
    if ended:
        await _record(connection, "wallet.unfrozen", wallet, by, None, now)
    return bool(ended)


async def freeze_for_payment(
    connection: Connection, wallet: WalletId, payment: PaymentId, by: By, now: datetime
) -> bool:
    """Freeze the wallet because a payment was reported as unauthorized, by its owner or by a link that was sent to
    them. Returns False if it was reported before.
    """
    await lock_with_keys(connection, [wallet])
    if await connection.fetchval(sql.is_frozen_over, payment):
        return False
    id = await _place(connection, wallet, f"reported as unauthorized: {show('pay', payment)}", by, None, now)
    await connection.execute(sql.freeze_of_payment, id, payment)
    return True


async def unfreeze_own(connection: Connection, wallet: WalletId, before: datetime, by: By, now: datetime) -> bool:
    """End the reasons that the owner placed `before` that time; an operator's stay. Returns False if there was none."""
    await lock_with_keys(connection, [wallet])
    ended = await connection.fetch(sql.end_own_freezes, wallet, now, before)
    if ended:
        await _record(connection, "wallet.unfrozen", wallet, by, None, now)
    return bool(ended)


@dataclass(frozen=True, slots=True)
class Freeze:
    """One reason why a wallet is or was frozen. `payment` is the one that its owner reported; None if an operator froze
    it.
    """

    handle: str
    reason: str
    placed_at: datetime
    expires_at: datetime | None
    ended_at: datetime | None
    payment: PaymentId | None


async def in_force(connection: Connection) -> list[Freeze]:
    """Return the reasons in force of all wallets, newest first: at most 200."""
    return [_freeze(row) for row in await connection.fetch(sql.freezes_in_force)]


async def in_force_of(connection: Connection, wallet: WalletId) -> list[Freeze]:
    """Return the reasons in force of a wallet, newest first: at most 200."""
    return [_freeze(row) for row in await connection.fetch(sql.freezes_in_force_of, wallet)]


async def of_wallet(connection: Connection, wallet: WalletId) -> list[Freeze]:
    """Return the last twenty reasons of a wallet, those in force first."""
    return [_freeze(row) for row in await connection.fetch(sql.freezes_of_wallet, wallet)]


def _freeze(row: Record) -> Freeze:
    return Freeze(
        *(row["handle"], row["reason"], row["placed_at"], row["expires_at"], row["ended_at"], row["payment_id"])
    )


async def end_expired(connection: Connection, now: datetime) -> int:
    """End the reasons that have expired. Returns how many were due."""
    due = await connection.fetch(sql.expired, now)
    if not due:
        return 0
    await lock_with_keys(connection, {row["wallet_id"] for row in due})
    for row in due:
        if await connection.fetchval(sql.end_freeze, row["id"], now) is not None:
            await _record(connection, "wallet.freeze_expired", row["wallet_id"], WORKER, None, now)
    return len(due)


async def _place(
    connection: Connection, wallet: WalletId, reason: str, by: By, expires_at: datetime | None, now: datetime
) -> UUID:
    """`freeze`, of a wallet that the caller has locked."""
    id = new_id(now)
    await connection.execute(sql.place_freeze, id, wallet, reason, now, expires_at)
    await _record(connection, "wallet.frozen", wallet, by, expires_at, now)
    return id


async def _record(
    connection: Connection, kind: str, wallet: WalletId, by: By, expires_at: datetime | None, now: datetime
) -> None:
    """Set the flag that payments read, and append the event and the audit event."""
    await connection.execute(sql.set_frozen, wallet)
    details: dict[str, object] = {"expires_at": rfc3339(expires_at)} if expires_at else {}
    await log.append(connection, [log.Event(kind, wallet, wallet, details)], now)
    await audit.append(connection, [AuditEvent(kind, wallet, by, wallet, details)], now)

"""Wallet freeze: no money leaves a frozen wallet, on any path. Incoming payments continue.

A freeze waits for payments that are being decided (by locking the policy's row, if there is one); later payments
see it.

The statements that accept or end payments without the checks leave those of a frozen wallet to this one: see
schema/11_check_payments.sql and `settle_payments`, `hold_payments` and `end_payments`.
"""

from collections.abc import Collection, Sequence

from gateway.clock import rfc3339
from gateway.errors import GatewayError
from gateway.ids import WalletId
from gateway.money import Assets
from gateway.payments.checks import policy
from gateway.payments.checks.check import LOCKED, PASSED, Check, CheckContext, Decisions, Locks, Passed, Payer
from gateway.payments.errors import WalletFrozen
from gateway.payments.model.proposed import Proposed
from gateway.postgres.pool import Connection, Record


class WalletFreeze(Check):
    """Refuses payments out of a frozen wallet."""

    async def load(self, context: CheckContext, asked: Sequence[Proposed]) -> Decisions | None:
        return _Frozen(context) if any(one.refusal for one in context.payers.values()) else None


class _Frozen(Decisions):
    def __init__(self, context: CheckContext) -> None:
        self._payers = context.payers

    def decide(self, one: Proposed) -> Passed | GatewayError:
        return self._payers[one.payment.payer].refusal or PASSED


async def payers(
    connection: Connection, assets: Assets, wallets: Collection[WalletId], locks: Locks | None = None
) -> dict[WalletId, Payer]:
    """These wallets as they are now, or once all that is locked."""
    if locks is None:
        rows = await connection.fetch(policy.sql.payers, list(wallets))
    else:
        ids = (locks.get(kind) for kind in LOCKED)
        rows = await connection.fetch(policy.sql.locked_payers, list(wallets), *ids)
    return {WalletId(row["id"]): Payer(_refusal(row), policy.of_row(assets, row)) for row in rows}


async def frozen(connection: Connection, wallets: Collection[WalletId]) -> dict[WalletId, WalletFrozen]:
    """Why these wallets are frozen; a wallet that is not frozen is absent."""
    rows = await connection.fetch(policy.sql.payers, list(wallets))
    return {WalletId(row["id"]): refusal for row in rows if (refusal := _refusal(row)) is not None}


def _refusal(row: Record) -> WalletFrozen | None:
    return None if row["frozen_at"] is None else WalletFrozen(row["handle"], rfc3339(row["frozen_at"]))


async def check(connection: Connection, wallet: WalletId) -> None:
    """Raises WalletFrozen while no money leaves the wallet."""
    for refusal in (await frozen(connection, [wallet])).values():
        raise refusal

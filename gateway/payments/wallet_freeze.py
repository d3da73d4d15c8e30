"""A frozen wallet: no money leaves it, on any path; what comes in goes on.

Whoever freezes a wallet waits for the payments that are being decided (the policy's row, where there is one), and those
that come after read it frozen.
"""

from collections.abc import Collection, Sequence

from gateway.errors import GatewayError, WalletFrozen
from gateway.ids import WalletId
from gateway.payments import policy
from gateway.payments.check import Check, CheckContext, Decisions, Passed, Payer, Proposed
from gateway.postgres import Connection


class WalletFreeze(Check):
    """Refuses payments out of a frozen wallet."""

    async def load(self, context: CheckContext, asked: Sequence[Proposed]) -> Decisions:
        return _Frozen(context)


class _Frozen(Decisions):
    def __init__(self, context: CheckContext) -> None:
        self._payers = context.payers

    def decide(self, one: Proposed) -> Passed | GatewayError:
        return self._payers[one.payment.payer].refusal or Passed()


async def payers(connection: Connection, wallets: Collection[WalletId]) -> dict[WalletId, Payer]:
    """These wallets as they are now."""
    return {
        WalletId(row["id"]): Payer(row["handle"], row["guarded"], row["frozen_at"])
        for row in await connection.fetch(policy.sql.payers, list(wallets))
    }


async def frozen(connection: Connection, wallets: Collection[WalletId]) -> dict[WalletId, WalletFrozen]:
    """Why no money leaves these wallets; one that is not frozen is absent."""
    found = await payers(connection, wallets)
    return {id: refusal for id, one in found.items() if (refusal := one.refusal) is not None}


async def check(connection: Connection, wallet: WalletId) -> None:
    """Raises WalletFrozen while no money leaves the wallet."""
    for refusal in (await frozen(connection, [wallet])).values():
        raise refusal

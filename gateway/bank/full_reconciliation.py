"""The full reconciliation: recount the ledger, and reconcile it with the chain and the bank. Frozen withdrawals can be
unfrozen once everything agrees.

A difference is recorded as a suspicion: a worker compares again, and freezes withdrawals if it is confirmed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.audit.log import By
from gateway.bank import movements
from gateway.chain.errors import NodeUnavailable
from gateway.chain.node import Node
from gateway.clock import Clock, steady
from gateway.ledger import recount
from gateway.ledger.recount import Fault
from gateway.money import Asset
from gateway.payments.checks import withdrawal_freeze
from gateway.payments.model.settings import PaymentSettings
from gateway.postgres.pool import Connection, Database
from gateway.reconciliation import monitor, solvency, unfreeze
from gateway.reconciliation.solvency import Difference, Solvency


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """Totals per token, faults of the ledger, and differences from the chain or the bank."""

    totals: Sequence[Solvency]
    faults: Sequence[Fault]
    differences: Sequence[Difference]


async def reconcile(database: Database, node: Node, settings: PaymentSettings) -> Reconciliation:
    """Compare everything. Raises NodeUnavailable."""
    async with database.snapshot() as connection:
        faults = await recount.recount(connection)
        differences = await movements.reconcile(connection, settings.assets)
    totals, of_chain = await against_chain(database, node, settings)
    differences = [*differences, *of_chain]
    async with database.transaction() as connection:
        await monitor.suspect(connection, differences)
    return Reconciliation(totals, faults, differences)


async def unfreeze_withdrawals(
    database: Database,
    node: Node,
    settings: PaymentSettings,
    asset: Asset,
    authorize: Callable[[Connection], Awaitable[By]],
    clock: Clock,
) -> datetime:
    """Unfreeze withdrawals of an asset, after everything was compared. Returns since when they were frozen. `authorize`
    returns who does it, in the transaction that does.

    Raises NotFound (they are not frozen), FreezeStays, NodeUnavailable, and what `authorize` raises.
    """
    async with database.reading() as connection:
        if asset.code not in await withdrawal_freeze.frozen(connection):
            raise unfreeze.not_frozen(asset)
        known = await unfreeze.differences(connection, settings.assets)
    found = await reconcile(database, node, settings)
    still = [f"{fault.where}: not so that {fault.claim}" for fault in found.faults]
    still += [str(one) for one in found.differences if one.asset == asset]
    async with database.transaction() as connection:
        by = await authorize(connection)
        return await unfreeze.unfreeze(connection, settings, asset, known, still, by, clock())


#: How long the chain is read again, and after how many seconds each time: a local node that was restarted has
#: forgotten the state of older blocks, and the worker is about to read on. A silent node uses up all of it.
_AGAIN_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.5


async def against_chain(
    database: Database, node: Node, settings: PaymentSettings
) -> tuple[list[Solvency], list[Difference]]:
    """Return the totals per token, and the differences from the chain at the last final block. Raises
    NodeUnavailable.
    """
    until = steady() + _AGAIN_SECONDS
    while True:
        try:
            return await solvency.reconcile(database, node, settings)
        except NodeUnavailable:
            if steady() >= until:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)

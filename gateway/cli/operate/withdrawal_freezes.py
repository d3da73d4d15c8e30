"""withdrawals: list frozen withdrawals and their causes, and unfreeze them once everything agrees."""

from typing import Any

from gateway import assembly
from gateway.audit.log import By
from gateway.bank import full_reconciliation
from gateway.chain.node import HttpNode
from gateway.cli.operate import operations
from gateway.clock import rfc3339
from gateway.config.config import Config
from gateway.ledger import ledger
from gateway.payments.checks import withdrawal_freeze
from gateway.postgres.pool import Connection
from gateway.reconciliation.unfreeze import differences


async def frozen(config: Config) -> list[dict[str, Any]]:
    """Every asset whose withdrawals are frozen, since when, and the differences that froze them."""
    async with assembly.database(config, "withdrawals") as database, database.snapshot() as connection:
        assets = await ledger.with_former(connection, config.assets)
        frozen = await withdrawal_freeze.frozen(connection)
        found = (await differences(connection, assets)).values()
    return [
        {
            "asset": asset,
            "since": rfc3339(since),
            "differences": [operations.plain(one) for one in found if one.asset.code == asset],
        }
        for asset, since in frozen.items()
    ]


async def unfreeze(config: Config, code: str) -> dict[str, Any]:
    """Unfreeze withdrawals of an asset, after the ledger was recounted and reconciled with the chain and the bank.

    Raises UnknownAsset, NotFound (they are not frozen), FreezeStays, NodeUnavailable.
    """
    where = assembly.places(config)
    node = HttpNode(where.rpc_url)
    try:
        async with assembly.database(config, "withdrawals", 2, assembly.LONG_SECONDS) as database:
            settings = await assembly.settings_of(config, database, where)
            asset = settings.assets[code]
            clock = database.clock
            since = await full_reconciliation.unfreeze_withdrawals(database, node, settings, asset, _at_machine, clock)
    finally:
        await node.close()
    return {"asset": asset.code, "since": rfc3339(since)}


async def _at_machine(_: Connection) -> By:
    return assembly.at_machine()

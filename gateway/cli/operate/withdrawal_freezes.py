"""withdrawals: whose withdrawals are stopped and why, and letting them go on once everything adds up."""

from typing import Any

from gateway import assembly
from gateway.cli.operate import operations
from gateway.clock import rfc3339
from gateway.config.config import Config
from gateway.ledger import ledger
from gateway.payments.checks import withdrawal_freeze
from gateway.reconciliation.unfreeze import differences, not_frozen
from gateway.reconciliation.unfreeze import unfreeze as unfreeze_withdrawals


async def frozen(config: Config) -> list[dict[str, Any]]:
    """Every asset whose withdrawals are stopped, since when, and the differences that were the reason."""
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
    """Let withdrawals of an asset go on, after everything was compared: the ledger recounted, and reconciled with the
    chain and the bank.

    Raises UnknownAsset, NotFound (nothing is stopped), FreezeStays, NodeUnavailable.
    """
    where = assembly.places(config)
    async with assembly.database(config, "withdrawals") as database:
        settings = await assembly.settings_of(config, database, where)
        asset = settings.assets[code]
        async with database.reading() as connection:
            if asset.code not in await withdrawal_freeze.frozen(connection):
                raise not_frozen(asset)
            known = await differences(connection, settings.assets)
        found = await operations.reconcile(config)
        still = [f"{fault.where}: not so that {fault.claim}" for fault in found.faults]
        still += [str(one) for one in found.differences if one.asset == asset]
        async with database.transaction() as connection:
            since = await unfreeze_withdrawals(
                connection, settings, asset, known, still, assembly.at_machine(), database.clock()
            )
    return {"asset": asset.code, "since": rfc3339(since)}

"""relayers: list the relayers with their state, and resume a stopped one."""

from dataclasses import asdict
from typing import Any

from gateway import assembly
from gateway.chain.node import HttpNode
from gateway.config.config import Config
from gateway.settlement import relayer_accounts


async def listed(config: Config) -> list[dict[str, Any]]:
    """Every relayer of the chain, including those whose keys other processes have."""
    where = assembly.places(config)
    node = HttpNode(where.rpc_url)
    try:
        async with assembly.database(config, "relayers") as database:
            rows = await relayer_accounts.read(database, node, config.assets, config.gas_batches_min)
            return [asdict(row) for row in rows]
    finally:
        await node.close()


async def resume(config: Config, text: str) -> dict[str, Any]:
    """Resume the stopped relayer of an address, once the ledger has read the blocks up to the transaction that stopped
    it.

    Raises NotFound, RelayerNotResumable, NodeUnavailable.
    """
    where = assembly.places(config)
    node = HttpNode(where.rpc_url)
    try:
        async with assembly.database(config, "relayers") as database:
            return asdict(await relayer_accounts.resume(database, node, text, config.finality, assembly.at_machine()))
    finally:
        await node.close()

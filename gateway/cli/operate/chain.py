"""chain reread: read final blocks again, and post the movements that the ledger lacks."""

from typing import Any

from gateway import assembly
from gateway.audit import log as audit
from gateway.audit.log import AuditEvent
from gateway.chain.node import HttpNode
from gateway.config.config import Config
from gateway.reconciliation import reread as rereading


async def reread(config: Config, first: int, last: int) -> dict[str, Any]:
    """Read blocks `first` to `last` again. This can be repeated: nothing is posted twice.

    Raises InvalidRequest if the ledger has not reached them, NodeUnavailable and ChainReplaced.
    """
    where = assembly.places(config)
    node = HttpNode(where.rpc_url)
    try:
        async with assembly.database(config, "chain") as database:
            settings = await assembly.settings_of(config, database, where)
            read = await rereading.reread(database, node, settings, first, last, database.clock)
            details = {"first": read.first, "last": read.last, "posted": read.posted}
            async with database.transaction() as connection:
                event = AuditEvent("chain.reread", None, assembly.at_machine(), None, details)
                await audit.append(connection, [event], database.clock())
            return details
    finally:
        await node.close()

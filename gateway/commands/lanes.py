"""lanes, lanes resume: what an operator sees of the relayer's lanes, and how a stopped one goes on."""

from dataclasses import asdict, dataclass
from typing import Any

from gateway import postgres
from gateway.chain import lanes, watch
from gateway.chain.lanes import Lane
from gateway.chain.node import HttpNode
from gateway.commands import building
from gateway.config import Config
from gateway.errors import Misconfigured


@dataclass(frozen=True, slots=True)
class Seen:
    """A lane, and what its address has for gas at the newest block, in wei."""

    lane: Lane
    balance_wei: int

    def plain(self) -> dict[str, Any]:
        """The same as plain values, wei as a decimal string: for printing."""
        oldest = self.lane.oldest_open
        return {
            **asdict(self.lane),
            "oldest_open": oldest.isoformat() if oldest else None,
            "balance_wei": str(self.balance_wei),
        }


async def seen(config: Config) -> list[Seen]:
    """Every lane of this database, in the order of their addresses."""
    where = building.places(config)
    node = HttpNode(where.rpc_url)
    try:
        async with postgres.connect(where.database_url, 2, "gateway lanes") as database:
            await postgres.check_migrated(database)
            async with database.reading() as connection:
                known = await lanes.every(connection)
            return [Seen(lane, await node.balance(lane.address)) for lane in known]
    finally:
        await node.close()


async def resume(config: Config, address: str) -> int:
    """Let a stopped lane go on behind what its address has sent, up to the last final block in the book.

    Returns how many transactions of ours others had overtaken. Raises Misconfigured where there is nothing to resume.
    """
    where = building.places(config)
    node = HttpNode(where.rpc_url)
    try:
        async with postgres.connect(where.database_url, 2, "gateway lanes resume") as database:
            await postgres.check_migrated(database)
            async with database.reading() as connection:
                known = {lane.address.lower(): lane for lane in await lanes.every(connection)}
                lane = known.get(address.lower())
                cursor = await watch.cursor(connection, lane.chain_id) if lane else None
            if lane is None:
                raise Misconfigured(f"no lane of {address} in this database: `gateway lanes` lists those there are")
            if lane.stopped is None:
                raise Misconfigured(f"the lane of {lane.address} is not stopped")
            if cursor is None or await node.chain_id() != lane.chain_id:
                raise Misconfigured(f"the lane of {lane.address} is of chain {lane.chain_id}: ask a node of that chain")
            await watch.check_cursor(node, cursor)  # nor is a count believed of another chain of that id
            count = await node.transaction_count(lane.address, cursor.number)
            async with database.transaction() as connection:
                return await lanes.resume(connection, lane.address, count)
    finally:
        await node.close()

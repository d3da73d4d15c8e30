"""Whether token payments get on: a node that answers and is where the book is, and a worker that does its rounds.

Neither keeps payments from being taken: those in the ledger need none of both, and those of tokens wait in the queue.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from gateway.chain import lanes, watch
from gateway.chain.node import Node
from gateway.errors import ChainReplaced, NodeUnavailable
from gateway.payments.terms import Terms
from gateway.postgres import Database

#: `behind`: it has no block yet that was final before. `replaced`: another is where that one was.
NodeStanding = Literal["ok", "away", "behind", "replaced", "not_set"]

#: `late`: none has looked after a lane for so long as it takes several times over. `none`: none ever has.
WorkerStanding = Literal["ok", "late", "none"]

_LATE: Final = timedelta(seconds=30)

#: How long the node has to answer, in seconds.
_ANSWERS_WITHIN: Final = 2.0


@dataclass(frozen=True, slots=True)
class Readiness:
    node: NodeStanding
    worker: WorkerStanding


async def readiness(database: Database, node: Node | None, terms: Terms) -> Readiness:
    """Both, as they stand. Asks the node, in two seconds at the most. Raises DatabaseUnavailable."""
    chain_id = next((contract.chain_id for contract in terms.contracts.values()), None)
    async with database.reading() as connection:
        cursor = None if chain_id is None else await watch.cursor(connection, chain_id)
        looked_after = await lanes.looked_after_within(connection, _LATE)
    worker: WorkerStanding = "none" if looked_after is None else "ok" if looked_after else "late"
    return Readiness("not_set" if node is None else await _standing(node, cursor), worker)


async def _standing(node: Node, cursor: watch.Cursor | None) -> NodeStanding:
    try:
        async with asyncio.timeout(_ANSWERS_WITHIN):
            head = await node.block("latest")
            if cursor is None:
                return "ok"
            if head is None or head.number < cursor.number:
                return "behind"
            await watch.check_cursor(node, cursor)
    except ChainReplaced:
        return "replaced"
    except (NodeUnavailable, TimeoutError):
        return "away"
    return "ok"

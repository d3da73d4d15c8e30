"""Whether token payments get on: a node that answers and is where the book is, a worker that does its rounds, and
transactions that the node takes and that become final.

None of them keeps payments from being taken: those in the ledger need none, and those of tokens wait in the queue.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from gateway.chain import lanes, outbox, watch
from gateway.chain.node import Node
from gateway.errors import ChainReplaced, NodeUnavailable
from gateway.payments.terms import Terms
from gateway.postgres import Database

#: `behind`: it has no block yet that was final before. `replaced`: another is where that one was.
NodeStanding = Literal["ok", "away", "behind", "replaced", "not_set"]

#: `late`: none has looked after a lane for so long as it takes several times over. `none`: none ever has.
WorkerStanding = Literal["ok", "late", "none"]

#: `refused`: a node does not take what a lane sends. `late`: what was sent is in no final block, long after it should.
RelayerStanding = Literal["ok", "refused", "late"]

_LATE: Final = timedelta(seconds=30)

#: How long a transaction may take to be final before it is late: so many times what finality takes, and a while.
_FINALITIES, _A_WHILE = 3.0, timedelta(seconds=60)

#: How long the node has to answer, in seconds.
_ANSWERS_WITHIN: Final = 2.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """`reason` is why relayers are not ok, in a sentence."""

    node: NodeStanding
    worker: WorkerStanding
    relayers: RelayerStanding
    reason: str | None = None


async def readiness(database: Database, node: Node | None, terms: Terms) -> Readiness:
    """All of it, as it stands. Asks the node, in two seconds at the most. Raises DatabaseUnavailable."""
    chain_id = next((contract.chain_id for contract in terms.contracts.values()), None)
    allowed = _A_WHILE + timedelta(seconds=_FINALITIES * terms.finality_seconds)
    async with database.reading() as connection:
        cursor = None if chain_id is None else await watch.cursor(connection, chain_id)
        looked_after = await lanes.looked_after_within(connection, _LATE)
        refusal = await outbox.refused_anywhere(connection)
        late = await lanes.unfinished_after(connection, allowed)
    worker: WorkerStanding = "none" if looked_after is None else "ok" if looked_after else "late"
    standing: NodeStanding = "not_set" if node is None else await _standing(node, cursor)
    if refusal is not None:
        return Readiness(standing, worker, "refused", str(refusal))
    if late:
        return Readiness(standing, worker, "late", _why_late(allowed, cursor))
    return Readiness(standing, worker, "ok")


def _why_late(allowed: timedelta, cursor: watch.Cursor | None) -> str:
    read = f", and the book is read up to block {cursor.number}" if cursor is not None else ""
    return (
        f"what was sent more than {allowed.total_seconds():.0f} seconds ago is in no final block yet{read}: "
        "GATEWAY_FINALITY says which block is final, and the worker's log what is waited for"
    )


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

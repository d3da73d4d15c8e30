"""Whether a payment would be taken now, and whether those of tokens get on.

Now means that the database commits, which is tried. A process whose machine has another time than the database is not
ready: payments go by the database's, but whoever set that clock wrong should hear of it. A node that answers and is
where the ledger is, a worker that does its rounds, and transactions that the node takes and that become final, keep no
payment from being taken: those in the ledger need none of them, and those of tokens wait in the queue.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Literal

from gateway.chain.errors import ChainReplaced, NodeUnavailable
from gateway.chain.node import Node
from gateway.chain.relayer import outbox, relayers
from gateway.chain.watcher import cursors, same_chain
from gateway.payments.model.settings import PaymentSettings
from gateway.postgres.errors import DatabaseUnavailable
from gateway.postgres.pool import Connection, Database
from gateway.reconciliation import recovery
from gateway.reconciliation.errors import ClockOff

#: `behind`: it has no block yet that was final before. `replaced`: another is where that one was.
NodeState = Literal["ok", "away", "behind", "replaced", "not_set"]

#: `late`: none has looked after a relayer for so long as it takes several times over. `none`: none ever has.
WorkerState = Literal["ok", "late", "none"]

#: `refused`: a node does not take what a relayer sends. `late`: what was sent is in no final block, long after it
#: should.
RelayerState = Literal["ok", "refused", "late"]

_LATE: Final = timedelta(seconds=30)

#: How long a transaction may take to be final before it is late: so many times what finality takes, and a while.
_FINALITIES, _A_WHILE = 3.0, timedelta(seconds=60)

#: How long whoever asks may be kept waiting, with something left of the two seconds for a machine that is busy, and how
#: long one answer serves everybody, in seconds.
_WITHIN: Final = 1.5
_GOOD_FOR: Final = 1.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """`reason` is why relayers are not ok, in a sentence."""

    node: NodeState
    worker: WorkerState
    relayers: RelayerState
    reason: str | None = None
    recovery: str | None = None  #: Why token payments wait for operators, in a sentence.


class Probe:
    """Tries database and node, once a second at the most and once at a time, and never keeps anybody waiting.

    A try is not cut short, since a commit that waits for a standby would then be waiting in the server many times over.
    """

    def __init__(self, database: Database, node: Node | None, settings: PaymentSettings) -> None:
        self._database, self._node, self._settings = database, node, settings
        self._trying: asyncio.Task[Readiness] | None = None
        self._begun_at = 0.0
        self._without_node: Readiness | None = None

    async def readiness(self) -> Readiness:
        """Within two seconds, whatever hangs: a node is then `away`. Raises DatabaseUnavailable, ClockOff."""
        now = asyncio.get_running_loop().time()
        if self._trying is None or (self._trying.done() and now - self._begun_at > _GOOD_FOR):
            self._begun_at, self._without_node = now, None
            self._trying = asyncio.create_task(self._try())
            self._trying.add_done_callback(_hear)
        done, _ = await asyncio.wait({self._trying}, timeout=_WITHIN)
        if done:
            return self._trying.result()
        if self._without_node is not None:
            return self._without_node
        raise DatabaseUnavailable("no answer within two seconds")

    async def _try(self) -> Readiness:
        await self._database.prove_writable()
        if off := self._database.clock.off_seconds():
            raise ClockOff(round(off, 1))
        async with self._database.reading() as connection:
            found, cursor = await of_tokens(connection, self._settings)
        if self._node is None:
            return found
        self._without_node = replace(found, node="away")
        return replace(found, node=await _account_state(self._node, cursor))


async def of_tokens(connection: Connection, settings: PaymentSettings) -> tuple[Readiness, cursors.Cursor | None]:
    """What the database knows of the workers and relayers, without a node; and how far it has read the chain."""
    chain_id = next((contract.chain_id for contract in settings.contracts.values()), None)
    allowed = _A_WHILE + timedelta(seconds=_FINALITIES * settings.finality_seconds)
    cursor = None if chain_id is None else await cursors.read(connection, chain_id)
    looked_after = await relayers.looked_after_within(connection, _LATE)
    refusal = await outbox.refused_anywhere(connection)
    late = await relayers.unfinished_after(connection, allowed)
    older = await recovery.current(connection)
    worker: WorkerState = "none" if looked_after is None else "ok" if looked_after else "late"
    found = Readiness("not_set", worker, "ok", recovery=str(older) if older is not None else None)
    if refusal is not None:
        found = replace(found, relayers="refused", reason=str(refusal))
    elif late:
        found = replace(found, relayers="late", reason=_why_late(allowed, cursor))
    return found, cursor


def _hear(tried: "asyncio.Task[Readiness]") -> None:
    """Take note of a failure that may come when nobody waits for it any more: asyncio logs what nobody has."""
    if not tried.cancelled():
        tried.exception()


def _why_late(allowed: timedelta, cursor: cursors.Cursor | None) -> str:
    read = f", and the ledger is read up to block {cursor.number}" if cursor is not None else ""
    return (
        f"what was sent more than {allowed.total_seconds():.0f} seconds ago is in no final block yet{read}: "
        "GATEWAY_FINALITY says which block is final, and the worker's log what is waited for"
    )


async def _account_state(node: Node, cursor: cursors.Cursor | None) -> NodeState:
    try:
        async with asyncio.timeout(_WITHIN):
            head = await node.block("latest")
            if cursor is None:
                return "ok"
            if head is None or head.number < cursor.number:
                return "behind"
            await same_chain.check_cursor(node, cursor)
    except ChainReplaced:
        return "replaced"
    except (NodeUnavailable, TimeoutError):
        return "away"
    return "ok"

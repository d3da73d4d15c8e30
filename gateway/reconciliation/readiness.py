"""Readiness: would a payment be accepted now, and do token payments make progress?

Ready means that the database commits, which is tried. A process whose machine's clock differs from the database's is
not ready: payments use the database's time, but the operator should learn that a clock is wrong.

No payment is refused because a node is away or behind, because no worker runs, or because the relayers' transactions
are refused or late. Ledger payments need none of them, and token payments wait in the queue.
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

#: `behind`: the node does not have a block that was final before. `replaced`: it has another block at that height.
NodeState = Literal["ok", "away", "behind", "replaced", "not_set"]

#: `late`: no relayer was maintained for several times the usual interval. `none`: no relayer ever was.
WorkerState = Literal["ok", "late", "none"]

#: `refused`: a node refuses a relayer's transactions. `late`: a transaction is in no final block long after it should
#: be.
RelayerState = Literal["ok", "refused", "late"]

_LATE: Final = timedelta(seconds=30)

#: How long a transaction may take to become final before it is late: this multiple of the chain's finality, plus a
#: constant.
_FINALITIES, _FINALITY_SLACK = 3.0, timedelta(seconds=60)

#: How long a caller waits, which leaves some of the two seconds for a busy machine, and how long a result is reused; in
#: seconds.
_TIMEOUT_SECONDS: Final = 1.5
_REUSED_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Readiness:
    """The state of what token payments depend on. `reason` says in a sentence why relayers are not ok."""

    node: NodeState
    worker: WorkerState
    relayers: RelayerState
    reason: str | None = None
    recovery: str | None = None  # Why token payments wait for operators, in a sentence.


class Probe:
    """Tries the database and the node, at most once a second and one try at a time. It never keeps a caller waiting.

    A try is never cancelled: a commit that waits for a standby would go on in the server, and each new try would add
    one.
    """

    def __init__(self, database: Database, node: Node | None, settings: PaymentSettings) -> None:
        self._database, self._node, self._settings = database, node, settings
        self._trying: asyncio.Task[Readiness] | None = None
        self._begun_at = 0.0
        self._without_node: Readiness | None = None

    async def readiness(self) -> Readiness:
        """Return the readiness within two seconds, whatever hangs: a node that hangs is `away`. Raises
        DatabaseUnavailable, ClockOff.
        """
        now = asyncio.get_running_loop().time()
        if self._trying is None or (self._trying.done() and now - self._begun_at > _REUSED_SECONDS):
            self._begun_at, self._without_node = now, None
            self._trying = asyncio.create_task(self._try())
            self._trying.add_done_callback(_consume_exception)
        done, _ = await asyncio.wait({self._trying}, timeout=_TIMEOUT_SECONDS)
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
            found, cursor = await token_readiness(connection, self._settings)
        if self._node is None:
            return found
        self._without_node = replace(found, node="away")
        return replace(found, node=await _node_state(self._node, cursor))


async def token_readiness(connection: Connection, settings: PaymentSettings) -> tuple[Readiness, cursors.Cursor | None]:
    """Return what the database knows of the workers and relayers, without a node, and how far it has read the chain."""
    chain_id = next((contract.chain_id for contract in settings.contracts.values()), None)
    allowed = _FINALITY_SLACK + timedelta(seconds=_FINALITIES * settings.finality_seconds)
    cursor = None if chain_id is None else await cursors.read(connection, chain_id)
    maintained = await relayers.maintained_within(connection, _LATE)
    refusal = await outbox.refused_anywhere(connection)
    late = await relayers.unfinished_after(connection, allowed)
    older = await recovery.current(connection)
    worker: WorkerState = "none" if maintained is None else "ok" if maintained else "late"
    found = Readiness("not_set", worker, "ok", recovery=str(older) if older is not None else None)
    if refusal is not None:
        found = replace(found, relayers="refused", reason=str(refusal))
    elif late:
        found = replace(found, relayers="late", reason=_why_late(allowed, cursor))
    return found, cursor


def _consume_exception(tried: "asyncio.Task[Readiness]") -> None:
    """Retrieve the exception of a try that nobody awaits any more; otherwise asyncio logs it."""
    if not tried.cancelled():
        tried.exception()


def _why_late(allowed: timedelta, cursor: cursors.Cursor | None) -> str:
    read = f", and the ledger is read up to block {cursor.number}" if cursor is not None else ""
    return (
        f"what was sent more than {allowed.total_seconds():.0f} seconds ago is in no final block yet{read}: "
        "GATEWAY_FINALITY says which block is final, and the worker's log what is waited for"
    )


async def _node_state(node: Node, cursor: cursors.Cursor | None) -> NodeState:
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
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

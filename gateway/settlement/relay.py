"""Record which authorizations of a batch were submitted, in which chain transaction, and which were refused."""

from datetime import datetime

from gateway.chain.relayer.batches import Batch
from gateway.events import log
from gateway.events.log import Event
from gateway.money import Assets
from gateway.postgres.pool import Connection
from gateway.settlement import block_settlement
from gateway.settlement.decision import Kinds


async def record(connection: Connection, assets: Assets, kinds: Kinds, batch: Batch, now: datetime) -> list[Event]:
    """Record a batch's authorizations as submitted or refused, in the transaction that stores the batch.

    Returns the events of what was submitted. An authorization that was in a chain transaction before, which reverted or
    was replaced, only gets the new hash.

    Raises StateConflict if a thing is in a state that does not allow it: then the transaction has to be rolled back.
    """
    submitted, refused = [one.id for one in batch.submitted], [one.id for one, _ in batch.refused]
    of = await block_settlement.things(connection, assets, kinds, [*submitted, *refused])
    events = list[Event]()
    if batch.transaction is not None:
        tx_hash = "0x" + batch.transaction.hash.hex()
        for kind in kinds:
            if things := [thing for by, thing in (of[id] for id in submitted if id in of) if by is kind]:
                events += await kind.submit(connection, things, tx_hash)
        await log.append(connection, events, now)
    if batch.refused:
        await block_settlement.refuse(connection, assets, kinds, batch.refused, now, of)
    return events

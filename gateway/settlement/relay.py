"""Record which authorizations of a batch were submitted, in which chain transaction, and which were refused."""

from datetime import datetime

from gateway.chain.relayer.batches import Batch
from gateway.money import Assets
from gateway.postgres.pool import Connection
from gateway.settlement import block_settlement
from gateway.settlement.decision import Kinds
from gateway.settlement.settles import Submitted


async def record(connection: Connection, assets: Assets, kinds: Kinds, batch: Batch, now: datetime) -> list[Submitted]:
    """Record a batch's authorizations as submitted or refused, in the transaction that stores the batch.

    Returns the events of what was submitted. An authorization that was in a chain transaction before, which reverted or
    was replaced, only gets the new hash. Each kind is asked for those that no earlier kind knows.

    Raises StateConflict if a thing is in a state that does not allow it: then the transaction has to be rolled back.
    """
    submitted = list[Submitted]()
    if batch.transaction is not None:
        tx_hash, left = "0x" + batch.transaction.hash.hex(), [one.id for one in batch.submitted]
        for kind in kinds:
            if left:
                done = await kind.submit(connection, assets, left, tx_hash, now)
                submitted += done.values()
                left = [id for id in left if id not in done]
    if batch.refused:
        await block_settlement.refuse(connection, assets, kinds, batch.refused, now)
    return submitted

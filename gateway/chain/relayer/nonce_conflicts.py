"""Nonce conflicts: if somebody else has used a nonce of a relayer, that relayer alone is stopped.

    runs ──(a nonce is taken, seen twice, some time apart)──> stopped ──(an operator resumes it)──> runs

What happens to a stopped relayer's transactions:

    overtaken: the nonce was used by others     ends; what it carried is queued again at once
    in a block                                  is left, and concluded when final
    in no block, payments and redemptions       what it carries is queued again at once if another relayer runs: the
                                                contract itself settles each once, and none after its expiry
    in no block, mints                          wait for the relayer: the contract knows no expiry of a mint, so one
                                                whose money was released could still be made
    in no block, a deployment or a grant        waits for the relayer
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from gateway.chain.errors import NodeRefused, RelayerNotResumable
from gateway.chain.node import Node
from gateway.chain.relayer import relayers
from gateway.chain.relayer.relayers import Attempt
from gateway.chain.token import authorization
from gateway.chain.watcher import cursors, final_block, same_chain
from gateway.postgres.pool import Connection, Database, Statements

sql = Statements(__package__, "nonce_conflicts.sql")

#: How long a nonce must be seen as taken before the relayer is stopped: the backends of a hosted node may be some
#: blocks apart.
SECOND_LOOK = timedelta(seconds=30)


async def overtaken(node: Node, address: str, attempts: Sequence[Attempt], final: int) -> Attempt | None:
    """Return the first of these attempts whose nonce another transaction, which the gateway did not send, has taken up
    to block `final`; None if there is none.

    Either somebody else signs with the relayer's key, or the database is older than the chain: the transactions after
    that nonce would be sent again and again. Check again, with attempts read again, before acting: a node's backend may
    be behind, and an attempt may have been stored in the meantime. Network only.
    """
    try:
        taken = await count_at(node, address, final)
        late = [attempt for attempt in attempts if attempt.nonce < taken]
        receipts = await node.receipts([attempt.hash for attempt in late])
    except NodeRefused:
        return None  # a node that cannot find transactions by hash yet is no evidence
    mined = {attempt.transaction_id for attempt in late if attempt.hash in receipts}
    return next((attempt for attempt in late if attempt.transaction_id not in mined), None)


async def finds_last_final(database: Database, node: Node, address: str) -> bool:
    """Return whether the node finds the relayer's last transaction that is known to be final. A node that does not, as
    while it indexes, cannot tell which transaction has taken a nonce.
    """
    async with database.reading() as connection:
        last = await connection.fetchval(sql.last_concluded, address)
    return last is None or bool(await node.receipts([last]))


async def count_at(node: Node, address: str, final: int) -> int:
    """Return how many transactions the address has in blocks up to the final one. If the node has pruned the state of
    that block, as many do after some minutes, count all blocks: a conflict may then be found before it is final, which
    does no more than stop a relayer.
    """
    try:
        return await node.transaction_count(address, final)
    except NodeRefused:
        return await node.transaction_count(address, "latest")


async def suspect(connection: Connection, address: str, nonce: int, now: datetime) -> bool:
    """Record that a nonce seems to be used by others. Returns whether it has seemed so for long enough, whichever
    workers have seen it.
    """
    since: datetime = await connection.fetchval(sql.suspect, address, nonce, now)
    return now - since >= SECOND_LOOK


async def trust(connection: Connection, address: str) -> None:
    """Clear a suspicion: the next one starts again."""
    await connection.execute(sql.trust, address)


async def stop(
    connection: Connection, address: str, reason: str, unmined: Collection[UUID] = (), taken_below: int = 0
) -> bool:
    """Stop the relayer, for a reason that an operator has to investigate. The first reason stays. `unmined` are its
    transactions that are in no block; those of them with nonces below `taken_below` can never be mined. Returns whether
    it was running.
    """
    await relayers.lock_any(connection, address)
    chain_id = await connection.fetchval(sql.stop_relayer, address, reason)
    if chain_id is None:
        return False
    below = {row["id"] for row in await connection.fetch(sql.open_below, address, taken_below)}
    await connection.fetch(sql.lock_carried, list(unmined))
    await _end(connection, below & set(unmined))
    if await connection.fetchval(sql.any_running, chain_id):
        await connection.fetch(sql.requeue_signed, [id for id in unmined if id not in below])
    return True


async def resumable(database: Database, node: Node, chain_id: int, address: str, finality: int | None) -> int:
    """Return the transaction count that this relayer can be resumed with: at a final block that the ledger has read,
    and that no later final block changes. Changes nothing.

    Raises RelayerNotResumable, with the reason, and NodeUnavailable.
    """
    async with database.reading() as connection:
        relayer = await relayers.read_any(connection, address)
        cursor = await cursors.read(connection, chain_id)
        attempts = await relayers.open_attempts(connection, address)
    if relayer is None or relayer["stopped"] is None:
        raise RelayerNotResumable(address, "it is not stopped")
    if cursor is not None:
        await same_chain.check_cursor(node, cursor)
    final = await final_block.newest(node, finality)
    if final is None:
        raise RelayerNotResumable(address, "no block is final yet")
    read = cursor.number if cursor is not None else final.number
    count = await node.transaction_count(address, read)
    if final.number > read and await node.transaction_count(address, final.number) != count:
        raise RelayerNotResumable(
            address,
            f"the ledger is read up to block {read}, and a later one has more of it: let a worker read on first",
        )
    late = [attempt.hash for attempt in attempts if attempt.nonce < count]
    if await node.receipts(late):
        raise RelayerNotResumable(
            address, "a transaction of it is final and not in the ledger yet: let a worker read on first"
        )
    return count


async def resume(connection: Connection, address: str, next_nonce: int) -> int:
    """Resume a stopped relayer. `next_nonce` is the address's transaction count at a final block that the ledger has
    read.

    Open transactions below that nonce were overtaken by others and can never be mined: they end, and what they carried
    is queued again. Returns how many ended so.
    """
    await relayers.lock_any(connection, address)
    await connection.execute(sql.resume_relayer, address, next_nonce)
    below = {row["id"] for row in await connection.fetch(sql.open_below, address, next_nonce)}
    await connection.fetch(sql.lock_carried, list(below))
    await _end(connection, below)
    return len(below)


async def _end(connection: Connection, overtaken: Collection[UUID]) -> None:
    ended = [row["id"] for row in await connection.fetch(sql.end_overtaken, list(overtaken))]
    await authorization.requeue(connection, ended)


def unmined_of(attempts: Sequence[Attempt], mined: Collection[bytes]) -> set[UUID]:
    """Return the transactions of these attempts of which no attempt is mined. Pure."""
    in_blocks = {attempt.transaction_id for attempt in attempts if attempt.hash in mined}
    return {attempt.transaction_id for attempt in attempts} - in_blocks

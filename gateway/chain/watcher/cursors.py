"""How far each chain was read: a row per chain, which is locked while a block range is written.

There is one cursor per chain, so a block range counts only if it was read with every contract that is recorded: the
cursor's row is locked where a contract is recorded and where a block range is written, and the second of the two sees
the first.
"""

from dataclasses import dataclass

from gateway.chain.watcher.block_range import BlockRange
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "cursors.sql")


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last block that is in the ledger. `timestamp` is in Unix seconds."""

    chain_id: int
    number: int
    hash: bytes
    timestamp: int


async def read(connection: Connection, chain_id: int) -> Cursor | None:
    row = await connection.fetchrow(sql.read_cursor, chain_id)
    return None if row is None else Cursor(chain_id, row["number"], row["hash"], row["timestamp"])


async def begin(connection: Connection, start: Cursor) -> None:
    """Begin reading after `start`; where reading has begun already, it goes on from there.

    The cursor stays locked until the caller commits: record a contract after this, in the same transaction.
    """
    await connection.execute(sql.begin_cursor, start.chain_id, start.number, start.hash, start.timestamp)


async def advance(connection: Connection, old: Cursor, block_range: BlockRange) -> bool:
    """Move the cursor over the block range. False when another worker did first, or when a contract was recorded that
    the block range was not read with: then write nothing of it, and read again.

    The cursor's row stays locked until the caller commits, so block ranges are written one at a time and in order.
    """
    last = block_range.last
    await connection.execute(sql.lock_cursor, old.chain_id)  # by itself: what follows sees what was waited for
    status = await connection.execute(
        sql.advance_cursor,
        old.chain_id,
        old.number,
        old.hash,
        last.number,
        last.hash,
        last.timestamp,
        list(block_range.assets),
    )
    return status == "UPDATE 1"


async def lock(connection: Connection, chain_id: int) -> None:
    """Let nobody write what a block says until the caller commits."""
    await connection.execute(sql.lock_cursor, chain_id)


async def stands(connection: Connection, there: Cursor) -> bool:
    """Whether the cursor is there still. It then stays until the caller commits, and so does what the ledger has
    seen.
    """
    await connection.execute(sql.lock_cursor, there.chain_id)
    return await read(connection, there.chain_id) == there

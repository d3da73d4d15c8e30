"""How far each chain was read: a row per chain, which is locked while a block range is written.

There is one cursor per chain, so a block range counts only if it was read with every recorded contract. The cursor's
row is locked when a contract is recorded and when a block range is written, so the second of the two sees the first.
"""

from dataclasses import dataclass

from gateway.chain.watcher.block_range import BlockRange
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "cursors.sql")


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last block that the ledger has read. `timestamp` is in Unix seconds."""

    chain_id: int
    number: int
    hash: bytes
    timestamp: int


async def read(connection: Connection, chain_id: int) -> Cursor | None:
    row = await connection.fetchrow(sql.read_cursor, chain_id)
    return None if row is None else Cursor(chain_id, row["number"], row["hash"], row["timestamp"])


async def begin(connection: Connection, start: Cursor) -> None:
    """Start reading after `start`; if reading has started, it continues where it is.

    The cursor stays locked until the caller commits: record a contract after this, in the same transaction.
    """
    await connection.execute(sql.begin_cursor, start.chain_id, start.number, start.hash, start.timestamp)


async def advance(connection: Connection, old: Cursor, block_range: BlockRange) -> bool:
    """Move the cursor over the block range. Returns False if another worker did first, or if a contract was recorded
    that the block range was read without: then write nothing of it, and read again.

    The cursor's row stays locked until the caller commits, so block ranges are written one at a time and in order.
    """
    last = block_range.last
    await connection.execute(
        sql.lock_cursor, old.chain_id
    )  # a statement of its own, so that the next one sees what this waited for
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
    """Lock the cursor: nobody else writes a block range until the caller commits."""
    await connection.execute(sql.lock_cursor, chain_id)


async def lock_if_at(connection: Connection, cursor: Cursor) -> bool:
    """Return whether the cursor is still at that block. It is then locked until the caller commits, and the ledger
    stays there.
    """
    await connection.execute(sql.lock_cursor, cursor.chain_id)
    return await read(connection, cursor.chain_id) == cursor

"""The chain up to its final block, read once and in order.

The cursor is the last block that is in the book. A span is what follows it, up to a final block: its headers are
followed from the cursor by their parent hashes, and every log and receipt must be of a header so followed, so nothing
is taken from a block that is not on this chain; and a node that has forgotten what a block had in it is not read as one
in which nothing moved. Reading touches the network alone; the caller then moves the cursor and writes what the span
says in one transaction.

No log is left out. Near the tip they are asked for by block hash, which a node answers whole or not at all. Where many
blocks are read at once they are asked for by range, and a node behind a load balancer may leave out what it does not
have yet: a block without logs of a contract, whose bloom says that it may have some, is asked for again by hash.

What had been final and is not there any more is ChainReplaced: nothing goes on over the old book by itself.

There is one cursor per chain, so a span counts only if it was read with every contract that is recorded: the cursor's
row is locked where a contract is recorded and where a span is written, and the second of the two sees the first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from gateway.chain.block import Block, Log, Receipt
from gateway.chain.contract import Contract, Movement, Skip, decode
from gateway.chain.node import Node
from gateway.errors import ChainReplaced, NodeUnavailable
from gateway.postgres import Connection, Statements

sql = Statements(__package__, "chain.sql")

#: So many blocks are asked for their logs one by one; where there are more, by range. It is one JSON-RPC batch.
_BY_HASH_MOST = 32


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last block that is in the book. `timestamp` is in Unix seconds."""

    chain_id: int
    number: int
    hash: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class Span:
    """Final blocks `first` to `last.number`: what moved, what was skipped, and the receipts of asked hashes.

    Everything is in the order of the chain. A receipt may be of a block before `first`. `assets` are the tokens whose
    contracts were read; `final` is the number of the newest final block there was.
    """

    assets: frozenset[str]
    first: int
    last: Block
    final: int
    movements: list[Movement]
    skips: list[Skip]
    receipts: list[Receipt]

    @property
    def newest(self) -> bool:
        """Whether there was nothing final beyond it."""
        return self.last.number == self.final


# ---- the cursor -----------------------------------------------------------------------------------------------------


async def cursor(connection: Connection, chain_id: int) -> Cursor | None:
    row = await connection.fetchrow(sql.read_cursor, chain_id)
    return None if row is None else Cursor(chain_id, row["number"], row["hash"], row["timestamp"])


async def begin(connection: Connection, start: Cursor) -> None:
    """Begin reading after `start`; where reading has begun already, it goes on from there.

    The cursor stays locked until the caller commits: record a contract after this, in the same transaction.
    """
    await connection.execute(sql.begin_cursor, start.chain_id, start.number, start.hash, start.timestamp)


async def advance(connection: Connection, old: Cursor, span: Span) -> bool:
    """Move the cursor over the span. False when another worker did first, or when a contract was recorded that the
    span was not read with: then write nothing of it, and read again.

    The cursor's row stays locked until the caller commits, so spans are written one at a time and in order.
    """
    last = span.last
    await connection.execute(sql.lock_cursor, old.chain_id)  # by itself: what follows sees what was waited for
    status = await connection.execute(
        sql.advance_cursor,
        old.chain_id,
        old.number,
        old.hash,
        last.number,
        last.hash,
        last.timestamp,
        list(span.assets),
    )
    return status == "UPDATE 1"


async def stands(connection: Connection, there: Cursor) -> bool:
    """Whether the cursor is there still. It then stays until the caller commits, and so does what the book has seen."""
    await connection.execute(sql.lock_cursor, there.chain_id)
    return await cursor(connection, there.chain_id) == there


# ---- reading --------------------------------------------------------------------------------------------------------


async def read(
    node: Node,
    contracts: Iterable[Contract],
    cursor: Cursor,
    finality: int | None,
    open_hashes: Mapping[bytes, bool],
    most: int = 500,
) -> Span | None:
    """The next final blocks after the cursor, at most so many. None when there are none. Network only.

    `finality` is how many blocks stand on top of a final one; None: the node says which is final. `open_hashes` are
    transactions whose receipts are wanted, each with whether it may be in a block that was read before.

    Raises ChainReplaced when the cursor's block is not on the chain, and NodeUnavailable when the node is behind it,
    or when its answers do not fit together because the chain moved under them.
    """
    final = await final_block(node, finality)
    if final is None or final.number <= cursor.number:
        await check_cursor(node, cursor)
        return None

    headers = await _follow(node, cursor, min(final.number, cursor.number + most))
    last = headers[-1]
    by_number = {header.number: header.hash for header in headers}
    if by_number.get(final.number, final.hash) != final.hash:
        raise NodeUnavailable("its blocks changed while they were read")

    known = list(contracts)
    logs = await _logs(node, [contract.address for contract in known], headers[1:]) if known else []
    if any(by_number.get(log.block_number) != log.block_hash for log in logs):
        raise NodeUnavailable("its logs are of other blocks than its headers")
    facts = decode(known, logs)
    here = {hash_ for header in headers[1:] for hash_ in header.transactions}
    wanted = [hash_ for hash_, late in open_hashes.items() if late or hash_ in here]
    receipts = await _receipts(node, wanted, by_number, last.number)
    return Span(
        assets=frozenset(contract.asset.code for contract in known),
        first=cursor.number + 1,
        last=last,
        final=final.number,
        movements=facts.movements,
        skips=facts.skips,
        receipts=receipts,
    )


async def final_block(node: Node, finality: int | None) -> Block | None:
    """The newest block that nothing undoes under this policy; None while there is none."""
    if finality is None:
        return await node.block("finalized")
    head = await node.block("latest")
    return None if head is None or head.number < finality else await node.block(head.number - finality)


async def check_cursor(node: Node, cursor: Cursor) -> None:
    """Raises ChainReplaced when another block is where the cursor's was, NodeUnavailable when the node has none there
    yet: it is behind, and says nothing of the chain. Network only.
    """
    here = await node.block(cursor.number)
    if here is None:
        raise NodeUnavailable(f"it has no block {cursor.number} yet, which was final before")
    _same(cursor, here)


def _same(cursor: Cursor, here: Block) -> None:
    if here.hash != cursor.hash:
        raise ChainReplaced(f"block {cursor.number} was 0x{cursor.hash.hex()} and is 0x{here.hash.hex()}")


async def _follow(node: Node, cursor: Cursor, last: int) -> list[Block]:
    """The headers from the cursor's own to `last`, each the parent of the next."""
    headers = await node.blocks(cursor.number, last)
    if [header.number for header in headers] != list(range(cursor.number, last + 1)):
        raise NodeUnavailable(f"it does not have all of the blocks {cursor.number} to {last}")
    _same(cursor, headers[0])
    for parent, child in pairwise(headers):
        if child.parent_hash != parent.hash:
            raise NodeUnavailable("its blocks changed while they were read")
        if child.forgotten:
            raise NodeUnavailable(
                f"it has forgotten the transactions of block {child.number}, of which the book knows nothing yet; only "
                "a node that keeps them can say what they moved"
            )
    return headers


async def _logs(node: Node, addresses: list[str], headers: list[Block]) -> list[Log]:
    """All logs of these contracts in these blocks, which follow each other."""
    if len(headers) <= _BY_HASH_MOST:
        return await node.logs_of(addresses, [header.hash for header in headers])
    logs = await node.logs(addresses, headers[0].number, headers[-1].number)
    given = {(log.block_number, log.address) for log in logs}
    doubtful = [
        header
        for header in headers
        if any((header.number, one) not in given and header.may_have_logs_of(one) for one in addresses)
    ]
    again = {header.number for header in doubtful}
    kept = [log for log in logs if log.block_number not in again]
    return kept + await node.logs_of(addresses, [header.hash for header in doubtful])


async def _receipts(node: Node, hashes: Iterable[bytes], followed: dict[int, bytes], last: int) -> list[Receipt]:
    """The receipts among these that are of final blocks, in the order of their blocks. A receipt comes with all of its
    logs, so it is asked for when its block is read, and not each time while its block is not final yet.

    One that is of a block before the span (its transaction was not known to be ours when that was read) is looked up
    by its block's number: what is below the cursor is on the cursor's chain.
    """
    found = [receipt for receipt in (await node.receipts(hashes)).values() if receipt.block_number <= last]
    canonical = dict(followed)
    for number in {receipt.block_number for receipt in found} - canonical.keys():
        block = await node.block(number)
        if block is not None:
            canonical[number] = block.hash
    final = [receipt for receipt in found if canonical.get(receipt.block_number) == receipt.block_hash]
    return sorted(final, key=lambda receipt: receipt.block_number)


# ---- at start -------------------------------------------------------------------------------------------------------


async def verify(node: Node, contracts: Iterable[Contract], cursor: Cursor | None, alone: bool = False) -> None:
    """Raises ChainReplaced, saying what differs, unless this is the chain that the book was kept with, and
    NodeUnavailable when the node is behind the cursor. Network only.

    `alone` says that the chain has no other node, as the embedded one: then it is not behind, it has lost blocks.
    """
    known = list(contracts)
    chain_id, genesis = await node.chain_id(), await node.block(0)
    if genesis is None:
        raise NodeUnavailable("it does not have block 0")
    for contract in known:
        code = contract.asset.code
        if contract.chain_id != chain_id:
            raise ChainReplaced(f"{code} is on chain {contract.chain_id}, and the node is of chain {chain_id}")
        if contract.genesis_hash != genesis.hash:
            raise ChainReplaced(f"the chain of {code} begins with another block 0, 0x{contract.genesis_hash.hex()}")
    if cursor is not None:
        await _reached(node, cursor, alone)  # before the code: a node that is behind may not have come to it yet
    for contract in known:
        if not await node.code(contract.address):
            raise ChainReplaced(f"there is no contract at {contract.address}, where {contract.asset.code} was")


async def _reached(node: Node, cursor: Cursor, alone: bool) -> None:
    try:
        await check_cursor(node, cursor)
    except NodeUnavailable:
        head = await node.block("latest")
        if not alone or head is None or head.number >= cursor.number:
            raise
        lost = f"it ends at block {head.number}, and the book has what was final in block {cursor.number}"
        raise ChainReplaced(lost) from None

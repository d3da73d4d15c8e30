"""The chain up to its final block, read once and in order.

The cursor is the last block that is in the ledger. A block range is what follows it, up to a final block: its headers
are followed from the cursor by their parent hashes, and every log and receipt must be of a header so followed, so
nothing is taken from a block that is not on this chain; and a node that has forgotten what a block had in it is not
read as one in which nothing moved. Reading touches the network alone; the caller then moves the cursor and writes what
the block range says in one transaction.

No log is left out (block_logs.py). What had been final and is not there any more is ChainReplaced (same_chain.py):
nothing goes on over the old ledger.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise

from gateway.chain.block import Block, Log
from gateway.chain.errors import NodeBehind, NodeContradiction, NodeUnavailable
from gateway.chain.node import Node
from gateway.chain.token.contract import Contract, decode
from gateway.chain.watcher import block_logs, final_block, same_chain
from gateway.chain.watcher.block_range import BlockRange
from gateway.chain.watcher.cursors import Cursor


async def read(
    node: Node,
    contracts: Iterable[Contract],
    cursor: Cursor,
    finality: int | None,
    open_hashes: Mapping[bytes, bool],
    most: int = 500,
) -> BlockRange | None:
    """The next final blocks after the cursor, at most so many. None when there are none. Network only.

    `finality` is how many blocks stand on top of a final one; None: the node says which is final. `open_hashes` are
    transactions whose receipts are wanted, each with whether it may be in a block that was read before.

    Raises ChainReplaced when the cursor's block is not on the chain, and NodeUnavailable when the node is behind it,
    or when its answers do not fit together because the chain moved under them.
    """
    final = await final_block.newest(node, finality)
    if final is not None and (final.number, final.hash) == (cursor.number, cursor.hash):
        return None
    if final is None or final.number <= cursor.number:
        await same_chain.check_cursor(node, cursor)
        return None

    headers = await _follow(node, cursor, min(final.number, cursor.number + most))
    by_number = {header.number: header.hash for header in headers}
    if by_number.get(final.number, final.hash) != final.hash:
        raise NodeContradiction("its blocks changed while they were read")
    return await _span(node, list(contracts), headers[1:], final.number, open_hashes)


async def read_again(
    node: Node, contracts: Iterable[Contract], cursor: Cursor, first: int, last: int, open_hashes: Iterable[bytes]
) -> BlockRange:
    """What blocks say that were read before, up to the cursor's: `first` to `last`. Network only. Raises as `read`."""
    assert 0 < first <= last <= cursor.number
    headers = await _headers(node, first, last)
    await same_chain.check_cursor(node, cursor)  # final blocks below it are on its chain
    return await _span(node, list(contracts), headers, cursor.number, dict.fromkeys(open_hashes, False))


async def logs_between(node: Node, addresses: list[str], first: int, last: int) -> list[Log]:
    """All logs of these contracts in these blocks, final or not. Network only. Raises as `read`."""
    if first > last:
        return []
    return await block_logs.read_logs(node, addresses, await _headers(node, first, last))


async def _headers(node: Node, first: int, last: int) -> list[Block]:
    headers = await node.blocks(first, last)
    _in_a_row(headers, first, last)
    return headers


async def _span(
    node: Node, contracts: list[Contract], headers: list[Block], final: int, open_hashes: Mapping[bytes, bool]
) -> BlockRange:
    """What these blocks say, each of which is the parent of the next."""
    addresses = [contract.address for contract in contracts]
    by_number = {header.number: header.hash for header in headers}
    logs = await block_logs.read_logs(node, addresses, headers) if contracts else []
    receipts = await block_logs.read_receipts(node, open_hashes, headers)
    logs = await block_logs.with_missing(node, addresses, headers, receipts, logs)
    if any(by_number.get(log.block_number) != log.block_hash for log in logs):
        raise NodeContradiction("its logs are of other blocks than its headers")
    decoded = decode(contracts, logs)
    return BlockRange(
        assets=frozenset(contract.asset.code for contract in contracts),
        first=headers[0].number,
        last=headers[-1],
        final=final,
        movements=decoded.movements,
        skips=decoded.skips,
        receipts=receipts,
        timestamps={header.number: header.timestamp for header in headers},
    )


async def _follow(node: Node, cursor: Cursor, last: int) -> list[Block]:
    """The headers from the cursor's own to `last`, each the parent of the next."""
    headers = await node.blocks(cursor.number, last)
    if headers and headers[0].number == cursor.number:
        same_chain.check_hash(cursor, headers[0])
    _in_a_row(headers, cursor.number, last)
    return headers


def _in_a_row(headers: list[Block], first: int, last: int) -> None:
    """Raises NodeUnavailable unless these are all blocks from `first` to `last`, with what was in them."""
    if [header.number for header in headers] != list(range(first, last + 1)):
        raise NodeBehind(f"it does not have all of the blocks {first} to {last}")
    for parent, child in pairwise(headers):
        if child.parent_hash != parent.hash:
            raise NodeContradiction("its blocks changed while they were read")
        if child.forgotten:
            raise NodeUnavailable(
                f"it has forgotten the transactions of block {child.number}, of which the ledger knows nothing yet; "
                "only a node that keeps them can say what they moved"
            )

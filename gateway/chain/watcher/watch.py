"""Read the chain up to its final block, once and in order.

The cursor is the last block that the ledger has read. A block range follows it, up to a final block. Its headers are
followed from the cursor by their parent hashes, and every log and receipt must be of one of these headers, so nothing
is taken from a block of another chain. A block whose content the node has pruned is not read as empty. Reading only
uses the network; the caller then moves the cursor and writes the block range in one transaction.

No log is left out (block_logs.py). If a block that was final is missing, ChainReplaced is raised (same_chain.py): the
old ledger is never continued on another chain.
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
    maximum: int = 500,
) -> BlockRange | None:
    """Read the next final blocks after the cursor, at most `maximum`. Returns None if there are none. Network only.

    `finality` is how many blocks make the block below them final; None: the node says which is final. `open_hashes` are
    transactions whose receipts are wanted, each with whether it may be in a block that was read before.

    Raises ChainReplaced if the cursor's block is not on the chain, and NodeUnavailable if the node is behind it, or if
    its answers contradict each other because the chain changed in the meantime.
    """
    final = await final_block.newest(node, finality)
    if final is not None and (final.number, final.hash) == (cursor.number, cursor.hash):
        return None
    if final is None or final.number <= cursor.number:
        await same_chain.check_cursor(node, cursor)
        return None

    headers = await _follow(node, cursor, min(final.number, cursor.number + maximum))
    by_number = {header.number: header.hash for header in headers}
    if by_number.get(final.number, final.hash) != final.hash:
        raise NodeContradiction("its blocks changed while they were read")
    return await _read_range(node, list(contracts), headers[1:], final.number, open_hashes)


async def read_again(
    node: Node, contracts: Iterable[Contract], cursor: Cursor, first: int, last: int, open_hashes: Iterable[bytes]
) -> BlockRange:
    """Read blocks `first` to `last` again, which are not after the cursor. Network only. Raises as `read`."""
    assert 0 < first <= last <= cursor.number
    headers = await _headers(node, first, last)
    await same_chain.check_cursor(node, cursor)  # final blocks below it are on its chain
    return await _read_range(node, list(contracts), headers, cursor.number, dict.fromkeys(open_hashes, False))


async def logs_between(node: Node, addresses: list[str], first: int, last: int) -> list[Log]:
    """Return all logs of these contracts in these blocks, final or not. Network only. Raises as `read`."""
    if first > last:
        return []
    return await block_logs.read_logs(node, addresses, await _headers(node, first, last))


async def _headers(node: Node, first: int, last: int) -> list[Block]:
    headers = await node.blocks(first, last)
    _check_contiguous(headers, first, last)
    return headers


async def _read_range(
    node: Node, contracts: list[Contract], headers: list[Block], final: int, open_hashes: Mapping[bytes, bool]
) -> BlockRange:
    """Read and decode these consecutive blocks."""
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
    """Return the headers from the cursor's own to `last`, each the parent of the next."""
    headers = await node.blocks(cursor.number, last)
    if headers and headers[0].number == cursor.number:
        same_chain.check_hash(cursor, headers[0])
    _check_contiguous(headers, cursor.number, last)
    return headers


def _check_contiguous(headers: list[Block], first: int, last: int) -> None:
    """Raise NodeUnavailable unless these are all blocks from `first` to `last`, with their content."""
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

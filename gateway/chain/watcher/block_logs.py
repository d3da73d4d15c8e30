"""Read all logs and receipts of a block range. Network only.

A node behind a load balancer may answer for a block that it does not have yet as if the block were empty. Near the tip,
logs are requested by block hash, with the newest of those blocks in the same batch. If many blocks are read at once,
they are requested by range. Either way, a block whose bloom says that it may have logs of a contract, and for which
none came, is requested once more: near the tip the logs of all contracts, which must explain the whole bloom. And the
logs that are counted in the receipts of the gateway's own transactions must have been read.
"""

from collections import Counter
from collections.abc import Mapping

from gateway.chain.block import Block, Log, Receipt
from gateway.chain.errors import NodeBehind, NodeContradiction, NodeRefused
from gateway.chain.node import Node

#: Up to this many blocks are requested by hash, in one JSON-RPC batch; more are requested by range.
_BY_HASH_MAX = 32


async def read_logs(node: Node, addresses: list[str], headers: list[Block]) -> list[Log]:
    """Return all logs of these contracts in these consecutive blocks."""
    if len(headers) > _BY_HASH_MAX:
        logs = await node.logs(addresses, headers[0].number, headers[-1].number)
        return _merged(logs, await node.logs_of(addresses, [one.hash for one in _doubtful(addresses, headers, logs)]))
    logs = await node.logs_of(addresses, [header.hash for header in headers])
    for header in _doubtful(addresses, headers, logs):
        logs = _merged(logs, await _all_of(node, addresses, header))
    return logs


async def _all_of(node: Node, addresses: list[str], header: Block) -> list[Log]:
    """Return the logs of these contracts in a block, after comparing all its logs with its bloom."""
    logs = await node.all_logs_of(header.hash)
    if not header.is_explained_by(logs):
        raise NodeBehind(f"it has a part of the logs of block {header.number}, or none")
    return [log for log in logs if log.address in addresses]


def _doubtful(addresses: list[str], headers: list[Block], logs: list[Log]) -> list[Block]:
    """Return the blocks that may have logs of a contract, by their bloom, and for which none came."""
    given = {(log.block_number, log.address) for log in logs}
    return [
        header
        for header in headers
        if any((header.number, one) not in given and header.may_have_logs_of(one) for one in addresses)
    ]


def _merged(logs: list[Log], more: list[Log]) -> list[Log]:
    return list({(log.block_hash, log.log_index): log for log in [*logs, *more]}.values())


async def read_receipts(node: Node, open_hashes: Mapping[bytes, bool], headers: list[Block]) -> list[Receipt]:
    """Return the receipts among these transactions that are of final blocks, in the order of their blocks. A receipt
    comes with all of its logs, so it is requested when its block is read, not each time before that is final.

    A transaction that is in one of these blocks must have one. A node that finds none by hash (it is still indexing, or
    keeps no index of old ones) is asked for all receipts of the block.
    """
    here = {hash_: header for header in headers for hash_ in header.transactions if hash_ in open_hashes}
    late = [hash_ for hash_, is_late in open_hashes.items() if is_late and hash_ not in here]
    refused: NodeRefused | None = None
    found: dict[bytes, Receipt] = {}
    try:
        found = await node.receipts([*here, *late])
    except NodeRefused as error:
        refused = error  # late ones are requested again with a later block range
    for header in {header.number: header for hash_, header in here.items() if hash_ not in found}.values():
        try:
            found |= await node.receipts_in(header.hash)
        except NodeRefused as error:
            raise refused or error from None
    for hash_, header in here.items():
        if hash_ not in found or found[hash_].block_hash != header.hash:
            raise NodeBehind(f"it has no receipt yet of 0x{hash_.hex()}, which is in block {header.number}")
    return await _canonical(node, [found[hash_] for hash_ in [*here, *late] if hash_ in found], headers)


async def _canonical(node: Node, found: list[Receipt], headers: list[Block]) -> list[Receipt]:
    """Return those that are of blocks up to the last header, on its chain. A receipt of a block before the first header
    (its transaction was not known when that block was read) is checked by its block's number: blocks below the cursor
    are on the cursor's chain.
    """
    found = [receipt for receipt in found if receipt.block_number <= headers[-1].number]
    canonical = {header.number: header.hash for header in headers}
    for number in {receipt.block_number for receipt in found} - canonical.keys():
        block = await node.block(number)
        if block is not None:
            canonical[number] = block.hash
    final = [receipt for receipt in found if canonical.get(receipt.block_number) == receipt.block_hash]
    return sorted(final, key=lambda receipt: receipt.block_number)


async def with_missing(
    node: Node, addresses: list[str], headers: list[Block], receipts: list[Receipt], logs: list[Log]
) -> list[Log]:
    """Return the logs, completed with those that the receipts of the gateway's transactions have and the node left out.
    Raises NodeContradiction if the node does not return them.
    """
    by_hash = {header.hash: header for header in headers}
    wrong = {receipt.block_hash for receipt in receipts if _lacks(addresses, receipt, logs)} & by_hash.keys()
    for hash_ in wrong:
        logs = _merged(logs, await _all_of(node, addresses, by_hash[hash_]))
    for receipt in receipts:
        if receipt.block_hash in wrong and _lacks(addresses, receipt, logs):
            raise NodeContradiction(f"block {receipt.block_number} has fewer logs than a receipt in it")
    return logs


def _lacks(addresses: list[str], receipt: Receipt, logs: list[Log]) -> bool:
    read = Counter(log.address for log in logs if log.transaction_hash == receipt.hash)
    return any(read[one] != receipt.logs.get(one.lower(), 0) for one in addresses)

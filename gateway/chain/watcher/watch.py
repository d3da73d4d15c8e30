"""The chain up to its final block, read once and in order.

The cursor is the last block that is in the book. A block range is what follows it, up to a final block: its headers are
followed from the cursor by their parent hashes, and every log and receipt must be of a header so followed, so nothing
is taken from a block that is not on this chain; and a node that has forgotten what a block had in it is not read as one
in which nothing moved. Reading touches the network alone; the caller then moves the cursor and writes what the block
range says in one transaction.

No log is left out, though a node behind a load balancer may answer for a block that it does not have yet as if nothing
were in it. Near the tip logs are asked for by block hash, with the newest of those blocks in the same batch. Where many
blocks are read at once they are asked for by range. Either way, a block whose bloom says that it may have logs of a
contract, and of which none came, is asked for once more: near the tip for the logs of everybody, which must explain the
whole bloom. And what the receipts of our own transactions count is what must have been read.

What had been final and is not there any more is ChainReplaced: nothing goes on over the old book by itself.

There is one cursor per chain, so a block range counts only if it was read with every contract that is recorded: the
cursor's row is locked where a contract is recorded and where a block range is written, and the second of the two sees
the first.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

from gateway.chain.block import Block, Log, Receipt
from gateway.chain.errors import ChainReplaced, NodeBehind, NodeContradiction, NodeRefused, NodeUnavailable
from gateway.chain.node import Node
from gateway.chain.token.contract import Contract, Movement, Skip, decode
from gateway.postgres.pool import Connection, Statements

sql = Statements(__package__, "watch.sql")

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
class BlockRange:
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
) -> BlockRange | None:
    """The next final blocks after the cursor, at most so many. None when there are none. Network only.

    `finality` is how many blocks stand on top of a final one; None: the node says which is final. `open_hashes` are
    transactions whose receipts are wanted, each with whether it may be in a block that was read before.

    Raises ChainReplaced when the cursor's block is not on the chain, and NodeUnavailable when the node is behind it,
    or when its answers do not fit together because the chain moved under them.
    """
    final = await final_block(node, finality)
    if final is not None and (final.number, final.hash) == (cursor.number, cursor.hash):
        return None
    if final is None or final.number <= cursor.number:
        await check_cursor(node, cursor)
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
    await check_cursor(node, cursor)  # final blocks below it are on its chain
    return await _span(node, list(contracts), headers, cursor.number, dict.fromkeys(open_hashes, False))


async def logs_between(node: Node, addresses: list[str], first: int, last: int) -> list[Log]:
    """All logs of these contracts in these blocks, final or not. Network only. Raises as `read`."""
    if first > last:
        return []
    return await _logs(node, addresses, await _headers(node, first, last))


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
    logs = await _logs(node, addresses, headers) if contracts else []
    receipts = await _receipts(node, open_hashes, headers)
    logs = await _with_all_of(node, addresses, headers, receipts, logs)
    if any(by_number.get(log.block_number) != log.block_hash for log in logs):
        raise NodeContradiction("its logs are of other blocks than its headers")
    facts = decode(contracts, logs)
    return BlockRange(
        assets=frozenset(contract.asset.code for contract in contracts),
        first=headers[0].number,
        last=headers[-1],
        final=final,
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


def waiting(final: Block | None, finality: int | None) -> str:
    """What a block waits for that is not final yet, in a sentence, with the setting that decides. Pure."""
    if finality is not None:
        return (
            f"It is final with {finality} blocks on top, as GATEWAY_FINALITY says; on a chain that makes no block "
            "without a transaction, 0 makes it final at once"
        )
    if final is None:
        return (
            "The node names no block as finalized, so nothing becomes final: set GATEWAY_FINALITY to how many blocks "
            "on top make a block final, such as 12"
        )
    return (
        f"The node's finalized block is {final.number}; on Ethereum a block is final after some 13 minutes. With "
        "GATEWAY_FINALITY set to a number, that many blocks on top make one final"
    )


async def check_cursor(node: Node, cursor: Cursor) -> None:
    """Raises ChainReplaced when another block is where the cursor's was, or the node is of another chain; NodeBehind
    when it has no block there yet: then it says nothing of the chain. Network only.
    """
    here = await node.block(cursor.number)
    if here is None:
        if (chain_id := await node.chain_id()) != cursor.chain_id:
            raise ChainReplaced(f"the book is of chain {cursor.chain_id}, and the node is of chain {chain_id}")
        raise NodeBehind(f"it has no block {cursor.number} yet, which was final before")
    _same(cursor, here)


def _same(cursor: Cursor, here: Block) -> None:
    if here.hash != cursor.hash:
        raise ChainReplaced(f"block {cursor.number} was 0x{cursor.hash.hex()} and is 0x{here.hash.hex()}")


async def _follow(node: Node, cursor: Cursor, last: int) -> list[Block]:
    """The headers from the cursor's own to `last`, each the parent of the next."""
    headers = await node.blocks(cursor.number, last)
    if headers and headers[0].number == cursor.number:
        _same(cursor, headers[0])
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
                f"it has forgotten the transactions of block {child.number}, of which the book knows nothing yet; only "
                "a node that keeps them can say what they moved"
            )


# ---- logs and receipts ----------------------------------------------------------------------------------------------


async def _logs(node: Node, addresses: list[str], headers: list[Block]) -> list[Log]:
    """All logs of these contracts in these blocks, which follow each other."""
    if len(headers) > _BY_HASH_MOST:
        logs = await node.logs(addresses, headers[0].number, headers[-1].number)
        return _merged(logs, await node.logs_of(addresses, [one.hash for one in _doubtful(addresses, headers, logs)]))
    logs = await node.logs_of(addresses, [header.hash for header in headers])
    for header in _doubtful(addresses, headers, logs):
        logs = _merged(logs, await _all_of(node, addresses, header))
    return logs


async def _all_of(node: Node, addresses: list[str], header: Block) -> list[Log]:
    """The logs of these contracts in a block, held against its bloom."""
    logs = await node.all_logs_of(header.hash)
    if not header.is_explained_by(logs):
        raise NodeBehind(f"it has a part of the logs of block {header.number}, or none")
    return [log for log in logs if log.address in addresses]


def _doubtful(addresses: list[str], headers: list[Block], logs: list[Log]) -> list[Block]:
    """The blocks that may have logs of a contract, by their bloom, and of which none came."""
    given = {(log.block_number, log.address) for log in logs}
    return [
        header
        for header in headers
        if any((header.number, one) not in given and header.may_have_logs_of(one) for one in addresses)
    ]


def _merged(logs: list[Log], more: list[Log]) -> list[Log]:
    return list({(log.block_hash, log.log_index): log for log in [*logs, *more]}.values())


async def _receipts(node: Node, open_hashes: Mapping[bytes, bool], headers: list[Block]) -> list[Receipt]:
    """The receipts among these transactions that are of final blocks, in the order of their blocks. A receipt comes
    with all of its logs, so it is asked for when its block is read, and not each time while that is not final yet.

    Of a transaction that is in one of these blocks there must be one. A node that finds none by its hash (it is still
    indexing, or keeps no index of old ones) is asked for all receipts of the block.
    """
    here = {hash_: header for header in headers for hash_ in header.transactions if hash_ in open_hashes}
    late = [hash_ for hash_, is_late in open_hashes.items() if is_late and hash_ not in here]
    refused: NodeRefused | None = None
    found: dict[bytes, Receipt] = {}
    try:
        found = await node.receipts([*here, *late])
    except NodeRefused as error:
        refused = error  # what is late is asked for again with a later block range
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
    """Those of these that are of blocks up to the last header, on its chain. One of a block before the first (its
    transaction was not known to be ours when that was read) is looked up by its block's number: what is below the
    cursor is on the cursor's chain.
    """
    found = [receipt for receipt in found if receipt.block_number <= headers[-1].number]
    canonical = {header.number: header.hash for header in headers}
    for number in {receipt.block_number for receipt in found} - canonical.keys():
        block = await node.block(number)
        if block is not None:
            canonical[number] = block.hash
    final = [receipt for receipt in found if canonical.get(receipt.block_number) == receipt.block_hash]
    return sorted(final, key=lambda receipt: receipt.block_number)


async def _with_all_of(
    node: Node, addresses: list[str], headers: list[Block], receipts: list[Receipt], logs: list[Log]
) -> list[Log]:
    """The logs, and what is missing of those that the receipts of our own transactions have."""
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

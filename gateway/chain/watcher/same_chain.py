"""Check that the node is on the ledger's chain. Network only."""

from collections.abc import Iterable

from gateway.chain.block import Block
from gateway.chain.errors import ChainReplaced, NodeBehind, NodeUnavailable
from gateway.chain.node import Node
from gateway.chain.token.contract import Contract
from gateway.chain.watcher.cursors import Cursor


async def check_cursor(node: Node, cursor: Cursor) -> None:
    """Raise ChainReplaced if the cursor's block is another one, or the node is on another chain; NodeBehind if it does
    not have the block yet, which says nothing about the chain. Network only.
    """
    here = await node.block(cursor.number)
    if here is None:
        if (chain_id := await node.chain_id()) != cursor.chain_id:
            raise ChainReplaced(f"the ledger is of chain {cursor.chain_id}, and the node is of chain {chain_id}")
        raise NodeBehind(f"it has no block {cursor.number} yet, which was final before")
    check_hash(cursor, here)


def check_hash(cursor: Cursor, here: Block) -> None:
    if here.hash != cursor.hash:
        raise ChainReplaced(f"block {cursor.number} was 0x{cursor.hash.hex()} and is 0x{here.hash.hex()}")


async def verify(node: Node, contracts: Iterable[Contract], cursor: Cursor | None, alone: bool = False) -> None:
    """Raise ChainReplaced, with what differs, unless this is the chain that the ledger was kept with, and
    NodeUnavailable if the node is behind the cursor. Network only.

    `alone` says that the chain has no other node, as the embedded one: then a node that is behind has lost blocks.
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
        await _reached(node, cursor, alone)  # before the code: a node that is behind may not have it yet
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
        lost = f"it ends at block {head.number}, and the ledger has what was final in block {cursor.number}"
        raise ChainReplaced(lost) from None
